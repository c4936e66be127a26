"""Marks that people set in an image by hand: points and lines, one CSV file for an image.

One row is a point or a vertex of a line::

    object,shape,kind,x_um,y_um,plane,on
    shaft 0,line,shaft,43.8,29.28,27,
    shaft 0,line,shaft,43.92,29.16,27,
    spine 1,point,spine,45.927,26.99,29,shaft 0

======  ==============================================================================
object  name of the mark; the vertices of a line share it, in their order
shape   point or line
kind    what is marked, such as spine
x_um    µm to the right of the centre of the first pixel: x_um over pixel size is the column
y_um    likewise downwards
plane   of a stack, counted from 0; images of one plane need no such column
on      the line that a point stands beside; the column, or its cell, may be absent
======  ==============================================================================
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.csv_rows import Row, read_rows
from imaging.extent import extent_of
from imaging.files import replacing
from imaging.formulas import guarded

__all__ = ["Annotations", "Line", "Point", "read_annotations", "write_annotations"]

_NEEDED = ("object", "shape", "kind", "x_um", "y_um")
_COLUMNS = (*_NEEDED, "plane", "on")


class MarkError(UserError):
    """What is wrong with one mark; the sentence begins with its name."""

    def __init__(self, mark: str, fault: str) -> None:
        super().__init__(f"mark '{mark}' {fault}")
        self.mark = mark


@dataclass(frozen=True)
class Point:
    """A place that was marked.

    Attributes
    ----------
    object
        Its name, which no other mark has.
    kind
        What is marked, such as spine.
    x_um, y_um
        Micrometres right of and below the centre of the first pixel.
    plane
        Of a stack, counted from 0; 0 in an image of one plane.
    on
        Name of the line that it stands beside.
    """

    object: str
    kind: str
    x_um: float
    y_um: float
    plane: int = 0
    on: str | None = None


@dataclass(frozen=True, eq=False)
class Line:
    """A line that was drawn, from vertex to vertex.

    Attributes
    ----------
    object, kind
        As of `Point`.
    x_um, y_um
        As of `Point`, of each vertex.
    plane
        As of `Point`, of each vertex.
    """

    object: str
    kind: str
    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    plane: NDArray[np.int64]


@dataclass(frozen=True)
class Annotations:
    """All marks of an image.

    Attributes
    ----------
    points, lines
        In the order in which they were marked.

    Raises
    ------
    UserError
        There are no marks, two have one name, one is not of finite places and planes from 0, a
        line has fewer than two different vertices, or a point stands on what is no line.
    """

    points: tuple[Point, ...] = ()
    lines: tuple[Line, ...] = ()

    def __post_init__(self) -> None:
        if not self.points and not self.lines:
            raise UserError("there are no marks: annotate something, or remove the file.")
        seen: set[str] = set()
        for mark in (*self.points, *self.lines):
            if mark.object in seen:
                raise MarkError(mark.object, "has the name of another one: rename one.")
            seen.add(mark.object)
            finite = np.isfinite(np.hstack((mark.x_um, mark.y_um))).all()
            if not finite or np.min(mark.plane) < 0:
                raise MarkError(
                    mark.object, "is not at finite places in planes counted from 0: correct it."
                )
        for line in self.lines:
            if len(set(zip(line.x_um, line.y_um, line.plane, strict=True))) < 2:
                raise MarkError(
                    line.object,
                    "is a line of fewer than two different vertices: add some, or make it a point.",
                )
        names = {line.object for line in self.lines}
        for point in self.points:
            if point.on is not None and point.on not in names:
                raise MarkError(
                    point.object,
                    f"stands on '{point.on}', which is no line: name a line, or leave `on` empty.",
                )


def read_annotations(path: Path, image: xr.DataArray) -> Annotations:
    """Read the marks of an image.

    Parameters
    ----------
    path
        A CSV file, as this module's description has it.
    image
        The image that they were set in, as `imaging.images.read` gives it; it may be lazy, for
        only its size and its pixel size are looked at.

    Returns
    -------
    Annotations
        All of which lie in the image.

    Raises
    ------
    UserError
        The file has something missing, unknown, contradictory or impossible, a mark lies outside
        the image, or the image has no pixel size, or several time points or positions.
    """
    rows = read_rows(path, _NEEDED)
    for name in rows[0].cells:
        if name not in _COLUMNS:
            raise UserError(f"{path} has a column '{name}', which is unknown: remove or rename it.")
    if "z" in image.dims and "plane" not in rows[0].cells:
        raise UserError(
            f"{path} does not say in which of the {image.sizes['z']} planes its marks stand: add "
            "the column plane, counted from 0."
        )
    points: list[Point] = []
    lines: list[Line] = []
    by_object: dict[str, list[Row]] = {}
    for row in rows:
        by_object.setdefault(row.text("object"), []).append(row)
    for vertices in by_object.values():
        if _shape(vertices) == "line":
            lines.append(_line(vertices))
        else:
            points.append(_point(vertices))
    try:
        annotations = Annotations(tuple(points), tuple(lines))
        refuse_outside(annotations, image)
    except MarkError as error:
        raise by_object[error.mark][0].refusal(str(error)) from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return annotations


def write_annotations(path: Path, annotations: Annotations) -> None:
    """Write marks as a CSV file, whole or not at all; reading gives the same values."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for line in annotations.lines:
            for vertex in zip(line.x_um.tolist(), line.y_um.tolist(), line.plane, strict=True):
                writer.writerow([*_texts(line.object, "line", line.kind), *vertex, ""])
        for point in annotations.points:
            place = (point.x_um, point.y_um, point.plane)
            writer.writerow([*_texts(point.object, "point", point.kind), *place, *_texts(point.on)])


