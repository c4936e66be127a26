"""Data for super-resolution: the truth has finer pixels than the input; dataset.toml says so."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from benchmark.metrics import METRICS
from benchmark.page.views import make_views
from benchmark.running import cell
from benchmark.running.cell import CellFiles
from benchmark.running.controls import input as unrestored
from benchmark.running.items import item_of
from benchmark.running.planes import metric_inputs
from benchmark.running.run import run_benchmark
from imaging import images
from imaging.datasets import open_dataset
from imaging.files import write_toml
from imaging.resample import linear
from imaging.results import Scores

SIDE, COARSE_UM, FINE_UM = 128, 0.1, 0.05


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Blobs at half the truth's resolution, in files that say no pixel size."""
    target = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(SIDE, SIDE)), 4)
    coarse = linear(target, (SIDE // 2, SIDE // 2))
    for folder, values in (("input", coarse), ("target", target)):
        image = xr.DataArray(values.astype(np.float32), dims=("y", "x"))
        images.write(tmp_path / "data" / folder / "0000.tif", image)
    facts = {"pixel_size_um": COARSE_UM, "target_pixel_size_um": FINE_UM, "tolerance_um": 0.2}
    write_toml(tmp_path / "data/dataset.toml", facts)
    return tmp_path / "data"


def test_the_input_is_compared_on_the_grid_of_the_truth(data: Path) -> None:
    item = open_dataset(data).items[0]
    (plane,) = metric_inputs(unrestored(item), item, {})
    assert np.shape(plane["prediction"]) == np.shape(plane["truth"]) == (SIDE, SIDE)
    assert METRICS["si_psnr_a"].of(plane) > 30


def test_lengths_are_measured_in_pixels_of_the_truth(data: Path) -> None:
    item = open_dataset(data).items[0]
    (plane,) = metric_inputs(unrestored(item), item, {})
    assert plane["pixel_um"] == FINE_UM


@pytest.fixture
def scores(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scores:
    monkeypatch.setattr(cell, "METRICS", {"si_psnr_a": METRICS["si_psnr_a"]})
    return run_benchmark([], [data], tmp_path / "results")


def test_a_run_scores_the_input(scores: Scores) -> None:
    of_input = scores.table[scores.table["package"] == "input"]
    assert "si_psnr_a" in set(of_input["metric"])


def test_a_page_reads_the_truth_as_the_run_did(scores: Scores) -> None:
    (dataset,) = scores.run.datasets
    target = item_of(dataset.images[0], dataset).read_target()
    assert target is not None
    assert target.attrs["pixel_size_um"] == {"y": FINE_UM, "x": FINE_UM}


def test_scale_bars_are_of_the_truth(scores: Scores, tmp_path: Path) -> None:
    (dataset,) = scores.run.datasets
    results = CellFiles(tmp_path / "results")
    (view,) = make_views(dataset, scores, results, {"0000": "first"}, 64, 64).planes
    assert view.bar_um / (view.bar_percent / 100) == pytest.approx(64 * FINE_UM)
