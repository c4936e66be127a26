from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import Dataset, open_dataset
from training.factor import find_factor


def dataset(folder: Path, *sides: tuple[tuple[int, ...], tuple[int, ...]]) -> Dataset:
    """Pairs whose images have these shapes."""
    for i, shapes in enumerate(sides):
        for side, shape in zip(("input", "target"), shapes, strict=True):
            (folder / side).mkdir(exist_ok=True)
            dims = ("z", "y", "x")[-len(shape) :]
            image = xr.DataArray(np.zeros(shape, np.float32), dims=dims)
            images.write(folder / side / f"{i}.tif", image)
    return open_dataset(folder)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_the_factor_is_that_of_the_sizes(tmp_path: Path, factor: int) -> None:
    finer = (factor * 6, factor * 8)
    assert find_factor(dataset(tmp_path, ((6, 8), finer))) == factor


def test_planes_are_not_taken_for_finer_pixels(tmp_path: Path) -> None:
    assert find_factor(dataset(tmp_path, ((3, 6, 8), (3, 12, 16)))) == 2


@pytest.mark.parametrize(
    "target", [(12, 15), (9, 12), (12, 8), (30, 40), (3, 4), (2, 12, 16)], ids=str
)
def test_targets_that_are_not_whole_times_as_fine_are_refused(
    tmp_path: Path, target: tuple[int, ...]
) -> None:
    with pytest.raises(UserError, match=r"input.0\.tif has .* or the target 2 to 4 times as many"):
        find_factor(dataset(tmp_path, ((6, 8), target)))


def test_targets_of_two_factors_are_refused(tmp_path: Path) -> None:
    mixed = dataset(tmp_path, ((6, 8), (12, 16)), ((6, 8), (6, 8)))
    with pytest.raises(UserError, match=r"1\.tif is 1 times .*0\.tif 2 times: .* one kind"):
        find_factor(mixed)
