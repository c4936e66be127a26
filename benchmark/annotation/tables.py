"""Marks in CSV files: plain tables, and those that napari saves of points and shapes.

napari counts pixels from the centre of the first, axis by axis: planes, rows, columns.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from benchmark.annotation.sketch import Shape, Sketch, Sketches, Unit, Vertex, vertex
from imaging.cli import UserError, counted
from imaging.csv_rows import Row, read_rows
from imaging.extent import Extent

_DEPTHS = ("plane", "z_um", "z")
_NAPARI_LINES = ("path", "line")
_OF_NAPARI = ("index", "shape-type", "vertex-index")
Place = Callable[[Row], Vertex]


def read_table(
    path: Path, shape: Shape, extent: Extent, *, unit: Unit | None, line_column: str | None
) -> Sketches:
    """Read the points, or the lines, of a CSV file.

    Parameters
    ----------
    path
        The file.
    shape
        What to read.
    extent
        Of the image.
    unit
        Of coordinates whose columns do not say it; napari's are pixels if there is none.
    line_column
        Column that names lines.

    Returns
    -------
    Sketches
        In the order of the file.

    Raises
    ------
    UserError
        Columns are missing or unclear, or a coordinate is no number.
    """
    rows = read_rows(path)
    columns = list(rows[0].cells)
    if {"object", "shape"} <= set(columns):
        raise UserError(f"{path} is a file of annotations already: copy it into annotations/.")
    axes = sorted(name for name in columns if name.startswith("axis-"))
    if axes:
        place = _napari_place(path, axes, extent, unit or "pixels")
        if "shape-type" in columns:
            return _napari_shapes(rows, shape, place)
        if shape == "line":
            raise UserError(f"{path} holds points of napari and no lines: give it with --points.")
        used = {*axes, *_OF_NAPARI}
    else:
        place, used = _plain_place(path, columns, extent, unit)
    kind_column = next((name for name in ("kind", "class") if name in columns), None)
    spare = [name for name in columns if name not in {*used, kind_column, line_column}]
    if shape == "point":
        marks = [
            Sketch(
                (place(row),),
                f"row {row.number}",
                row.text(kind_column) if kind_column else None,
                _name(row, line_column) if line_column in columns else None,
            )
            for row in rows
        ]
        return Sketches(marks, [f"column '{name}'" for name in spare])
    if line_column is None and spare:
        raise UserError(
            f"{path} has a column '{spare[0]}', which may tell lines apart: give --line-column "
            f"{spare[0]}, or remove the column if all rows are one line."
        )
    if line_column is not None and line_column not in columns:
        raise UserError(
            f"{path} has no column '{line_column}' that names lines (it has {', '.join(columns)}): "
            "give --line-column one of these, or add it."
        )
    lines: dict[str | None, list[Row]] = {}
    for row in rows:
        lines.setdefault(_name(row, line_column) if line_column else None, []).append(row)
    if "" in lines:
        raise lines[""][0].refusal(f"{line_column} is empty: fill it in, or remove the row.")
    marks = [
        Sketch(
            tuple(place(row) for row in of_line),
            f"row {of_line[0].number}",
            of_line[0].text(kind_column) if kind_column else None,
            name,
        )
        for name, of_line in lines.items()
    ]
    return Sketches(marks, [f"column '{name}'" for name in spare])


def _name(row: Row, column: str | None) -> str:
    """Return what a cell calls a line; napari writes the number 3 as 3.0."""
    cell = row.cells[column or ""]
    whole = cell.removesuffix(".0")
    return whole if whole.isdigit() else cell


def _plain_place(
    path: Path, columns: Sequence[str], extent: Extent, unit: Unit | None
) -> tuple[Place, set[str]]:
    """Return what reads a row's place, and the columns that it uses."""
    if {"x_um", "y_um"} <= set(columns):
        x, y, unit = "x_um", "y_um", "um"
    elif not {"x", "y"} <= set(columns):
        raise UserError(
            f"{path} has the columns {', '.join(columns)}: name those of the places x_um and y_um, "
            "or x and y."
        )
    elif unit is None:
        raise UserError(
            f"{path} does not say the unit of x and y: give --unit pixels or --unit um."
        )
    else:
        x, y = "x", "y"
    depths = [name for name in _DEPTHS if name in columns]
    if len(depths) > 1:
        raise UserError(f"{path} has the columns {' and '.join(depths)}: leave one of them.")
    if not depths and extent.planes > 1:
        raise UserError(
            f"{path} does not say in which of the image's {extent.planes} planes its marks stand: "
            "add a column plane (from 0), z_um or z."
        )
    depth = depths[0] if depths else None
    z_unit: Unit = "um" if depth == "z_um" or (depth == "z" and unit == "um") else "pixels"

    def place(row: Row) -> Vertex:
        z = 0.0 if depth is None else row.value(depth)
        if depth == "plane":
            z = row.whole(depth)
        return vertex(path, extent, (row.value(x), row.value(y), z), unit, z_unit)

    return place, {x, y, *depths}


def _napari_place(path: Path, axes: Sequence[str], extent: Extent, unit: Unit) -> Place:
    if len(axes) not in (2, 3):
        raise UserError(
            f"{path} has {len(axes)} axes: mark a layer of planes, rows and columns only."
        )
    if len(axes) == 2 and extent.planes > 1:
        raise UserError(
            f"{path} has rows and columns only, and the image {extent.planes} planes: mark the "
            "stack itself, not a projection."
        )

    def place(row: Row) -> Vertex:
        *z, y, x = (row.value(axis) for axis in axes)
        return vertex(path, extent, (x, y, z[0] if z else 0.0), unit, unit)

    return place


def _napari_shapes(rows: Sequence[Row], shape: Shape, place: Place) -> Sketches:
    found = Sketches()
    others: Counter[str] = Counter()
    for _, vertices in groupby(rows, key=lambda row: row.text("index")):
        of_shape = list(vertices)
        kind = of_shape[0].text("shape-type")
        if shape == "line" and kind in _NAPARI_LINES:
            where = f"row {of_shape[0].number}"
            found.marks.append(Sketch(tuple(place(row) for row in of_shape), where))
        else:
            others[kind] += 1
    found.left_out = [counted(number, kind) for kind, number in others.items()]
    return found
