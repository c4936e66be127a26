"""What is measured on planted spines is known, and liars are caught."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmark.objects.marked_points import COLUMNS, Objects
from benchmark.objects.measure import measure_objects
from benchmark.running.cell import CellFiles
from imaging.annotations import Annotations, Point
from tests import records
from tests.benchmark.objects import planted
from tests.benchmark.objects.planted import Planes


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Planes], Objects]:
    """Measure what a package made of the recording."""
    folder = tmp_path_factory.mktemp("marks")
    dataset, results = planted.dataset(folder), CellFiles(folder / "results")

    def measure(restored: Planes) -> Objects:
        planted.restore(results, restored)
        found = measure_objects(dataset, [records.package("net")], results)
        assert found.reasons == []
        return found.points[0]

    return measure


def test_what_is_counted(measured: Callable[[Planes], Objects]) -> None:
    found = measured(planted.recorded())
    assert (found.kind, found.images, found.marks, found.lines) == ("spine", 1, 30, 2)
    assert found.controls == (~found.table["object"].isna() & found.table["control"]).sum() / 2


def test_the_input_again_leads_by_nothing(measured: Callable[[Planes], Objects]) -> None:
    lead = measured(3 * planted.recorded() - 7).found[1].lead
    assert lead is not None
    assert lead.detectability.value == pytest.approx(0, abs=1e-6)
    assert lead.kept.value == 0


def test_the_truth_is_told_perfectly(measured: Callable[[Planes], Objects]) -> None:
    ours = measured(planted.truth()).found[1].detection
    assert ours.detectability.value == 1.0
    assert ours.false.value == 0.0


def test_better_images_lead(measured: Callable[[Planes], Objects]) -> None:
    lead = measured(ndimage.gaussian_filter(planted.truth(), (0, 1, 1))).found[1].lead
    assert lead is not None
    assert lead.detectability.low is not None
    assert lead.detectability.low > 0.05


def test_noise_sharpened_into_spots_is_caught(measured: Callable[[Planes], Objects]) -> None:
    image = planted.recorded()
    smooth = ndimage.gaussian_filter(image, (0, 1.5, 1.5))
    peaks = (smooth == ndimage.maximum_filter(smooth, (1, 7, 7))) & (smooth > np.median(smooth))
    spots = 100 * ndimage.gaussian_filter(peaks.astype(float), (0, 1.5, 1.5)) * 14
    caught = measured(image + spots).found[1]
    assert caught.lead is not None
    assert caught.lead.detectability.high is not None
    assert caught.lead.detectability.high < 0
    assert caught.detection.false.value > 0.5


def test_erasing_what_is_dim_is_caught(measured: Callable[[Planes], Objects]) -> None:
    smooth = ndimage.gaussian_filter(planted.recorded(), (0, 2, 2))
    erased = np.where(smooth > 120, smooth, 100.0)
    caught = measured(erased).found[1]
    assert caught.lead is not None
    assert caught.lead.detectability.value < -0.1
    assert caught.detection.kept.value == 0.0


def test_spots_painted_along_every_shaft_are_caught(
    measured: Callable[[Planes], Objects],
) -> None:
    painted = planted.truth()
    for row in planted.SHAFTS:
        for side in (-planted.AWAY, planted.AWAY):
            for column in range(6, 394, 8):
                spot = np.s_[0, row + side - 2 : row + side + 3, column - 2 : column + 3]
                painted[spot] = 0.5
    caught = measured(ndimage.gaussian_filter(painted, (0, 1, 1))).found[1]
    assert caught.lead is not None
    assert caught.lead.detectability.low is not None
    assert caught.lead.detectability.low < 0
    assert caught.detection.false.value > 0.5


def test_every_place_stands_in_the_table(measured: Callable[[Planes], Objects]) -> None:
    table = measured(planted.recorded()).table
    assert tuple(table.columns) == COLUMNS
    assert set(table["package"]) == {"input", "net"}
    restored = table[table["package"] == "net"]
    np.testing.assert_allclose(restored["brightness"], restored["in_input"], atol=1e-5)


def test_a_package_that_restored_nothing_is_left_out(tmp_path: Path) -> None:
    found = measure_objects(
        planted.dataset(tmp_path), [records.package("net")], CellFiles(tmp_path / "results")
    )
    assert found.points[0].absent == {"net": "It has not restored field."}


def test_controls_stand_beside_packages(tmp_path: Path) -> None:
    dataset, results = planted.dataset(tmp_path), CellFiles(tmp_path / "results")
    planted.restore(results, planted.truth(), "richardson_lucy")
    controls = [
        records.package(name, control=True, delivery="part")
        for name in ("input", "bicubic", "richardson_lucy")
    ]
    (found,) = measure_objects(dataset, controls, results).points
    assert [one.name for one in found.found] == ["input", "richardson_lucy"]
    assert found.absent == {}  # why bicubic has nothing to say is told beside its scores


def test_planes_of_an_earlier_version_are_not_compared(tmp_path: Path) -> None:
    dataset, results = planted.dataset(tmp_path, planes=2), CellFiles(tmp_path / "results")
    planted.restore(results, np.repeat(planted.truth(), 2, axis=0), "richardson_lucy")
    control = records.package("richardson_lucy", control=True, delivery="planes")
    (found,) = measure_objects(dataset, [control], results).points
    assert "stored each of its planes on a scale of its own" in found.absent["richardson_lucy"]


def test_points_beside_no_line_say_so(tmp_path: Path) -> None:
    alone = planted.dataset(tmp_path, Annotations((Point("one", "spine", 3.0, 3.0),)))
    found = measure_objects(alone, [], CellFiles(tmp_path))
    assert found.points == []
    assert found.reasons == ["field: No point stands beside a line: `on` names the line of each."]
