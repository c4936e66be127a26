from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmark.metrics import METRICS, NotApplicable
from benchmark.registration.repeats import repeats
from imaging import images
from imaging.cli import UserError
from imaging.datasets import Dataset, open_dataset

SHARED = Path(__file__).parents[4] / "shared" / "data" / "repeats"
real = pytest.mark.skipif(not SHARED.exists(), reason="needs the images of ../shared")


def stack(path: Path, frames: int, axis: str = "z") -> Path:
    """Frame i is filled with i."""
    values = np.arange(frames, dtype=np.uint16)[:, None, None] + np.zeros((8, 8), np.uint16)
    image = xr.DataArray(values, dims=(axis, "y", "x"))
    images.write(path, image.assign_attrs(pixel_size_um={"y": 0.1, "x": 0.1}))
    return path


def contents(dataset: Dataset) -> list[tuple[str, float, float]]:
    """Names, and the values of images and of their repeats."""
    found: list[tuple[str, float, float]] = []
    for item in dataset.items:
        assert item.of_repeat is not None
        first, second = (it.read_input().values for it in (item, item.of_repeat))
        found.append((item.name, float(first.mean()), float(second.mean())))
    return found


@pytest.mark.parametrize("axis", ["b", "z"])
def test_neighbours_in_time_are_a_pair(tmp_path: Path, axis: str) -> None:
    repeats([stack(tmp_path / "cell.tif", 5, axis)], out=tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert contents(dataset) == [("cell_000", 0, 1), ("cell_001", 2, 3)]
    assert dataset.items[0].read_input().dtype == np.uint16


def test_frames_are_averaged_before_they_are_paired(tmp_path: Path) -> None:
    repeats([stack(tmp_path / "cell.tif", 9)], out=tmp_path / "data", average=3)
    assert contents(open_dataset(tmp_path / "data")) == [("cell_000", 1, 4)]


def test_a_stack_is_one_specimen_and_keeps_its_pixel_size(tmp_path: Path) -> None:
    repeats([stack(tmp_path / f"{x}.tif", 4) for x in "ab"], out=tmp_path / "data")
    items = open_dataset(tmp_path / "data").items
    assert [item.source for item in items] == ["a", "a", "b", "b"]
    assert items[0].read_input().attrs["pixel_size_um"]["x"] == pytest.approx(0.1)


@pytest.mark.parametrize("average", [1, 2])
def test_copies_are_refused_and_leave_nothing(tmp_path: Path, average: int) -> None:
    frame = np.random.default_rng(0).poisson(20, (64, 64)).astype(np.uint16)
    image = xr.DataArray(np.stack([frame] * 4), dims=("b", "y", "x"))
    images.write(tmp_path / "cell.tif", image)
    with pytest.raises(UserError, match=r"cell\.tif holds no repeats: frames 0 and 1.*\.$"):
        repeats([tmp_path / "cell.tif"], out=tmp_path / "data", average=average)
    assert not (tmp_path / "data").exists()


def test_too_few_frames_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has 5 frames, and .* takes 6: .*\.$"):
        repeats([stack(tmp_path / "cell.tif", 5)], out=tmp_path / "data", average=3)
    assert {file.name for file in tmp_path.iterdir()} == {"cell.tif"}


def test_stacks_of_one_name_are_refused(tmp_path: Path) -> None:
    both = [stack(tmp_path / f"cell.{suffix}", 4) for suffix in ("tif", "mrc")]
    with pytest.raises(UserError, match=r"cell\.mrc: another stack has the same name"):
        repeats(both, out=tmp_path / "data")


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = stack(tmp_path / "cell.tif", 4)
    with pytest.raises(UserError, match="not empty"):
        repeats([path], out=tmp_path)
    assert path.exists()


@real
def test_consecutive_frames_of_live_lysosomes_resolve_more_than_their_noise(tmp_path: Path) -> None:
    repeats([SHARED / "bohuang_lysosome_t50_1.tif"], out=tmp_path / "data")
    resolved = frc_of_inputs(open_dataset(tmp_path / "data"))
    assert len(resolved) == 25
    assert 0.26 < np.median(resolved) < 0.6  # two pixels; far beyond a microscope's blur


@real
def test_phases_of_structured_illumination_average_to_widefield_repeats(tmp_path: Path) -> None:
    repeats([SHARED / "rdlsim_MT_raw9_TIRFSIM.mrc"], out=tmp_path / "data", average=3)
    (item,) = open_dataset(tmp_path / "data").items
    assert item.read_input().shape == (256, 256)
    (resolved,) = frc_of_inputs(open_dataset(tmp_path / "data"))
    assert 0.15 < resolved < 0.3  # the optical limit of TIRF lies at about 0.2 µm


def frc_of_inputs(dataset: Dataset) -> list[float]:
    values: list[float] = []
    for item in dataset.items:
        assert item.of_repeat is not None
        one, two = (it.read_input() for it in (item, item.of_repeat))
        try:
            values.append(METRICS["frc"](one, two, one.attrs["pixel_size_um"]["x"]))
        except NotApplicable:
            continue
    return values
