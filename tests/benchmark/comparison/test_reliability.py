from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from benchmark.comparison.reliability import LEVELS, SHARES, Reliability, measure_reliability
from benchmark.metrics import normalise
from benchmark.running.cell import CellFiles, CellKey
from imaging import images
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.files import sha256
from tests import records
from tests.benchmark import stand_ins

# Nothing is known of how it calibrates.
NET = records.package("net", control=True, interval_factors={"0.9": 1.645})


def dataset(tmp_path: Path, count: int, *, truth: bool = True) -> DatasetEntry:
    return entry(stand_ins.dataset(tmp_path / "data", count, truth=truth), count, truth)


def entry(folder: Path, count: int, truth: bool = True) -> DatasetEntry:
    entries = [
        records.image(
            f"{i:04}",
            source=f"specimen {i}",
            input=str(folder / f"input/{i:04}.tif"),
            target=str(folder / f"target/{i:04}.tif") if truth else "",
        )
        for i in range(count)
    ]
    return records.dataset("data", *entries, pixel_size_um=stand_ins.PIXEL_UM)


def measured(
    tmp_path: Path, *, factor: float = 1.0, count: int = 3, package: PackageEntry = NET
) -> Reliability | None:
    """Of a package whose errors are Gaussian, and whose std is a factor off."""
    data, results = dataset(tmp_path, count), CellFiles(tmp_path / "results")
    for i, image in enumerate(data.images):
        rng = np.random.default_rng(i)
        truth = normalise(images.read(Path(image.target)).values)
        std = rng.uniform(0.05, 0.2, truth.shape)
        channels = np.stack([truth + std * rng.normal(size=truth.shape), factor * std])
        restored = xr.DataArray(
            channels.astype(np.float32), dims=("c", "y", "x"), coords={"c": ["mean", "std"]}
        )
        images.write(results.prediction_file(CellKey("net", "data", image.name)), restored)
    return measure_reliability(data, package, results)


