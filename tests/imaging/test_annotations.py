"""Marks are read as they were written, and refused with a sentence where they cannot be right."""

import re
from pathlib import Path

import numpy as np
import pytest

from imaging import images
from imaging.annotations import (
    Annotations,
    Line,
    Point,
    read_annotations,
    write_annotations,
)
from imaging.cli import UserError
from tests.small_images import image

PAGE = (Path(__file__).parents[2] / "docs" / "annotations.md").read_text(encoding="utf-8")
PIXELS = {"z": 1.0, "y": 0.2, "x": 0.1}
# 8 µm wide, 10 µm high, 4 planes.
STACK = image("zyx", (4, 50, 80), pixel_size_um=PIXELS)
HEADER = "object,shape,kind,x_um,y_um,plane,on\n"
SHAFT = "shaft,line,shaft,1,2,0,\nshaft,line,shaft,3,4,1,\n"


def of(tmp_path: Path, text: str) -> Annotations:
    file = tmp_path / "a.csv"
    file.write_text(text, encoding="utf-8")
    return read_annotations(file, STACK)


def test_vertices_of_a_line_are_in_the_order_of_rows(tmp_path: Path) -> None:
    (line,) = of(tmp_path, HEADER + "b,line,shaft,3,4,1,\nb,line,shaft,1,2,0,\n").lines
    assert (line.x_um.tolist(), line.y_um.tolist()) == ([3, 1], [4, 2])
    assert line.plane.tolist() == [1, 0]


def test_a_point_knows_its_line(tmp_path: Path) -> None:
    found = of(tmp_path, HEADER + SHAFT + "s,point,spine,1.25,2.5,3,shaft\n")
    assert found.points == (Point("s", "spine", 1.25, 2.5, 3, "shaft"),)


def test_columns_may_stand_in_any_order_and_on_may_be_absent(tmp_path: Path) -> None:
    found = of(tmp_path, "plane,y_um,x_um,kind,shape,object\n3,2.5,1.25,spine,point,s\n")
    assert found.points == (Point("s", "spine", 1.25, 2.5, 3),)


def test_a_plane_needs_no_column_plane(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("object,shape,kind,x_um,y_um\ns,point,spine,1,2\n")
    plane = STACK.isel(z=0)
    assert read_annotations(file, plane).points == (Point("s", "spine", 1.0, 2.0, 0),)


def test_what_was_written_is_read_with_equal_values(tmp_path: Path) -> None:
    x_um, y_um = np.random.default_rng(0).uniform(0, 5, (2, 9))
    plane = np.arange(9) % 4
    point = Point('the "1st", µm', "spine", 1 / 3, 2 / 7, 2, "shaft, main")
    written = Annotations((point,), (Line("shaft, main", "shaft", x_um, y_um, plane),))
    write_annotations(tmp_path / "a.csv", written)
    read = read_annotations(tmp_path / "a.csv", STACK)
    assert read.points == written.points
    (line,) = read.lines
    assert (line.object, line.kind) == ("shaft, main", "shaft")
    np.testing.assert_array_equal([line.x_um, line.y_um, line.plane], [x_um, y_um, plane])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a.csv is empty: fill it, or remove it"),
        ("\n \n", "a.csv is empty: fill it, or remove it"),
        (HEADER, "a.csv holds no rows"),
        ("object;shape\n1;point\n", "no column 'object' (it has object;shape)"),
        ("object,shape,kind,x_um\na,point,spine,1\n", "no column 'y_um'"),
        (HEADER.replace("on", "om"), "holds no rows"),
        (HEADER.replace(",on", ",note") + SHAFT, "a column 'note', which is unknown"),
        (HEADER.replace("plane", "kind") + SHAFT, "two columns of one name"),
        (HEADER + "s,cross,spine,1,2,0,\n", "row 2: the shape is 'cross'"),
        (HEADER + "\ns,point,spine,wide,2,0,\n", "row 3: x_um is 'wide', not a number"),
        (HEADER + "s,point,spine,1,nan,0,\n", "row 2: y_um is 'nan', not a number"),
        (HEADER + "s,point,spine,1,,0,\n", "row 2: y_um is empty"),
        (HEADER + "s,point,,1,2,0,\n", "row 2: kind is empty"),
        (HEADER + "s,point,spine,1,5,2,0,\n", "row 2: 8 values stand under 7 columns"),
        (HEADER + "s,point,spine,1,2,0.5,\n", "row 2: plane is 0.5, not a whole number"),
        (HEADER + "s,point,spine,1,2,-1,\n", "row 2: mark 's' is not at finite places in planes"),
        (HEADER + SHAFT + "l,line,shaft,1,2,0,\n", "row 4: mark 'l' is a line of fewer than two"),
        (HEADER + "l,line,shaft,1,2,0,\n" * 2 + SHAFT, "row 2: mark 'l' is a line of fewer than"),
        (HEADER + SHAFT + "s,point,spine,1,2,0,axon\n", "row 4: mark 's' stands on 'axon'"),
        (HEADER + "s,point,a,1,2,0,\nt,point,a,1,2,0,s\n", "mark 't' stands on 's', which is no"),
        (HEADER + SHAFT.replace("1,\n", "1,shaft\n"), "row 3: only points stand on lines"),
        (HEADER + "s,point,spine,1,2,0,\n" * 2, "row 3: point 's' stands in row 2, too"),
        (HEADER + SHAFT + "shaft,point,shaft,1,2,0,\n", "row 4: mark 'shaft' is point here and"),
        (HEADER + SHAFT + "shaft,line,axon,1,2,0,\n", "row 4: mark 'shaft' is axon here and shaft"),
        ("object,shape,kind,x_um,y_um\ns,point,spine,1,2\n", "which of the 4 planes"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)) as caught:
        of(tmp_path, text)
    assert str(tmp_path / "a.csv") in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        (
            [(9, 2, 0), (1, 1, 0)],
            "'0' at x = 9 µm lies outside the image, which is 8 µm wide: corr",
        ),
        (
            [(1, 1, 0), (1, 11, 0)],
            "mark '1' at y = 11 µm lies outside the image, which is 10 µm hi",
        ),
        ([(-0.1, 1, 0)], "at x = -0.1 µm lies outside"),
        ([(79, 49, 0)], "they look like pixels, multiply x_um by 0.1 and y_um by 0.2"),
        ([(7900, 1000, 0)], "they look like nm, divide x_um and y_um by 1000"),
        ([(0.007, 0.009, 0), (0.001, 0.002, 0)], "they look like mm, multiply x_um and y_um by 10"),
        ([(1, 1, 5), (1, 1, 1)], "in plane 5 lies outside the image, whose last plane is 3: corr"),
        ([(1, 1, 4), (1, 1, 1)], "they look as if counted from 1"),
    ],
)
def test_marks_outside_are_refused_with_the_likely_cause(
    tmp_path: Path, places: list[tuple[float, float, int]], sentence: str
) -> None:
    rows = [f"{name},point,spine,{x},{y},{z},\n" for name, (x, y, z) in enumerate(places)]
    with pytest.raises(UserError, match=re.escape(sentence)):
        of(tmp_path, HEADER + "".join(rows))


