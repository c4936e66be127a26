"""Olympus OIF, a text beside a folder of planes, and OIB, which is all of it in one file."""

import math
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.formats.compound_document import refuse_circle
from imaging.formats.header import Header, Readable, pixel_sizes
from imaging.formats.header import number as number_of
from imaging.formats.microscopes import (
    DIMS,
    StackReader,
    Stackwise,
    absent_planes,
    names_of,
    unknown_axes,
)
from imaging.formats.tiff_complaints import complaints
from imaging.formats.units import seconds

_PLANE = re.compile(r"s_((?:[A-Z]\d+)*)\.tif")


def read(library: Any, path: Path, choice: str | None) -> tuple[Header, Readable]:
    """Read the header of an OIF or OIB file (see `imaging.formats.microscopes.Microscope`)."""
    if choice not in (None, "1"):
        raise UserError(f"{path} holds one image: leave #{choice} out.")
    refuse_circle(path)
    with library.OifFile(path) as file:
        said = file.mainfile
        sizes = {axis: length for axis, length in zip(file.axes, file.shape, strict=True) if length}
        if any(axis not in "TCZYX" and n > 1 for axis, n in sizes.items()) or not (
            {"Y", "X"} <= set(sizes)
        ):
            raise unknown_axes(path, sizes)
        files = _planes(file)
        if not files:
            raise UserError(f"{path} has no planes: copy it with the folder beside it again.")
        first = _plane(path, file, next(iter(files.values())))
    times, channels, depths = (sizes.get(axis, 1) for axis in "TCZ")
    shape = (times, channels, depths, sizes["Y"], sizes["X"])
    if first.shape != shape[3:]:
        raise UserError(f"{path} has planes of another size than it says: copy or export it again.")

    @contextmanager
    def opened() -> Generator[StackReader]:
        with library.OifFile(path) as file:

            def read_stack(
                b: int, c: int, planes: slice, rows: slice, columns: slice
            ) -> NDArray[Any]:
                names = [files.get((b, c, z)) for z in range(depths)[planes]]
                absent = np.zeros_like(first)
                read = [absent if name is None else _plane(path, file, name) for name in names]
                return np.stack(read)[:, rows, columns]

            yield read_stack

    found, of_sizes = pixel_sizes(_lengths(said, depths))
    names = [
        said.get(f"Channel {at} Parameters", {}).get("CH Name") for at in range(1, channels + 1)
    ]
    remarks = (*of_sizes, *absent_planes(len(files), math.prod(shape[:3])))
    time = said.get("Axis 4 Parameters Common", {})
    header = Header(
        DIMS,
        shape,
        first.dtype,
        found,
        names_of(names, channels),
        remarks,
        interval_s=seconds(number_of(time.get("Interval", 0)), time.get("UnitName")),
    )
    return header, Stackwise(shape, first.dtype, opened)


def _plane(path: Path, file: Any, name: str) -> NDArray[Any]:
    with complaints() as damages:
        plane = file.asarray(name)
    if damages:
        raise UserError(f"{path} is damaged ({name}: {damages[0]}): copy or export it again.")
    return plane


def _planes(file: Any) -> dict[tuple[int, int, int], str]:
    """Find the files of planes by place along time, channel and z, which names count from 1."""
    found = dict[tuple[int, int, int], str]()
    for name in file.glob("*.tif"):
        if match := _PLANE.fullmatch(re.split(r"[/\\]", name)[-1]):
            place = {part[0]: int(part[1:]) - 1 for part in re.findall(r"[A-Z]\d+", match[1])}
            found[place.get("T", 0), place.get("C", 0), place.get("Z", 0)] = name
    return found


def _lengths(said: Any, depths: int) -> list[tuple[str, object, str | None]]:
    plane = said.get("Reference Image Parameter", {})
    lengths = [
        ("y", plane.get("HeightConvertValue", 0), plane.get("HeightUnit")),
        ("x", plane.get("WidthConvertValue", 0), plane.get("WidthUnit")),
    ]
    depth = said.get("Axis 3 Parameters Common", {})
    if depths > 1 and depth.get("AxisCode") == "Z":
        lengths.append(("z", abs(number_of(depth.get("Interval", 0))), depth.get("UnitName")))
    return lengths
