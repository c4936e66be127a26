"""Bring what people marked in other programs into a dataset's file of annotations."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path

import numpy as np

from benchmark.annotation.imagej import read_rois
from benchmark.annotation.sketch import Shape, Sketch, Sketches, Unit
from benchmark.annotation.swc import read_swc
from benchmark.annotation.tables import read_table
from imaging import images
from imaging.annotations import (
    Annotations,
    Line,
    MarkError,
    Point,
    refuse_outside,
    write_annotations,
)
from imaging.cli import UserError, console, counted
from imaging.extent import Extent, extent_of

_Sketched = tuple[Path, str, Sketch]
"""A file, what is marked, and the mark."""


def annotate(
    image: Path,
    /,
    *,
    out: Path,
    points: list[str] | None = None,
    lines: list[str] | None = None,
    line_column: str | None = None,
    unit: Unit | None = None,
    pixel_size: float | None = None,
) -> None:
    """Bring points and lines that people marked in other programs into one CSV file.

    Parameters are those of `python -m benchmark annotate`, described in its help.
    """
    if out.suffix.lower() != ".csv":
        raise UserError(f"{out} does not end in .csv: name it so, like its image otherwise.")
    if not points and not lines:
        raise UserError("There is nothing to take over: give --points or --lines.")
    opened = images.read(image, lazy=True)
    if pixel_size is not None:
        if not 0 < pixel_size < math.inf:
            raise UserError(f"--pixel-size {pixel_size:g} is no size: give µm above 0.")
        stated = opened.attrs["pixel_size_um"] | dict.fromkeys("yx", pixel_size)
        opened = opened.assign_attrs(pixel_size_um=stated)
    try:
        extent = extent_of(opened)
    except UserError as error:
        raise UserError(f"{image}: {error}") from error

    def sketched(given: Sequence[str], shape: Shape) -> Iterator[_Sketched]:
        for words in given:
            path, kind = _file_and_kind(words)
            for sketch in _read(path, shape, extent, unit, line_column).marks:
                yield path, _kind_of(path, kind or sketch.kind, shape), sketch

    names = _Names()
    drawn, called = _lines(sketched(lines or [], "line"), names)
    marked = list(sketched(points or [], "point"))
    beside = _beside(marked, drawn, called, extent)
    set_points = tuple(
        Point(names.next(file, kind, sketch), kind, *sketch.vertices[0], on)
        for (file, kind, sketch), on in zip(marked, beside, strict=True)
    )
    try:
        annotations = Annotations(set_points, drawn)
        refuse_outside(annotations, opened)
    except MarkError as error:
        raise UserError(f"{names.origin[error.mark]}: {error}") from error
    write_annotations(out, annotations)
    said = [_listed("point", annotations.points), _listed("line", annotations.lines)]
    console.print(f"{out}: {' and '.join(s for s in said if s)}.", soft_wrap=True, highlight=False)


class _Names:
    """Names of marks: what they are, and a number, or what their file calls them."""

    def __init__(self) -> None:
        self.origin: dict[str, str] = {}

    def next(self, path: Path, kind: str, sketch: Sketch, own: str | None = None) -> str:
        numbered = (f"{kind} {number}" for number in count(1))
        names = chain([f"{kind} {own}"], numbered) if own else numbered
        name = next(name for name in names if name not in self.origin)
        self.origin[name] = f"{path}, {sketch.where}"
        return name


def _file_and_kind(words: str) -> tuple[Path, str | None]:
    kind, equals, file = words.partition("=")
    return (Path(words), None) if not equals or Path(words).exists() else (Path(file), kind.strip())


def _kind_of(path: Path, kind: str | None, shape: Shape) -> str:
    if not kind:
        raise UserError(
            f"{path} does not say what its {shape}s mark: give it as --{shape}s KIND={path}, with "
            "a word such as spine, or a column kind."
        )
    return kind


def _read(
    path: Path, shape: Shape, extent: Extent, unit: Unit | None, line_column: str | None
) -> Sketches:
    """Read a file by its ending, and say what of it was not taken."""
    match path.suffix.lower():
        case ".csv":
            found = read_table(path, shape, extent, unit=unit, line_column=line_column)
        case ".roi" | ".zip":
            found = read_rois(path, shape, extent)
        case ".swc":
            found = read_swc(path, shape, extent)
        case _:
            raise UserError(f"{path} is none of .csv, .roi, .zip and .swc: save it as one of them.")
    rest = ", ".join(found.left_out)
    if not found.marks:
        held = f" (it holds {rest})" if rest else ""
        raise UserError(f"{path} holds no {shape}s{held}: give another file.")
    if rest:
        console.print(f"{path}: {rest} not taken as {shape}s.", soft_wrap=True, highlight=False)
    return found


def _lines(sketched: Iterator[_Sketched], names: _Names) -> tuple[tuple[Line, ...], dict[str, str]]:
    """Return lines, and their names by what their files call them."""
    lines: list[Line] = []
    called: dict[str, str] = {}
    for path, kind, sketch in sketched:
        if sketch.line in called:
            raise UserError(
                f"{path}, {sketch.where}: there is a line '{sketch.line}' in another file, too: "
                "rename one."
            )
        name = names.next(path, kind, sketch, sketch.line)
        if sketch.line is not None:
            called[sketch.line] = name
        x_um, y_um, plane = zip(*sketch.vertices, strict=True)
        lines.append(Line(name, kind, np.array(x_um), np.array(y_um), np.array(plane, np.int64)))
    return tuple(lines), called


def _beside(
    points: Sequence[_Sketched], lines: Sequence[Line], called: dict[str, str], extent: Extent
) -> list[str | None]:
    """Find the line of each point: the one that its file names, or else the nearest."""
    if not lines:
        return [None] * len(points)
    found: list[str | None] = []
    distances: list[float] = []
    for path, _, sketch in points:
        if sketch.line is None:
            away = [_distance_um(sketch, line, extent) for line in lines]
            found.append(lines[int(np.argmin(away))].object)
            distances.append(min(away))
        elif sketch.line in called:
            found.append(called[sketch.line])
        elif sketch.line:
            raise UserError(
                f"{path}, {sketch.where}: none of --lines has a line '{sketch.line}': correct it, "
                "or leave it empty."
            )
        else:
            found.append(None)
    if distances:
        console.print(
            f"{counted(len(distances), 'point')} put on the nearest line, at most "
            f"{max(distances):.2f} µm away.",
            highlight=False,
        )
    return found


def _distance_um(sketch: Sketch, line: Line, extent: Extent) -> float:
    """Return the distance from a point to a line, µm."""
    if extent.planes > 1 and extent.step_um is None:
        raise UserError(
            "The image does not state the step from plane to plane, which the nearest line needs: "
            "save the image with it, or name the line of each point (--line-column)."
        )
    um = np.array([1.0, 1.0, extent.step_um or 0.0])
    point = np.array(sketch.vertices[0]) * um
    vertices = np.stack([line.x_um, line.y_um, line.plane.astype(float)], axis=1) * um
    start, along = vertices[:-1], np.diff(vertices, axis=0)
    squared = (along**2).sum(axis=1)
    share = ((point - start) * along).sum(axis=1) / np.where(squared > 0, squared, 1)
    nearest = start + np.clip(share, 0, 1)[:, None] * along
    return float(np.sqrt(((nearest - point) ** 2).sum(axis=1)).min())


def _listed(shape: Shape, marks: Sequence[Point | Line]) -> str:
    if not marks:
        return ""
    kinds = Counter(mark.kind for mark in marks)
    return f"{counted(len(marks), shape)} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})"