def test_a_right_std_lies_on_the_diagonals(tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert found is not None
    assert found.delivered.curve == pytest.approx(LEVELS, abs=0.02)
    assert all(seen == pytest.approx(stated, rel=0.2) for stated, seen in found.delivered.bins)


def test_a_std_that_is_too_small_by_half_shows(tmp_path: Path) -> None:
    found = measured(tmp_path, factor=0.5)
    assert found is not None
    assert found.own == (pytest.approx((0.9, 0.589), abs=0.02),)
    assert found.delivered.curve[LEVELS.index(0.9)] == pytest.approx(0.589, abs=0.02)
    assert found.delivered.pooled_ence == pytest.approx(1, abs=0.05)
    ratios = [seen / stated for stated, seen in found.delivered.bins]
    assert np.mean(ratios) == pytest.approx(2, rel=0.05)


def test_a_fit_on_other_specimens_mends_a_std_that_is_too_small(tmp_path: Path) -> None:
    found = measured(tmp_path, factor=0.5, count=4)
    assert found is not None
    assert found.refitted is not None
    assert found.refitted.pooled_ence < 0.05
    assert found.refitted.coverage == pytest.approx(SHARES, abs=0.02)


def test_one_specimen_leaves_nothing_to_fit_on(tmp_path: Path) -> None:
    found = measured(tmp_path, count=1)
    assert found is not None
    assert found.refitted is None


def test_a_stated_calibration_is_undone(tmp_path: Path) -> None:
    file = tmp_path / "net/rdf.yaml"
    file.parent.mkdir()
    curve = {"knots": [0.001, 1.0], "values": [0.002, 2.0]}
    content = {"config": {"restoration_zoo": {"calibration": curve}}}
    file.write_text(yaml.safe_dump(content))
    package = replace(NET, control=False, file=str(file.parent), sha256=sha256(file.parent))
    found = measured(tmp_path, package=package)
    assert found is not None
    assert found.network is not None
    assert found.delivered.pooled_ence < 0.1
    assert found.network.pooled_ence == pytest.approx(1, abs=0.1)
    assert found.network.coverage[1] == pytest.approx(0.589, abs=0.02)  # Φ of half of 1.645


def test_pixels_on_a_regular_grid_do_not_decide_what_is_guaranteed(tmp_path: Path) -> None:
    # Every fourth column of a large image errs less, as after an interpolation.
    side, results = 512, CellFiles(tmp_path / "results")
    folder = stand_ins.dataset(tmp_path / "data", 1, side=side)
    data = entry(folder, 1)
    truth = normalise(images.read(folder / "target/0000.tif").values)
    error = np.where(np.arange(side) % 4 == 0, 0.3, 1.0) * np.ones((side, side))
    channels = np.stack([truth + error, np.ones((side, side))]).astype(np.float32)
    restored = xr.DataArray(channels, dims=("c", "y", "x"), coords={"c": ["mean", "std"]})
    images.write(results.prediction_file(CellKey("net", "data", "0000")), restored)
    found = measure_reliability(data, NET, results)
    assert found is not None
    share = found.delivered.curve[LEVELS.index(0.5)]  # holds errors below 0.67
    assert share == pytest.approx(0.25, abs=0.02)


def test_a_package_that_states_no_deviation_somewhere_promises_nothing(tmp_path: Path) -> None:
    data, results = dataset(tmp_path, 30), CellFiles(tmp_path / "results")
    for i, image in enumerate(data.images):
        truth = normalise(images.read(Path(image.target)).values)
        std = np.full(truth.shape, 0.0 if i == 0 else 0.1)
        channels = np.stack([truth + 0.05, std]).astype(np.float32)
        restored = xr.DataArray(channels, dims=("c", "y", "x"), coords={"c": ["mean", "std"]})
        images.write(results.prediction_file(CellKey("net", "data", image.name)), restored)
    found = measure_reliability(data, NET, results)
    assert found is not None
    assert found.guaranteed == "net states no usable deviation on some images."


def test_a_blank_truth_is_not_the_package_s_fault(tmp_path: Path) -> None:
    data, results = dataset(tmp_path, 31), CellFiles(tmp_path / "results")
    stand_ins.save(Path(data.images[0].target), np.zeros((64, 64), np.float32))
    for i, image in enumerate(data.images):
        values = images.read(Path(image.target)).values
        truth = normalise(values) if i else values
        std = np.full(truth.shape, 0.1)
        error = std * np.random.default_rng(i).normal(size=truth.shape)
        channels = np.stack([truth + error, std]).astype(np.float32)
        restored = xr.DataArray(channels, dims=("c", "y", "x"), coords={"c": ["mean", "std"]})
        images.write(results.prediction_file(CellKey("net", "data", image.name)), restored)
    found = measure_reliability(data, NET, results)
    assert found is not None
    assert isinstance(found.guaranteed, float)


def test_a_restoration_of_another_size_is_left_out(tmp_path: Path) -> None:
    data, results = dataset(tmp_path, 1), CellFiles(tmp_path / "results")
    restored = xr.DataArray(
        np.ones((2, 20, 64), np.float32), dims=("c", "y", "x"), coords={"c": ["mean", "std"]}
    )
    images.write(results.prediction_file(CellKey("net", "data", "0000")), restored)
    assert measure_reliability(data, NET, results) is None


def test_few_images_promise_nothing_and_say_why(tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert found is not None
    assert isinstance(found.guaranteed, str)
    assert found.width == 0


def test_enough_images_give_intervals_with_a_guarantee(tmp_path: Path) -> None:
    found = measured(tmp_path, count=30)
    assert found is not None
    assert isinstance(found.guaranteed, float)
    assert 1.64 < found.guaranteed < 4  # 90 % of a Gaussian, and a margin for so few images
    assert found.width == pytest.approx(2 * found.guaranteed * 0.125, rel=0.02)


def test_without_truth_there_is_nothing_to_compare(tmp_path: Path) -> None:
    data = dataset(tmp_path, 1, truth=False)
    assert measure_reliability(data, NET, CellFiles(tmp_path / "results")) is None


def test_a_package_that_states_none_has_none(tmp_path: Path) -> None:
    data, results = dataset(tmp_path, 1), CellFiles(tmp_path / "results")
    only = xr.DataArray(np.zeros((64, 64), np.float32), dims=("y", "x"))
    images.write(results.prediction_file(CellKey("net", "data", "0000")), only)
    assert measure_reliability(data, NET, results) is None
