import re
from pathlib import Path

import pytest

from benchmark.objects.measure import Measured, measure_objects
from benchmark.page.objects_told import HEADINGS, ObjectsTold, tell_objects
from benchmark.running.cell import CellFiles
from tests import records
from tests.benchmark.objects import planted


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> ObjectsTold:
    """What the page says of a package that erased every second spine of the truth."""
    folder = tmp_path_factory.mktemp("told")
    dataset, results = planted.dataset(folder), CellFiles(folder / "results")
    erased = planted.truth()
    for column in planted.SPINES[::2]:
        for row in planted.SHAFTS:
            erased[0, row + 5 : row + 20, column - 4 : column + 5] = 0
    planted.restore(results, erased)
    found = measure_objects(dataset, [records.package("net")], results)
    return tell_objects(found.points, dataset, results)[0]


def test_marks_and_control_points_are_counted(told: ObjectsTold) -> None:
    assert told.about.startswith("30 marks beside 2 lines in 1 image, and 300 control points")


def test_the_input_stands_first_and_leads_nobody(told: ObjectsTold) -> None:
    assert [row[0] for row in told.rows] == ["input", "net"]
    assert {len(row) for row in told.rows} == {len(HEADINGS)}
    assert told.rows[0][2] == ""


def test_two_lines_prove_nothing(told: ObjectsTold) -> None:
    assert told.finding.startswith("2 lines cannot show that a package is ahead of the input")


def test_who_makes_objects_of_nothing_and_loses_marks_is_named(tmp_path: Path) -> None:
    """Spots along both sides of every shaft, in every other package nothing but the shafts."""
    dataset, results = planted.dataset(tmp_path), CellFiles(tmp_path / "results")
    spots, bare = planted.recorded(), planted.truth()
    for row in planted.SHAFTS:
        for side in (-planted.AWAY, planted.AWAY):
            spots[0, row + side - 2 : row + side + 3, 4:396:8] = 400
    bare[bare < 1] = 0
    planted.restore(results, spots, "painter")
    planted.restore(results, bare, "eraser")
    packages = [records.package(name) for name in ("painter", "eraser")]
    found = measure_objects(dataset, packages, results).points
    finding = tell_objects(found, dataset, results)[0].finding
    assert "painter makes objects of 100 % of the control points, the input of 5 %." in finding
    assert "eraser keeps 0 % of the marks, the input" in finding
    assert re.search("In these lines .*eraser shows? them worse than the input", finding)
    assert "painter keeps" not in finding
    assert "eraser makes" not in finding


def test_what_became_of_marks_adds_up(told: ObjectsTold) -> None:
    counts = {
        outcome: int(number)
        for outcome, number in re.findall(
            r"(kept|lost|gained): (\d+) of 30 marks", told.galleries["net"]
        )
    }
    kept = float(told.rows[1][4].partition(" ")[0]) / 100
    assert counts["kept"] + counts["gained"] == round(kept * 30)
    assert counts["lost"] > 0


def test_nothing_was_invented(told: ObjectsTold) -> None:
    assert "invented: 0 of 300 control points" in told.galleries["net"]


def test_each_example_shows_the_input_and_the_package(
    told: ObjectsTold,
) -> None:
    assert told.galleries["net"].count("<image") == told.galleries["net"].count("<circle") > 0
    assert told.galleries["net"].count("<image") % 2 == 0


def test_without_annotations_nothing_is_told(tmp_path: Path) -> None:
    dataset = records.dataset("day", records.image("field"))
    found = measure_objects(dataset, [records.package("net")], CellFiles(tmp_path))
    assert found == Measured([], [], [])
