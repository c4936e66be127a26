from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from imaging import images
from imaging.datasets import Item, open_dataset
from imaging.inspection import inspect_items
from imaging.pairing import inspect_pairs
from tests.small_images import bent_lines

Image = NDArray[np.float64]
SIDE = 128


def scene(seed: int) -> Image:
    """Bright lines that bend."""
    return ndimage.gaussian_filter(bent_lines(seed, SIDE, count=8, reach=80), 1)


def spots(seed: int) -> Image:
    """Three of them, in the whole field."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((SIDE, SIDE))
    drawn[tuple(rng.integers(8, SIDE - 8, (2, 3)))] = 1
    return ndimage.gaussian_filter(drawn, 1.5)


def record(truth: Image, seed: int, photons: float = 20, shift: float = 0) -> Image:
    rng = np.random.default_rng(seed)
    blurred = ndimage.shift(ndimage.gaussian_filter(truth, 2), (shift, -shift), mode="reflect")
    return 5 * rng.poisson(photons * blurred / blurred.max() + 0.5) + rng.normal(
        100, 3, truth.shape
    )


def dataset(folder: Path, pairs: list[tuple[Image, Image]]) -> tuple[Item, ...]:
    for i, pair in enumerate(pairs):
        for side, values in zip(("input", "target"), pair, strict=True):
            (folder / side).mkdir(exist_ok=True)
            dims = ("z", "y", "x")[-values.ndim :]
            image = xr.DataArray(values.astype(np.float32), dims=dims)
            images.write(folder / side / f"{i}.tif", image)
    return open_dataset(folder).items


def found(items: tuple[Item, ...]) -> dict[str, str]:
    """The remarks on each image, by its name."""
    said: dict[str, str] = {}
    for entry in inspect_pairs(items).entries:
        for name, detail in entry.images.items():
            said[name] = said.get(name, "") + f"{detail}: {entry.sentence}"
    return said


@pytest.mark.parametrize("drawn", [scene, spots])
@pytest.mark.parametrize("photons", [0.5, 10, 1000])
def test_pairs_that_fit_are_not_remarked(
    tmp_path: Path, photons: float, drawn: Callable[[int], Image]
) -> None:
    truths = [drawn(i) for i in range(12)]
    pairs = [(record(t, i, photons, shift=3), t) for i, t in enumerate(truths)]
    assert found(dataset(tmp_path, pairs)) == {}


def test_a_finer_truth_fits(tmp_path: Path) -> None:
    pairs = [(record(t := scene(i), i)[::2, ::2], t) for i in range(6)]
    assert found(dataset(tmp_path, pairs)) == {}


def test_one_field_recorded_again_is_remarked(tmp_path: Path) -> None:
    pairs = [(record(t := scene(max(i, 3)), i), t) for i in range(6)]
    remarks = found(dataset(tmp_path, pairs))
    assert remarks.keys() == {"1", "2", "3"}
    assert all("as 0 (correlation 1.00): " in remark for remark in remarks.values())


def test_one_field_of_one_source_is_no_news(tmp_path: Path) -> None:
    items = dataset(tmp_path, [(record(scene(0), i), scene(0)) for i in range(6)])
    assert found(tuple(replace(item, source="cell") for item in items)) == {}


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (np.fliplr, "mirrored left to right"),
        (np.flipud, "mirrored top to bottom"),
        (lambda truth: np.rot90(truth, 2), "turned by 180°"),
        (lambda truth: np.rot90(truth, 1), "turned by 90° clockwise"),
        (lambda truth: np.rot90(truth, -1), "turned by 90° counter-clockwise"),
    ],
)
@pytest.mark.parametrize("count", [1, 5])
def test_a_turned_truth_is_named(
    tmp_path: Path, count: int, turn: Callable[[Image], Image], said: str
) -> None:
    pairs = [(record(t := scene(i), i), turn(t)) for i in range(count)]
    remarks = found(dataset(tmp_path, pairs))
    assert remarks.keys() == {str(i) for i in range(count)}
    assert all(remark.startswith(said) for remark in remarks.values())


def test_every_run_over_a_dataset_looks_at_its_pairs(tmp_path: Path) -> None:
    items = dataset(tmp_path, [(record(t := scene(0), 0), np.fliplr(t))])
    said = {entry.sentence: entry.images for entry in inspect_items(items, "d/").entries}
    (mirrored,) = (named for sentence, named in said.items() if "mirrored" in sentence)
    assert list(mirrored) == ["d/0"]


def test_the_truth_of_another_image_is_named(tmp_path: Path) -> None:
    pairs = [(record(scene(i), i), scene((i + 1) % 6)) for i in range(6)]
    remarks = found(dataset(tmp_path, pairs))
    assert {name: remark.split(" (")[0] for name, remark in remarks.items()} == {
        str(i): f"that of {(i - 1) % 6}" for i in range(6)
    }


def test_a_truth_that_fits_nothing_is_remarked_alone(tmp_path: Path) -> None:
    pairs = [(record(scene(i), i), scene(i + (100 if i == 2 else 0))) for i in range(6)]
    remarks = found(dataset(tmp_path, pairs))
    assert remarks.keys() == {"2"}
    assert "agrees no better with its truth" in remarks["2"]


def test_of_noise_alone_nothing_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.random((SIDE, SIDE)), scene(i)) for i in range(6)]
    assert found(dataset(tmp_path, pairs)) == {}


def test_of_a_stack_the_middle_plane_is_looked_at(tmp_path: Path) -> None:
    truths = [np.stack([scene(10 * i + k) for k in range(3)]) for i in range(5)]
    pairs = [(np.stack([record(t, k) for k, t in enumerate(ts)]), ts[:, ::-1]) for ts in truths]
    assert len(found(dataset(tmp_path, pairs))) == 5


def test_an_image_that_stands_twice_is_remarked(tmp_path: Path) -> None:
    pairs = [(record(t := scene(i), i), t) for i in range(3)]
    remarks = found(dataset(tmp_path, [*pairs, pairs[1]]))
    assert remarks.keys() == {"3"}
    assert remarks["3"].startswith("the same as 1: ")


def test_a_repeat_that_is_a_copy_is_remarked(tmp_path: Path) -> None:
    for side, seed in (("input", 0), ("repeat", 0)):
        (tmp_path / side).mkdir()
        image = xr.DataArray(record(scene(0), seed).astype(np.float32), dims=("y", "x"))
        images.write(tmp_path / side / "0.tif", image)
    assert "a copy of the input" in found(open_dataset(tmp_path).items)["0"]


def test_a_repeat_with_noise_of_its_own_is_not_remarked(tmp_path: Path) -> None:
    for side, seed in (("input", 0), ("repeat", 1)):
        (tmp_path / side).mkdir()
        image = xr.DataArray(record(scene(0), seed).astype(np.float32), dims=("y", "x"))
        images.write(tmp_path / side / "0.tif", image)
    assert found(open_dataset(tmp_path).items) == {}


def test_a_truth_that_is_its_input_is_remarked(tmp_path: Path) -> None:
    same, other = record(scene(0), 0), scene(1)
    remarks = found(dataset(tmp_path, [(same, same), (record(other, 1), other)]))
    assert remarks.keys() == {"0"}
    assert "the truth is the input itself" in remarks["0"]


def test_a_burnt_in_bar_hides_no_field(tmp_path: Path) -> None:
    truths = [scene(seed) for seed in range(6)]
    degraded = [record(truth, seed) for seed, truth in enumerate(truths)]
    degraded[2][110:116, 60:110] = 65535

    assert not inspect_pairs(dataset(tmp_path, list(zip(degraded, truths, strict=True)))).entries
