from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import Dataset, open_dataset
from training.pixel_sizes import find_pixel_size_um, remark_on_unstated


def dataset(folder: Path, *sizes_um: dict[str, float], toml: str = "") -> Dataset:
    """One image after the other: input a, target a, input b, target b, ..."""
    for i, size_um in enumerate(sizes_um):
        image = xr.DataArray(np.zeros((4, 4), np.float32), dims=("y", "x"))
        side = ("input", "target")[i % 2]
        (folder / side).mkdir(exist_ok=True)
        path = folder / side / f"{'abc'[i // 2]}.tif"
        images.write(path, image.assign_attrs(pixel_size_um=size_um))
    (folder / "dataset.toml").write_text(toml)
    return open_dataset(folder)


def square(size_um: float) -> dict[str, float]:
    return dict.fromkeys("yx", size_um)


def test_what_all_files_state_is_the_pixel_size(tmp_path: Path) -> None:
    found = find_pixel_size_um(dataset(tmp_path, square(0.08), {}, {}, square(0.081)))
    assert found == pytest.approx(0.08)


def test_what_the_dataset_states_counts_where_files_state_nothing(tmp_path: Path) -> None:
    assert find_pixel_size_um(dataset(tmp_path, {}, {}, toml="pixel_size_um = 0.1")) == 0.1


def test_nothing_may_be_known(tmp_path: Path) -> None:
    assert find_pixel_size_um(dataset(tmp_path, {}, {})) is None


def test_images_of_two_pixel_sizes_are_refused(tmp_path: Path) -> None:
    mixed = dataset(tmp_path, square(0.08), square(0.08), square(0.16), square(0.16))
    said = r"input.a\.tif \(along x\) states pixels of 0\.08 µm and .*input.b\.tif .* of 0\.16 µm"
    with pytest.raises(UserError, match=said):
        find_pixel_size_um(mixed)


def test_a_target_of_other_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"input.a\.tif .*target.a\.tif .* of 0\.04 µm"):
        find_pixel_size_um(dataset(tmp_path, square(0.08), square(0.04)))


def test_oblong_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"along x\) .*along y\) of 0\.16 µm"):
        find_pixel_size_um(dataset(tmp_path, {"x": 0.08, "y": 0.16}, {}))


@pytest.mark.parametrize("entry", ["pixel_size_um", "target_pixel_size_um"])
def test_a_dataset_that_contradicts_its_files_is_refused(tmp_path: Path, entry: str) -> None:
    contradicting = dataset(tmp_path, square(0.08), square(0.08), toml=f"{entry} = 0.2")
    with pytest.raises(UserError, match=rf"dataset\.toml \({entry}\) states pixels of 0\.2 µm"):
        find_pixel_size_um(contradicting)


def test_an_image_that_states_none_among_others_is_remarked(tmp_path: Path) -> None:
    (entry,) = remark_on_unstated(dataset(tmp_path, square(0.08), {}, {}, square(0.08))).entries
    assert list(entry.images) == ["b"]


@pytest.mark.parametrize("toml", ["", "pixel_size_um = 0.1"])
def test_where_none_states_its_own_or_all_have_one_nothing_is_remarked(
    tmp_path: Path, toml: str
) -> None:
    assert not remark_on_unstated(dataset(tmp_path, {}, {}, {}, {}, toml=toml)).entries


def test_targets_that_are_not_on_their_inputs_are_not_trained_on(tmp_path: Path) -> None:
    expanded = dataset(tmp_path, square(0.1), square(0.1), toml="expansion_factor = 4.0")
    with pytest.raises(UserError, match=r"dataset\.toml states an expansion_factor.*register`\.$"):
        find_pixel_size_um(expanded)


def test_a_finer_target_states_its_own_pixels(tmp_path: Path) -> None:
    pair = dataset(tmp_path, {}, {})
    target = xr.DataArray(np.zeros((8, 8), np.float32), dims=("y", "x"))
    images.write(pair.items[0].target or tmp_path, target.assign_attrs(pixel_size_um=square(0.05)))
    assert find_pixel_size_um(open_dataset(tmp_path)) == pytest.approx(0.1)
