"""What the page says of traced lines and drawn masks."""

from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label

from benchmark.objects.measure import measure_objects
from benchmark.page.judged_told import JudgedTold, tell_judged
from benchmark.running.cell import CellFiles
from tests import records
from tests.benchmark.objects import planted

GAP, LENGTH = 40, 387  # pixels, of each shaft


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[JudgedTold]:
    """What is told of a package that cuts every shaft and erases every other mask."""
    folder = tmp_path_factory.mktemp("told")
    mask = np.asarray(label(planted.truth()[0] > 0))
    dataset = planted.dataset(folder, mask=mask)
    broken = planted.truth()
    broken[0, :, 200 : 200 + GAP] = 0
    results = CellFiles(folder / "results")
    planted.restore(results, broken)
    assert mask.max() == len(planted.SHAFTS) * (len(planted.SPINES) + 1)
    return tell_judged(measure_objects(dataset, [records.package("net")], results).judged)


def cell(of: JudgedTold, package: str, heading: str) -> str:
    (row,) = (row for row in of.rows if row[0] == package)
    return row[of.headings.index(heading)]


def test_lines_and_masks_have_a_table_each(told: list[JudgedTold]) -> None:
    assert [of.title for of in told] == ["Traced lines: shaft", "Drawn masks"]
    assert [of.about.partition(".")[0] for of in told] == [
        "2 lines in 1 image",
        "32 objects in 1 image",
    ]


def test_the_cut_is_told_in_percent(told: list[JudgedTold]) -> None:
    share = float(cell(told[0], "net", "Continuity ↑ %").partition(" ")[0])
    assert share == pytest.approx(100 * (1 - GAP / LENGTH), abs=0.5)


def test_one_break_in_each_line_is_told_per_length(told: list[JudgedTold]) -> None:
    breaks = float(cell(told[0], "net", "Breaks ↓ per 100 µm").partition(" ")[0])
    assert breaks == pytest.approx(100 / (LENGTH * planted.PIXEL), abs=0.01)


def test_lines_that_are_far_apart_have_no_bridges(told: list[JudgedTold]) -> None:
    assert not any(heading.startswith("Bridges") for heading in told[0].headings)
    assert "no two of these lines run 1 to 4 µm apart" in told[0].caption


def test_two_lines_prove_nothing(told: list[JudgedTold]) -> None:
    assert told[0].finding.startswith("2 lines cannot show that a package is ahead")


def test_the_input_leads_nobody(told: list[JudgedTold]) -> None:
    for of in told:
        assert of.rows[0][0] == "input"
        assert of.rows[0][2] == ""


def test_who_is_told_from_the_input_is_named(told: list[JudgedTold]) -> None:
    assert "more separation in net" in told[1].finding


def test_objects_of_one_image_are_said_to_be_few(told: list[JudgedTold]) -> None:
    assert "Objects of one image are not independent" in told[1].caption


def test_dark_objects_are_said_to_be_dark(tmp_path: Path) -> None:
    mask = np.asarray(label(planted.truth()[0] == 0))
    mask[:, :40] = 0
    mask[:, -40:] = 0
    dataset = planted.dataset(tmp_path, mask=mask)
    (found,) = measure_objects(dataset, [], CellFiles(tmp_path)).judged[1:]
    assert "darker than what surrounds them" in tell_judged([found])[0].caption
    assert np.isfinite(found.scores["input"]["separation"].value.value)
