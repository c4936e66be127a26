from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmark.metrics import METRICS, MetricInputs, NotApplicable, normalise
from benchmark.running.planes import judging_sample, metric_inputs
from imaging import images
from imaging.dataset_facts import Facts, write_facts
from imaging.datasets import open_dataset
from imaging.scores import Delivery
from tests.benchmark import stand_ins


def known(
    tmp_path: Path, channels: list[str], *, truth: bool = True, side: int = 64
) -> MetricInputs:
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
    (plane,) = metric_inputs(restored, data.items[0], {"0.9": 1.5})
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
    sample = judging_sample(known(tmp_path, ["mean", "std", "sample"]))
    assert sample is not None
    assert float(np.mean(sample["prediction"])) == 2
    assert isinstance(sample["std"], NotApplicable)


def test_without_a_channel_sample_there_is_none(tmp_path: Path) -> None:
    assert judging_sample(known(tmp_path, ["mean", "std"])) is None


def of_stack(tmp_path: Path, delivery: Delivery, *, volumes: int = 1) -> list[MetricInputs]:
    """What is known of stacks that get darker with depth, which a package leaves as they are."""
    rng = np.random.default_rng(0)
    levels = np.outer(10.0 ** np.arange(volumes), [1.0, 0.5, 0.0])[..., None, None]
    stack = xr.DataArray(5 + levels * rng.random((volumes, 3, 32, 32)), dims=("b", "z", "y", "x"))
    for kind in ("input", "target"):
        images.write(tmp_path / f"data/{kind}/a.ome.tif", stack)
    (item,) = open_dataset(tmp_path / "data").items
    over = {"volumes": ("z", "y", "x"), "planes": ("y", "x")}.get(delivery, ("b", "z", "y", "x"))
    seen = stack
    if delivery != "planes":
        seen = stack.where(stack.std(("y", "x")) > 0)  # blank planes have no part in a shared scale
    low, high = (seen.quantile(q / 100, over) for q in (2, 99.8))
    with np.errstate(invalid="ignore"):
        restored = ((stack - low) / (high - low)).fillna(0).transpose("b", "z", "y", "x")
    channels = xr.concat([restored, restored * 0 + 0.1], "c").assign_coords(c=["mean", "std"])
    if volumes == 1:
        channels = channels.isel(b=0)  # as files hold it
    return metric_inputs(channels, item, {}, delivery=delivery)


@pytest.mark.parametrize("volumes", [1, 2])
@pytest.mark.parametrize("delivery", ["planes", "volumes", "image", "part"])
def test_a_package_that_does_nothing_is_perfect_on_its_own_input(
    tmp_path: Path, delivery: Delivery, volumes: int
) -> None:
    planes = of_stack(tmp_path, delivery, volumes=volumes)
    assert len(planes) == 2 * volumes  # those without structure are left out
    for plane in planes:
        np.testing.assert_allclose(plane["delivered"], plane["truth"], atol=1e-6)
        assert np.percentile(plane["truth"], [2, 99.8]) == pytest.approx([0, 1])


def test_a_deviation_comes_to_the_scale_of_planes_too(tmp_path: Path) -> None:
    bright, dim = (float(np.mean(plane["std"])) for plane in of_stack(tmp_path, "image"))
    assert dim == pytest.approx(2 * bright, rel=0.05)  # half the light, twice the share


def test_what_has_a_scale_of_its_own_is_not_compared_without_a_fit(tmp_path: Path) -> None:
    plane = of_stack(tmp_path, "own")[0]
    for name in ("psnr", "mae", "ssim", "crps", "width_90"):
        with pytest.raises(NotApplicable, match="scale of its own"):
            METRICS[name].of(plane)
    assert METRICS["si_psnr_a"].of(plane) > 60


def test_a_sample_on_a_scale_of_its_own_is_not_compared_without_a_fit(tmp_path: Path) -> None:
    data = open_dataset(stand_ins.dataset(tmp_path / "data", 1))
    values = np.random.default_rng(0).random((2, stand_ins.SIDE, stand_ins.SIDE))
    restored = xr.DataArray(values, dims=("c", "y", "x"), coords={"c": ["mean", "sample"]})
    (plane,) = metric_inputs(restored, data.items[0], {}, delivery="own")
    sample = judging_sample(plane)
    assert sample is not None
    with pytest.raises(NotApplicable, match="scale of its own"):
        METRICS["psnr"].of(sample)


def test_the_dataset_says_what_the_files_do_not(tmp_path: Path) -> None:
    for kind in ("input", "target"):
        plane = xr.DataArray(np.random.default_rng(0).random((32, 32)), dims=("y", "x"))
        images.write(tmp_path / kind / "a.tif", plane)
    write_facts(tmp_path, Facts(pixel_size_um=0.2, tolerance_um=0.7))
    (item,) = open_dataset(tmp_path).items
    restored = xr.DataArray(np.ones((32, 32)), dims=("y", "x"))
    (plane,) = metric_inputs(restored, item, {})
    assert (plane["pixel_um"], plane["tolerance_um"]) == (0.2, 0.7)
