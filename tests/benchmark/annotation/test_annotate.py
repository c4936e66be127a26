"""Points and lines of several files in one, and points on their lines."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.annotation.annotate import annotate
from imaging import images
from imaging.annotations import read_annotations
from imaging.cli import UserError
from tests.benchmark.annotation.marked import imported
from tests.small_images import image

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "annotated"
DENDRITES = SHARED / "dendrites_two_photon"
# Two lines downwards, at x = 1 and 5 µm in planes 0 and 3, which are 6 µm apart.
LINES = "name,x_um,y_um,plane\n0,1,0,0\n0,1,9,0\n1,5,0,3\n1,5,9,3\n"


def files(folder: Path, points: str, lines: str = LINES) -> dict[str, Any]:
    (folder / "points.csv").write_text(points)
    (folder / "lines.csv").write_text(lines)
    return {
        "points": [f"spine={folder / 'points.csv'}"],
        "lines": [f"shaft={folder / 'lines.csv'}"],
        "line_column": "name",
    }


def test_a_point_stands_on_the_line_that_it_names(tmp_path: Path) -> None:
    points = "x_um,y_um,plane,name\n1,1,0,1\n1,1,0,0\n1,1,0,\n"
    found = imported(tmp_path, **files(tmp_path, points)).points
    assert [point.on for point in found] == ["shaft 1", "shaft 0", None]


def test_napari_names_lines_with_a_decimal_point(tmp_path: Path) -> None:
    points = "index,axis-0,axis-1,axis-2,name\n0.0,0.0,5.0,10.0,1.0\n"
    (point,) = imported(tmp_path, **files(tmp_path, points)).points
    assert point.on == "shaft 1"


def test_other_points_stand_on_the_nearest_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The second is 4 µm from line 0 across, and 2 µm from line 1 along the depth.
    points = "x_um,y_um,plane\n2.5,4.5,0\n5,4.5,2\n"
    found = imported(tmp_path, **files(tmp_path, points)).points
    assert [point.on for point in found] == ["shaft 0", "shaft 1"]
    assert "2 points put on the nearest line, at most 2.00 µm away." in capsys.readouterr().out


def test_a_line_that_no_file_has_is_refused(tmp_path: Path) -> None:
    options = files(tmp_path, "x_um,y_um,plane,name\n1,1,0,7\n")
    with pytest.raises(UserError, match=r"points\.csv, row 2: none of --lines has a line '7'"):
        imported(tmp_path, **options)


def test_two_lines_of_one_name_are_refused(tmp_path: Path) -> None:
    options = files(tmp_path, "x_um,y_um,plane\n1,1,0\n")
    (tmp_path / "more.csv").write_text(LINES)
    options["lines"].append(f"axon={tmp_path / 'more.csv'}")
    with pytest.raises(UserError, match=r"more\.csv, row 2: there is a line '0' in another file"):
        imported(tmp_path, **options)


def test_points_of_several_kinds_are_numbered_by_kind(tmp_path: Path) -> None:
    options = files(tmp_path, "x_um,y_um,plane\n1,1,0\n2,2,0\n")
    options["points"].append(options["points"][0].replace("spine", "bouton"))
    found = imported(tmp_path, **options).points
    assert [p.object for p in found] == ["spine 1", "spine 2", "bouton 1", "bouton 2"]


def test_the_nearest_line_needs_the_step_between_planes(tmp_path: Path) -> None:
    options = files(tmp_path, "x_um,y_um,plane\n1,1,0\n")
    stack = image("zyx", (4, 50, 80), pixel_size_um={"y": 0.2, "x": 0.1})
    images.write(tmp_path / "a.ome.tif", stack)
    with pytest.raises(UserError, match="does not state the step from plane to plane"):
        annotate(tmp_path / "a.ome.tif", out=tmp_path / "a.csv", **options)


def test_a_given_pixel_size_goes_before_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("x,y\n10,20\n")
    points = [f"spine={tmp_path / 'p.csv'}"]
    annotate_plane(tmp_path, points=points, unit="pixels", pixel_size=0.05)
    stated = image("yx", (50, 80), pixel_size_um={"y": 0.05, "x": 0.05})
    (point,) = read_annotations(tmp_path / "a.csv", stated).points
    assert (point.x_um, point.y_um) == (0.5, 1.0)


def annotate_plane(folder: Path, **options: Any) -> None:
    images.write(folder / "a.tif", image("yx", (50, 80)))
    arguments: dict[str, Any] = {"out": folder / "a.csv", **options}
    annotate(folder / "a.tif", **arguments)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"points": ["a=p.csv"], "out": Path("a.txt")}, r"a\.txt does not end in \.csv"),
        ({}, "There is nothing to take over"),
        ({"points": ["a=p.csv"]}, r"a\.tif: the image has no pixel size"),
        ({"points": ["a=p.csv"], "pixel_size": 0.0}, "--pixel-size 0 is no size"),
        ({"points": ["a=p.tsv"], "pixel_size": 0.1}, r"p\.tsv is none of \.csv, \.roi, \.zip and"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        annotate_plane(tmp_path, **options)


def test_a_kind_that_nobody_says_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("x_um,y_um\n1,2\n")
    with pytest.raises(UserError, match=r"give it as --points KIND=.*p\.csv"):
        annotate_plane(tmp_path, points=[str(tmp_path / "p.csv")], pixel_size=0.1)


@pytest.mark.skipif(not DENDRITES.is_dir(), reason="no example files here")
@pytest.mark.parametrize(("day", "spines"), [("day1", 133), ("day3", 156)])
def test_spines_of_dendrites_in_vivo_are_taken_over(tmp_path: Path, day: str, spines: int) -> None:
    stack, table = DENDRITES / f"{day}.tif", DENDRITES / f"{day}_spines.csv"
    annotate(
        stack,
        out=tmp_path / "a.csv",
        points=[f"spine={table}"],
        lines=[f"dendrite={DENDRITES / f'{day}_backbones.csv'}"],
        line_column="dendrite",
    )
    found = read_annotations(tmp_path / "a.csv", images.read(stack, lazy=True))
    assert len(found.points) == spines
    on = Counter(point.on for point in found.points)
    stated = pd.read_csv(table)["dendrite"].value_counts()
    assert on == {f"dendrite {number}": count for number, count in stated.items()}
