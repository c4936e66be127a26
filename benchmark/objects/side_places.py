"""Places at equal steps along a traced line and beside it, and the brightness found at them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from benchmark.objects.brightness import Definition, Values, Volume, length_along
from imaging.extent import Extent

_STEP_UM = 0.1
_TANGENT_UM = 0.5  # on each side, over which a line's direction is taken, for traces follow pixels
_BESIDE_UM = (2.0, 3.0)  # on both sides: beyond what a line's own width and blur reach
_CLEAR_UM = 1.5  # of every line


@dataclass(frozen=True, eq=False)
class Samples:
    """Places along a line, or beside it.

    Attributes
    ----------
    along_um
        (n,), how far along the line.
    x_um, y_um
        (n,), from the middle of the first pixel.
    plane
        (n,), from 0.
    across_x, across_y
        (n,), the unit vector across the line.
    length_um, step_um
        Of the whole line, and from place to place along it.
    """

    along_um: Values
    x_um: Values
    y_um: Values
    plane: NDArray[np.intp]
    across_x: Values
    across_y: Values
    length_um: float
    step_um: float

    def __len__(self) -> int:
        return len(self.x_um)


def sample(line: NDArray[np.float64]) -> Samples:
    """Return places along a line (vertices, 3), each the middle of an equal piece of it."""
    along = length_along(line)
    length = float(along[-1])
    count = max(round(length / _STEP_UM), 1)
    places = (np.arange(count) + 0.5) * length / count

    def at(where: Values, column: int) -> Values:
        return np.interp(where, along, line[:, column])

    tangent_x, tangent_y = (
        at(places + _TANGENT_UM, column) - at(places - _TANGENT_UM, column) for column in (0, 1)
    )
    long = np.hypot(tangent_x, tangent_y)
    long[long == 0] = 1.0  # a line that turns back on itself has no side
    return Samples(
        along_um=places,
        x_um=at(places, 0),
        y_um=at(places, 1),
        plane=np.rint(at(places, 2)).astype(np.intp),
        across_x=-tangent_y / long,
        across_y=tangent_x / long,
        length_um=length,
        step_um=length / count,
    )


def beside(line: Samples, vertices: KDTree, extent: Extent) -> Samples:
    """Return places beside a line that are in the field and away from every line.

    Parameters
    ----------
    line
        Along it.
    vertices
        Of all lines, x and y in µm.
    extent
        Of the field.

    Returns
    -------
    Samples
        Perhaps none.
    """
    shifts = np.array([side * away for away in _BESIDE_UM for side in (-1, 1)])
    x_um = (line.x_um + shifts[:, None] * line.across_x).ravel()
    y_um = (line.y_um + shifts[:, None] * line.across_y).ravel()
    clear = vertices.query(np.stack([x_um, y_um], axis=1))[0] >= _CLEAR_UM
    chosen = np.flatnonzero(clear & extent.holds("x", x_um) & extent.holds("y", y_um))
    of_line = chosen % len(line)
    return Samples(
        line.along_um[of_line],
        x_um[chosen],
        y_um[chosen],
        line.plane[of_line],
        line.across_x[of_line],
        line.across_y[of_line],
        line.length_um,
        line.step_um,
    )


def follow(places: Samples, volume: Volume, definition: Definition) -> Values:
    """Return the brightest disc at each place, looked for across the line and in depth.

    Not along it: a search in all directions would close every gap that is shorter than it.
    """
    step = definition.disc_um / 2
    count = int(definition.search_um / step + 1e-9)
    best = np.full(len(places), -np.inf)
    for plane, inside in volume.within(places.plane, definition.depth_um):
        for shift in np.arange(-count, count + 1) * step:
            found = volume.disc_means(
                places.x_um[inside] + shift * places.across_x[inside],
                places.y_um[inside] + shift * places.across_y[inside],
                plane[inside],
                definition.disc_um,
            )
            best[inside] = np.maximum(best[inside], found)
    return best