@pytest.mark.parametrize("place", ["-0.05,-0.1,0", "7.95,9.9,3"])
def test_the_outer_edges_of_pixels_belong_to_the_image(tmp_path: Path, place: str) -> None:
    assert of(tmp_path, f"{HEADER}s,point,spine,{place},\n").points


def test_one_mark_in_the_corner_is_no_mistake(tmp_path: Path) -> None:
    assert of(tmp_path, HEADER + "s,point,spine,0.007,0.009,0,\n").points


def test_an_image_without_pixel_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + SHAFT)
    with pytest.raises(UserError, match=r"a\.csv: the image has no pixel size"):
        read_annotations(tmp_path / "a.csv", STACK.assign_attrs(pixel_size_um={}))


def test_an_image_of_several_times_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER.replace(",plane", "") + "s,point,spine,1,2,\n")
    with pytest.raises(UserError, match="has 4 time points or positions"):
        read_annotations(tmp_path / "a.csv", STACK.rename(z="b"))


def test_marks_made_in_python_are_checked() -> None:
    with pytest.raises(UserError, match="'a' has the name of another one"):
        Annotations((Point("a", "spine", 0, 0), Point("a", "spine", 1, 1)))


def test_names_that_a_spreadsheet_would_run_are_guarded(tmp_path: Path) -> None:
    marks = Annotations((Point("=1+1", "@kind", 1.0, 1.0),))
    write_annotations(tmp_path / "marks.csv", marks)
    assert (tmp_path / "marks.csv").read_text().splitlines()[1].startswith("'=1+1,point,'@kind,")
    assert read_annotations(tmp_path / "marks.csv", STACK) == marks


def test_the_example_of_the_page_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```csv\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "a.csv").write_text(example, encoding="utf-8")
    found = read_annotations(tmp_path / "a.csv", image("zyx", (4, 50, 80), pixel_size_um=PIXELS))
    assert [point.on for point in found.points] == ["shaft 0", "shaft 0", None]
    assert [line.x_um.size for line in found.lines] == [3]


def test_pixels_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.write(tmp_path / "a.tif", STACK)
    (tmp_path / "a.csv").write_text(HEADER + SHAFT)
    lazy = images.read(tmp_path / "a.tif", lazy=True)
    (tmp_path / "a.tif").unlink()
    assert read_annotations(tmp_path / "a.csv", lazy).lines
