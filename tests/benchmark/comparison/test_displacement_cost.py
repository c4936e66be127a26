"""Known restorations against truths that are displaced by known amounts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.comparison.displacement_cost import (
    LARGEST_GAIN_DB,
    SCORES,
    WithoutDisplacement,
    measure_displacement,
    without_displacement,
)
from benchmark.metrics import METRICS, normalise
from benchmark.page.displacement_told import tell_displacement
from benchmark.running.cell import CellFiles, CellKey
from imaging.benchmark_run import DatasetEntry, ImageEntry, PackageEntry
from tests.benchmark import stand_ins
from tests.benchmark.metrics.acquisitions import blurred, curves

Plane = NDArray[np.float64]
SIDE, IMAGES, ERRORS, ERROR_PX = 96, 6, 6, 0.8
Measured = tuple[DatasetEntry, dict[str, WithoutDisplacement], dict[tuple[str, str], float]]
METHODS = ("sharp", "blurred", "truth")


def bends(seed: int) -> Plane:
    """A smooth random displacement, (2, y, x)."""
    noise = np.random.default_rng(seed).normal(size=(2, SIDE, SIDE))
    smooth = ndimage.gaussian_filter(noise, (0, 12, 12))
    return ERROR_PX * smooth / smooth.std()


def displaced(image: Plane, field: Plane) -> Plane:
    at = np.indices(image.shape) + field
    return ndimage.map_coordinates(image, at, order=3, mode="reflect")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """What is found of restorations, and the scores that they have against the exact truth."""
    folder = tmp_path_factory.mktemp("displaced")
    results = CellFiles(folder / "results")
    exact: dict[tuple[str, str], list[float]] = {}
    entries: list[ImageEntry] = []
    for number in range(IMAGES):
        noise = np.random.default_rng(number).normal(0, 0.02, (SIDE, SIDE))
        scene = blurred(curves(SIDE, number) + 0.1 * noise, 1.5)
        first = bends(number)
        truth = displaced(scene, first)
        beside = [displaced(scene, first + bends(100 + ERRORS * number + i)) for i in range(ERRORS)]
        made = {
            "sharp": scene + noise,
            "blurred": blurred(scene, 2),
            "truth": truth,
        }
        name = f"{number}"
        files = {
            "input": stand_ins.save(folder / "input" / f"{name}.tif", _floats(scene)),
            "target": stand_ins.save(folder / "target" / f"{name}.tif", _floats(truth)),
            "displaced": stand_ins.save(
                folder / "displaced" / f"{name}.tif", _floats(np.stack(beside))
            ),
        }
        for method, plane in made.items():
            place = CellKey(method, "cells", name)
            stand_ins.save(results.prediction_file(place), _floats(normalise(plane)))
            for metric in SCORES:
                score = METRICS[metric](normalise(scene), plane)
                exact.setdefault((method, metric), []).append(score)
        paths: dict[str, Any] = {kind: str(file) for kind, file in files.items()}
        entries.append(
            ImageEntry(
                name=name,
                source=name,
                input_sha256="",
                target_sha256="",
                repeat="",
                repeat_sha256="",
                **paths,
            )
        )
    dataset = DatasetEntry(
        "cells",
        "",
        "",
        "",
        None,
        None,
        "registered",
        {entry.name: {"error_um": 0.1} for entry in entries},
        {},
        "all",
        entries,
    )
    packages = [
        PackageEntry(name, name, name == "truth", "", "", "", {}, "planes", {}) for name in METHODS
    ]
    found = {one.name: one for one in measure_displacement(dataset, packages, results)}
    known = {key: float(np.mean(scores)) for key, scores in exact.items()}
    return dataset, found, known


def _floats(plane: Plane) -> NDArray[np.float32]:
    return plane.astype(np.float32)


@pytest.mark.parametrize("method", ["sharp", "blurred"])
@pytest.mark.parametrize("metric", SCORES)
def test_the_exact_score_is_within_the_interval(
    measured: Measured, method: str, metric: str
) -> None:
    _, found, known = measured
    _, low, high = found[method].freed[metric]
    assert low <= known[method, metric] <= high


def test_as_scored_a_sharp_restoration_is_visibly_wrong(
    measured: Measured,
) -> None:
    _, found, known = measured
    exact, scored = known["sharp", "si_psnr_a"], found["sharp"].scored["si_psnr_a"]
    assert scored < exact - 3
    assert exact - scored > 2 * abs(exact - found["sharp"].freed["si_psnr_a"][0])


def test_the_truth_is_scored_as_if_it_were_a_restoration(measured: Measured) -> None:
    _, found, known = measured
    ceiling = found["truth"].scored
    assert next(iter(found)) == "truth"
    assert ceiling["si_psnr_a"] < known["sharp", "si_psnr_a"]
    assert 0.3 < ceiling["ssim_affine"] < 1


def test_the_page_says_what_distortion_alone_costs(measured: Measured) -> None:
    dataset, found, _ = measured
    told = tell_displacement(list(found.values()), dataset)
    assert "beside the input by about 0.1 µm" in told.finding
    assert "not restoration" in told.finding
    assert f"{found['truth'].scored['si_psnr_a']:.2f} dB" in told.finding
    assert [row[0] for row in told.table.rows] == ["perfect restoration", "sharp", "blurred"]
    assert told.table.rows[1][1] == f"{found['sharp'].scored['si_psnr_a']:.2f}"


def test_without_displaced_truths_nothing_is_said(tmp_path: Path, measured: Measured) -> None:
    dataset, _, _ = measured
    plain = replace(dataset, images=[replace(image, displaced="") for image in dataset.images])
    packages = [PackageEntry("truth", "", True, "", "", "", {}, "planes", {})]
    found = measure_displacement(plain, packages, CellFiles(tmp_path))
    assert found == []
    assert tell_displacement(found, plain).table.rows == []


def test_squared_errors_add_up() -> None:
    # 0.1 of own error and 0.2 of displacement, squared: 10 dB without, 0.3 and 0.5 as scored.
    scored, again = (-10 * np.log10(of) for of in (0.3, 0.5))
    assert without_displacement(scored, np.array([again]), "si_psnr_a") == pytest.approx(10)


def test_what_is_all_displacement_is_not_called_perfect() -> None:
    freed = without_displacement(20.0, np.array([10.0]), "si_psnr_a")
    assert freed == pytest.approx(20 + LARGEST_GAIN_DB)
