from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmark.known import alike, known_planes, of_sample
from benchmark.metrics import Known, NotApplicable, normalise
from benchmark.restore import RestorationError
from packages import images
from packages.datasets import open_dataset
from tests.benchmark import stand_ins


def known(tmp_path: Path, channels: list[str], *, truth: bool = True, side: int = 64) -> Known:
    """What is known of channels that are filled with 0, 1, 2 …"""
    data = open_dataset(stand_ins.dataset(tmp_path / "data", 1, truth=truth))
    values = np.arange(len(channels), dtype=np.float32)[:, None, None] + np.zeros((side, side))
    pixel_um = stand_ins.PIXEL_UM * stand_ins.SIDE / side
    restored = xr.DataArray(
        values,
        dims=("c", "y", "x"),
        coords={"c": channels},
        attrs={"pixel_size_um": {"y": pixel_um, "x": pixel_um}},
    )
    (plane,) = known_planes(restored, data.items[0], {"0.9": 1.5})
    return plane


def test_channels_are_known_by_their_names(tmp_path: Path) -> None:
    plane = known(tmp_path, ["std", "mean", "sample"])
    found = {name: float(np.mean(plane[name])) for name in ("std", "mean", "sample", "prediction")}
    assert found == {"std": 0, "mean": 1, "sample": 2, "prediction": 1}


def test_the_truth_is_on_the_scale_of_packages(tmp_path: Path) -> None:
    plane = known(tmp_path, ["mean"])
    truth = images.read(tmp_path / "data/target/0000.tif").values
    np.testing.assert_array_equal(plane["truth"], normalise(truth))


def test_without_truth_input_and_restoration_are_known(tmp_path: Path) -> None:
    plane = known(tmp_path, ["mean"], truth=False)
    assert "truth" not in plane
    assert plane["pixel_um"] == stand_ins.PIXEL_UM
    assert np.shape(plane["input"]) == (64, 64)


def test_an_uncertainty_on_another_grid_is_not_interpolated(tmp_path: Path) -> None:
    plane = known(tmp_path, ["mean", "std", "sample"], side=128)
    assert np.shape(plane["prediction"]) == np.shape(plane["sample"]) == (64, 64)
    assert isinstance(plane["std"], NotApplicable)


def test_a_sample_is_judged_without_the_uncertainty_of_its_package(tmp_path: Path) -> None:
    sample = of_sample(known(tmp_path, ["mean", "std", "sample"]))
    assert sample is not None
    assert float(np.mean(sample["prediction"])) == 2
    assert isinstance(sample["std"], NotApplicable)


def test_without_a_channel_sample_there_is_none(tmp_path: Path) -> None:
    assert of_sample(known(tmp_path, ["mean", "std"])) is None


def test_of_several_channels_the_mean_is_scored() -> None:
    truth = xr.DataArray(np.zeros((4, 4)), dims=("y", "x"))
    both = xr.DataArray(
        np.stack([np.ones((4, 4)), np.full((4, 4), 2.0)]),
        dims=("c", "y", "x"),
        coords={"c": ["std", "mean"]},
    )
    restored, _ = alike(both, truth)
    assert restored.tolist() == np.full((1, 4, 4), 2.0).tolist()


def test_a_restoration_on_its_own_grid_is_brought_to_the_truth_s() -> None:
    truth = xr.DataArray(
        np.zeros((20, 30)), dims=("y", "x"), attrs={"pixel_size_um": {"y": 0.2, "x": 0.2}}
    )
    finer = xr.DataArray(
        np.full((40, 60), 7.0), dims=("y", "x"), attrs={"pixel_size_um": {"y": 0.1, "x": 0.1}}
    )
    restored, _ = alike(finer, truth)
    np.testing.assert_allclose(restored, np.full((1, 20, 30), 7.0))


def test_another_field_of_view_cannot_be_compared() -> None:
    size = {"pixel_size_um": {"y": 0.2, "x": 0.2}}
    truth = xr.DataArray(np.zeros((20, 30)), dims=("y", "x"), attrs=size)
    larger = xr.DataArray(np.zeros((40, 60)), dims=("y", "x"), attrs=size)
    with pytest.raises(RestorationError, match="cannot be compared"):
        alike(larger, truth)
