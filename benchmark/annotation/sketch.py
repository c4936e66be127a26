"""Marks as a program kept them, brought to µm and planes, before they have names."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from imaging.cli import UserError
from imaging.extent import Extent

Shape = Literal["point", "line"]
Unit = Literal["pixels", "um"]
Vertex = tuple[float, float, int]
"""x and y in µm, and the plane."""
_DIGITS = 6  # to a pm: what lies behind comes of floating point


@dataclass(frozen=True)
class Sketch:
    """A point or a line.

    Attributes
    ----------
    vertices
        One for a point.
    where
        Where in its file it stands, in words.
    kind
        What is marked, if the file says so.
    line
        What the file calls the line, or the line that the point stands beside; None where it has
        no such column, empty where the column says that it stands beside none.
    """

    vertices: tuple[Vertex, ...]
    where: str
    kind: str | None = None
    line: str | None = None


@dataclass
class Sketches:
    """What was found in a file.

    Attributes
    ----------
    marks
        Those of the shape that was asked for.
    left_out
        What else the file holds, in words.
    """

    marks: list[Sketch] = field(default_factory=list[Sketch])
    left_out: list[str] = field(default_factory=list[str])


def vertex(
    path: Path, extent: Extent, place: tuple[float, float, float], unit: Unit, z_unit: Unit
) -> Vertex:
    """Bring a place to µm, and its depth to the nearest plane.

    Parameters
    ----------
    path
        The file, for sentences.
    extent
        Of the image.
    place
        x, y and z; 0 is the centre of the first pixel.
    unit, z_unit
        Of x and y, and of z. A depth in µm counts for nothing in an image of one plane.

    Returns
    -------
    Vertex
        Not yet compared with the image's size.

    Raises
    ------
    UserError
        The step from plane to plane, which a depth in µm needs, is unknown.
    """
    x, y, z = place
    if unit == "pixels":
        x, y = x * extent.pixel_um["x"], y * extent.pixel_um["y"]
    if z_unit == "um":
        if extent.planes == 1:
            z = 0.0
        elif extent.step_um is None:
            raise UserError(
                f"{path} has depths in µm, and the image does not state the step from plane to "
                "plane: save the image with it, or give planes instead of depths."
            )
        else:
            z /= extent.step_um
    return round(x, _DIGITS), round(y, _DIGITS), round(z)
