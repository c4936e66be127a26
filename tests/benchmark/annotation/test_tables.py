"""Plain tables, and tables as napari 0.6.6 wrote them of layers with these coordinates."""

from pathlib import Path

import pytest

from imaging.annotations import Annotations
from imaging.cli import UserError
from tests.benchmark.annotation.marked import imported

POINTS = "index,axis-0,axis-1,axis-2,dendrite\n0.0,2.0,20.0,10.0,0.0\n1.0,0.0,40.25,30.5,1.0\n"
NAMED = "index,axis-0,axis-1,kind\n0,20.0,10.0,spine\n1,40.25,30.5,bouton\n"
SHAPES = """index,shape-type,vertex-index,axis-0,axis-1,axis-2
0,path,0,2.0,20.0,10.0
0,path,1,2.0,40.25,30.5
0,path,2,3.0,41.0,31.0
1,line,0,1.0,2.0,3.0
1,line,1,1.0,4.0,5.0
2,rectangle,0,0.0,0.0,0.0
2,rectangle,1,0.0,0.0,5.0
2,rectangle,2,0.0,5.0,5.0
2,rectangle,3,0.0,5.0,0.0
"""
LINES = "name,x_um,y_um,plane\nb,1,1,0\na,2,1,0\nb,1,3,1\na,2,3,0\n"


def file(folder: Path, text: str, name: str = "a.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def points_of(folder: Path, text: str, dims: str = "zyx", **options: str) -> Annotations:
    return imported(folder, dims, points=[f"spine={file(folder, text)}"], **options)


def places(found: Annotations) -> list[tuple[float, float, int]]:
    return [(point.x_um, point.y_um, point.plane) for point in found.points]


def test_points_of_napari_are_planes_rows_and_columns(tmp_path: Path) -> None:
    assert places(points_of(tmp_path, POINTS)) == [(1.0, 4.0, 2), (3.05, 8.05, 0)]


def test_points_of_napari_may_be_in_um(tmp_path: Path) -> None:
    text = "index,axis-0,axis-1,axis-2\n0.0,4.0,3.0,1.5\n"
    assert places(points_of(tmp_path, text, unit="um")) == [(1.5, 3.0, 2)]


def test_a_column_of_napari_may_say_what_is_marked(tmp_path: Path) -> None:
    found = imported(tmp_path, "yx", points=[str(file(tmp_path, NAMED))])
    assert [point.object for point in found.points] == ["spine 1", "bouton 1"]


def test_paths_and_lines_of_napari_are_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, line = imported(tmp_path, lines=[f"shaft={file(tmp_path, SHAPES)}"]).lines
    assert path.x_um.tolist() == [1.0, 3.05, 3.1]
    assert path.y_um.tolist() == [4.0, 8.05, 8.2]
    assert path.plane.tolist() == [2, 2, 3]
    assert (line.object, line.x_um.tolist()) == ("shaft 2", [0.3, 0.5])
    assert "1 rectangle not taken as lines." in capsys.readouterr().out


def test_rows_of_one_name_are_a_line_in_their_order(tmp_path: Path) -> None:
    lines = [f"shaft={file(tmp_path, LINES)}"]
    first, second = imported(tmp_path, lines=lines, line_column="name").lines
    assert (first.object, first.y_um.tolist(), first.plane.tolist()) == ("shaft b", [1, 3], [0, 1])
    assert (second.object, second.x_um.tolist()) == ("shaft a", [2, 2])


def test_a_table_without_names_is_one_line(tmp_path: Path) -> None:
    text = "x_um,y_um,plane\n1,1,0\n2,1,0\n3,3,1\n"
    (line,) = imported(tmp_path, lines=[f"shaft={file(tmp_path, text)}"]).lines
    assert line.x_um.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "unit", "place"),
    [
        ("x,y,plane\n10,20,3\n", "pixels", (1.0, 4.0, 3)),
        ("x,y,z\n10,20,3\n", "pixels", (1.0, 4.0, 3)),
        ("x,y,plane\n1.5,2.5,3\n", "um", (1.5, 2.5, 3)),
        ("x,y,z\n1.5,2.5,4.4\n", "um", (1.5, 2.5, 2)),
        ("x_um,y_um,z_um\n1.5,2.5,4.4\n", "pixels", (1.5, 2.5, 2)),
    ],
)
def test_units_are_those_of_columns_or_else_those_given(
    tmp_path: Path, text: str, unit: str, place: tuple[float, float, int]
) -> None:
    assert places(points_of(tmp_path, text, unit=unit)) == [place]


def test_columns_that_are_not_taken_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points_of(tmp_path, "x_um,y_um,note\n1,2,good\n", "yx")
    assert "column 'note' not taken as points." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("x,y,plane\n1,2,0\n", {}, "does not say the unit of x and y"),
        ("X,Y\n1,2\n", {}, "has the columns X, Y: name those of the places"),
        ("x_um,y_um\n1,2\n", {}, "in which of the image's 4 planes"),
        ("x_um,y_um,plane,z_um\n1,2,0,0\n", {}, "has the columns plane and z_um: leave one"),
        ("x_um,y_um,plane\n1,2,0.5\n", {}, "row 2: plane is 0.5, not a whole number"),
        ("x_um,y_um,plane\n1,b,0\n", {}, "row 2: y_um is 'b', not a number"),
        ("x_um,y_um,plane\n1,2,0\n60,40,0\n", {}, "row 3: mark 'spine 2' at x = 60 µm lies out"),
        ("object,shape,kind,x_um,y_um\ns,point,a,1,2\n", {}, "is a file of annotations already"),
        ("index,axis-0,axis-1\n0,1,2\n", {}, "rows and columns only, and the image 4 planes"),
        ("index,axis-0,axis-1,axis-2,axis-3\n0,1,2,3,4\n", {}, "has 4 axes"),
        (SHAPES, {}, r"holds no points \(it holds 1 path, 1 line, 1 rectangle\)"),
    ],
)
def test_a_table_that_is_unclear_is_refused(
    tmp_path: Path, text: str, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        points_of(tmp_path, text, **options)


@pytest.mark.parametrize(
    ("text", "column", "sentence"),
    [
        (LINES, None, "has a column 'name', which may tell lines apart: give --line-column name"),
        (LINES, "dendrite", "has no column 'dendrite' that names lines"),
        (LINES.replace("a,2,3", ",2,3"), "name", "row 5: name is empty"),
        (POINTS, None, "holds points of napari and no lines: give it with --points"),
    ],
)
def test_lines_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, text: str, column: str | None, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        imported(tmp_path, lines=[f"shaft={file(tmp_path, text)}"], line_column=column)
