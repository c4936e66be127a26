"""Control points: where a mark could be and none was set, as far from the same line."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from benchmark.objects.brightness import Places, Values, length_along

PER_MARK = 10
CLEAR_UM = 1.5  # of any mark: an object is about 1 µm wide
_STEP_UM = 0.25  # along a line
_TANGENT_UM = 0.5  # over which a line's direction is taken, for traces follow pixels


def beside_lines(
    x_um: Values,
    y_um: Values,
    plane: NDArray[np.intp],
    on: Sequence[int],
    lines: Sequence[NDArray[np.float64]],
) -> tuple[Places, Values]:
    """Return marks with the nearest vertex of the line they stand beside, and how far it is.

    Parameters
    ----------
    x_um, y_um, plane
        (n,), of the marks.
    on
        (n,), the number of the line of each.
    lines
        Each (vertices, 3): x and y in µm, and plane.

    Returns
    -------
    places
        The marks.
    distance_um
        (n,), in the plane.
    """
    firsts = np.cumsum([0, *(len(line) for line in lines)])
    vertex = np.empty(len(x_um), dtype=np.intp)
    distance = np.empty(len(x_um))
    for mark, line in enumerate(on):
        away = np.hypot(lines[line][:, 0] - x_um[mark], lines[line][:, 1] - y_um[mark])
        vertex[mark] = firsts[line] + away.argmin()
        distance[mark] = away.min()
    return Places(x_um, y_um, plane, vertex), distance


def control_points(
    marks: Places,
    distance_um: Values,
    on: Sequence[int],
    lines: Sequence[NDArray[np.float64]],
    *,
    clear_of: NDArray[np.float64],
    size_um: tuple[float, float],
    margin_um: float,
    seed: int = 0,
) -> tuple[Places, NDArray[np.intp]]:
    """Return points as far from the same line as each mark, away from all marks and other lines.

    All such points are found along the whole line, on both sides of it, and some of them drawn.

    Parameters
    ----------
    marks, distance_um
        As `beside_lines` returns them.
    on, lines
        As it takes them.
    clear_of
        (m, 2), x and y of all marks of any kind, µm.
    size_um
        Of the field along y and x, µm.
    margin_um
        That is kept from the edge of the field, µm.
    seed
        Of the draw.

    Returns
    -------
    controls
        At most `PER_MARK` for each mark; fewer where marks stand densely.
    of
        (controls,), the mark of each.
    """
    rng = np.random.default_rng(seed)
    every_mark = KDTree(clear_of)
    every_vertex = KDTree(np.concatenate(lines)[:, :2])
    firsts = np.cumsum([0, *(len(line) for line in lines)])
    sides = [_sides(line) for line in lines]
    rows: list[NDArray[np.float64]] = []
    for mark, (line, distance) in enumerate(zip(on, distance_um, strict=True)):
        vertices, normals = sides[line]
        at = lines[line][vertices, :2] + distance * normals
        good = (
            (every_mark.query(at)[0] >= CLEAR_UM)
            & (every_vertex.query(at)[0] >= distance - _STEP_UM)
            & (at >= margin_um).all(axis=1)
            & (at[:, 1] <= size_um[0] - margin_um)
            & (at[:, 0] <= size_um[1] - margin_um)
        )
        chosen = np.flatnonzero(good)
        chosen = rng.permutation(chosen)[:PER_MARK]
        of_line = vertices[chosen]
        rows.append(
            np.stack(
                [
                    at[chosen, 0],
                    at[chosen, 1],
                    lines[line][of_line, 2],
                    firsts[line] + of_line,
                    np.full(len(chosen), mark),
                ],
                axis=1,
            )
        )
    x, y, plane, vertex, of = np.concatenate(rows).T
    return Places(x, y, plane.astype(np.intp), vertex.astype(np.intp)), of.astype(np.intp)


def _sides(line: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return vertices about a step apart, once for each side, and the unit normals (n, 2) there."""
    along = length_along(line)
    vertices = np.unique(np.searchsorted(along, np.arange(0.0, along[-1], _STEP_UM)))
    before = np.searchsorted(along, along[vertices] - _TANGENT_UM)
    after = np.minimum(np.searchsorted(along, along[vertices] + _TANGENT_UM), len(line) - 1)
    tangent = line[after, :2] - line[before, :2]
    length = np.hypot(*tangent.T)
    vertices, tangent = vertices[length > 0], tangent[length > 0] / length[length > 0, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return np.tile(vertices, 2), np.concatenate([normal, -normal])