def _texts(*texts: str | None) -> list[object]:
    """Return names as a spreadsheet shows them and does not run them."""
    return [guarded(text) for text in texts]


def refuse_outside(annotations: Annotations, image: xr.DataArray) -> None:
    """Refuse marks that do not lie in an image, and name the likely mistake.

    Parameters are those of `read_annotations`.

    Raises
    ------
    UserError
        A mark lies outside, all lie as only marks in mm do, or the image is none that marks can
        be set in.
    """
    extent = extent_of(image)
    marks = (*annotations.points, *annotations.lines)
    x_um, y_um, planes = (
        np.concatenate([np.atleast_1d(getattr(mark, name)) for mark in marks])
        for name in ("x_um", "y_um", "plane")
    )
    for mark in marks:
        for axis, values in (("x", mark.x_um), ("y", mark.y_um)):
            outside = ~extent.holds(axis, values)
            if outside.any():
                place = np.atleast_1d(values)[np.argmax(outside)]
                fault = f"at {axis} = {place:g} µm lies outside the image, which is "
                raise MarkError(
                    mark.object, f"{fault}{extent.side(axis)}: {extent.remedy(x_um, y_um)}."
                )
        if np.max(mark.plane) >= extent.planes:
            remedy = "correct it"
            if planes.max() == extent.planes and planes.min() > 0:
                remedy = "they look as if counted from 1, and are counted from 0: subtract 1"
            raise MarkError(
                mark.object,
                f"in plane {np.max(mark.plane)} lies outside the image, whose last plane is "
                f"{extent.planes - 1}: {remedy}.",
            )
    if extent.looks_like_mm(x_um, y_um):
        raise UserError(
            "all marks lie within one pixel of the image's corner: they look like mm, multiply "
            "x_um and y_um by 1000."
        )


def _shape(rows: list[Row]) -> str:
    """Return the shape of a mark that its rows agree upon."""
    first = rows[0]
    shape = first.text("shape")
    if shape not in ("point", "line"):
        raise first.refusal(f"the shape is '{shape}': write point or line.")
    for row in rows[1:]:
        for column in ("shape", "kind"):
            if row.text(column) != first.text(column):
                raise row.refusal(
                    f"mark '{first.cells['object']}' is {row.cells[column]} here and "
                    f"{first.cells[column]} in row {first.number}: rename one, or correct it."
                )
    return shape


def _point(rows: list[Row]) -> Point:
    if len(rows) > 1:
        raise rows[1].refusal(
            f"point '{rows[0].cells['object']}' stands in row {rows[0].number}, too: each point "
            "has a name of its own, rename one."
        )
    row = rows[0]
    (x_um, y_um, plane), *_ = _vertices(rows)
    on = row.cells.get("on") or None
    return Point(row.text("object"), row.text("kind"), x_um, y_um, plane, on)


def _line(rows: list[Row]) -> Line:
    for row in rows:
        if row.cells.get("on"):
            raise row.refusal("only points stand on lines: leave `on` empty here.")
    x_um, y_um, plane = zip(*_vertices(rows), strict=True)
    return Line(
        rows[0].text("object"),
        rows[0].text("kind"),
        np.array(x_um, np.float64),
        np.array(y_um, np.float64),
        np.array(plane, np.int64),
    )


def _vertices(rows: list[Row]) -> Iterator[tuple[float, float, int]]:
    for row in rows:
        plane = row.whole("plane") if "plane" in row.cells else 0
        yield row.value("x_um"), row.value("y_um"), plane
