from pathlib import Path

import numpy as np
import pytest

from benchmark.comparison.ring_curves import RingCurve, measure_ring_curve
from benchmark.metrics.ring_correlation import ring_correlation
from benchmark.running.cell import CellFiles, CellKey
from imaging import images
from imaging.benchmark_run import DatasetEntry
from tests import records
from tests.benchmark import stand_ins

NET = records.package("net")


def dataset(folder: Path, count: int) -> DatasetEntry:
    stand_ins.dataset(folder, count)
    entries = [
        records.image(
            f"{i:04}",
            input=str(folder / f"input/{i:04}.tif"),
            target=str(folder / f"target/{i:04}.tif"),
        )
        for i in range(count)
    ]
    return records.dataset("d", *entries)


def test_the_curve_is_the_mean_of_ring_correlations_with_the_truth(tmp_path: Path) -> None:
    data, results = dataset(tmp_path / "d", 2), CellFiles(tmp_path / "results")
    expected: list[np.ndarray] = []
    for image in data.images:
        restored = images.read(Path(image.input))
        images.write(results.prediction_file(CellKey("net", "d", image.name)), restored)
        truth = images.read(Path(image.target)).values
        curve = ring_correlation(restored.values, truth)
        expected.append(np.interp(np.linspace(0, 0.5, 60), curve.frequency, curve.correlation))
    found = measure_ring_curve(data, NET, results, "truth")
    assert found is not None
    np.testing.assert_allclose(found.correlation, np.mean(expected, axis=0), atol=1e-6)
    assert measure_ring_curve(data, NET, results, "repeat") is None


def test_a_repeat_is_what_was_restored_from_it(tmp_path: Path) -> None:
    data, results = dataset(tmp_path / "d", 1), CellFiles(tmp_path / "results")
    restored = images.read(Path(data.images[0].input))
    place = CellKey("net", "d", "0000")
    images.write(results.prediction_file(place), restored)
    images.write(results.repeat_file(place), 3 * restored + 1)
    found = measure_ring_curve(data, NET, results, "repeat")
    assert found is not None
    assert found.correlation.min() > 0.99


def test_without_restored_images_there_is_no_curve(tmp_path: Path) -> None:
    data = dataset(tmp_path / "d", 1)
    assert measure_ring_curve(data, NET, CellFiles(tmp_path / "results"), "truth") is None


@pytest.mark.parametrize(("threshold", "at"), [(0.5, 0.25), (-1.0, np.inf), (2.0, 0.0)])
def test_where_a_curve_falls_below_a_threshold(threshold: float, at: float) -> None:
    frequency = np.linspace(0, 0.5, 11)
    assert RingCurve("", frequency, 1 - 2 * frequency).crossing(threshold) == pytest.approx(at)
