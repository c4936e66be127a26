"""Which pixels of an image count: not a border without data, not a burnt-in scale bar.

Registration and stitching leave constant pixels beside the field, programs burn bars into images,
and scanners leave a bright column. Percentiles of all pixels would land on them. What is not
unmistakable is not guessed here: dark background, saturated structure and debris count.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.measure import approximate_polygon

from imaging.resample import linear

Mask = NDArray[np.bool_]
Rectangle = tuple[slice, slice]

SEARCHED_PX = 2**24
"""Pixels of a plane that are looked at: of a larger one, which may not fit in memory, a part."""
_PART_PX = (1024, 4096)  # rows and columns of it that are read at a time: whole chunks, mostly

# Equal pixels in a row along the border, from which on they may be no data; and what is long
# enough to be a straight edge of a field.
_RUN_PX = 16
_LEAST_SIDE_PX = 32  # a few pixels beside a border are most of a smaller plane
_LEAST_NO_DATA, _LEAST_FIELD = 1e-3, 0.05  # of the pixels
_STRAIGHT = 0.8  # of the boundary, along rows and columns
_LEAST_TURNED = 0.25  # of the pixels are a turned field: less may be a convex object
_IN_HULL = 0.1  # of what is outside a convex field
_TOLERANCE = 0.005  # of the hull's diameter, within which a side is straight
_LONG_SIDE, _LONG_SIDES = 0.2, 0.5  # of the hull's diameter; and of its length, all such sides
_MIXED_PX = 2  # beside no data, which interpolation mixed with it
_STEP = 2.0  # times what the slope beside it would reach
_NEAREST = 10.0  # percentile of the field's distances from the constant: a fade reaches less

_LEAST_ARTEFACTS, _MOST_ARTEFACTS = 1e-3, 0.05  # of the pixels
_GAP = 2.0  # times the range of all other pixels, empty below an artefact
LEAST_LEVELS = 16
"""Of intensities: fewer are counts of single photons, or labels."""
_LEAST_BAR_PX = 64


@dataclass(frozen=True)
class Valid:
    """Which pixels of a plane count.

    Attributes
    ----------
    no_data
        True in a border without data.
    artefacts
        True where artefacts are at the maximum.
    limits
        The lowest and the highest intensity of all other pixels, which count.
    median
        Of those; for what needs a number where no pixel counts.
    maximum
        The intensity of the artefacts.
    """

    no_data: Mask
    artefacts: Mask
    limits: tuple[float, float]
    median: float
    maximum: float

    @property
    def pixels(self) -> Mask:
        """Tell which pixels count."""
        return ~(self.no_data | self.artefacts)


def planes_of(image: xr.DataArray) -> Iterator[NDArray[Any]]:
    """Yield each plane (y, x) of an image, which is read then if it is lazy."""
    outer = [d for d in image.dims if d not in ("y", "x")]
    for place in np.ndindex(*(image.sizes[d] for d in outer)):
        yield image.isel(dict(zip(outer, place, strict=True))).transpose("y", "x").values


def thinned_planes_of(image: xr.DataArray) -> Iterator[NDArray[Any]]:
    """Yield each plane of an image `thinned`."""
    outer = [d for d in image.dims if d not in ("y", "x")]
    for place in np.ndindex(*(image.sizes[d] for d in outer)):
        yield thinned(image.isel(dict(zip(outer, place, strict=True))).transpose("y", "x"))


def thinned(plane: xr.DataArray) -> NDArray[Any]:
    """Read a plane, or of a large one every second (third, ...) row and column.

    Parameters
    ----------
    plane
        (y, x); it may be lazy, and is read part by part.

    Returns
    -------
    ndarray
        (y, x) of at most `SEARCHED_PX` pixels, about; none is interpolated.
    """
    step = max(1, math.ceil(math.sqrt(plane.size / SEARCHED_PX)))
    if step == 1:
        return plane.values
    kept = np.empty([-(-length // step) for length in plane.shape], plane.dtype)
    for y, x in itertools.product(*map(range, (0, 0), plane.shape, _PART_PX)):
        first = -(-y // step), -(-x // step)
        part = plane[y : y + _PART_PX[0], x : x + _PART_PX[1]].values
        part = part[first[0] * step - y :: step, first[1] * step - x :: step]
        kept[first[0] : first[0] + part.shape[0], first[1] : first[1] + part.shape[1]] = part
    return kept


def find_valid(plane: NDArray[Any]) -> Valid | None:
    """Find out which pixels of a plane count.

    Two kinds do not. *No data*: constant pixels connected to the border, where the rest is bounded
    as fields of view are, by long edges along rows and columns or by the few straight sides of a
    convex polygon, and does not fade into the constant; with two pixels beside them. *Artefacts*:
    between 0.1 and 5 % of the pixels, exactly equal to the maximum, where nothing lies below them
    for twice the range of all other pixels, or where they fill a rectangle on darker ground.

    Parameters
    ----------
    plane
        (y, x), of any number type, without NaN.

    Returns
    -------
    Valid or None
        None where all pixels count, as in nearly every image.
    """
    no_data = _no_data(plane)
    artefacts = _artefacts(plane if no_data is None else np.where(no_data, plane.min(), plane))
    if no_data is None and artefacts is None:
        return None
    nowhere = np.zeros(plane.shape, np.bool_)
    no_data = nowhere if no_data is None else no_data
    artefacts = nowhere if artefacts is None else artefacts
    counting = plane[~(no_data | artefacts)]
    limits = (float(counting.min()), float(counting.max()))
    median = float(np.median(counting))
    return Valid(no_data, artefacts, limits, median, float(plane[~no_data].max()))


def on_grid(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Bring pixels that do not count to another grid, where all that touch them do not either.

    Parameters
    ----------
    mask
        True for pixels that do not count, (y, x).
    shape
        Rows and columns of the grid that `imaging.resample.linear` brings the plane to.

    Returns
    -------
    ndarray
        Of that shape.
    """
    return mask if mask.shape == shape else linear(mask.astype(np.float32), shape) > 0


def grown(mask: Mask, pixels: int) -> Mask:
    """Return a mask with all pixels so near to it, along rows, columns and diagonals."""
    return np.asarray(ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=pixels), np.bool_)


def largest_rectangle(mask: Mask) -> Rectangle:
    """Find the largest rectangle in which all pixels are True.

    Parameters
    ----------
    mask
        (y, x).

    Returns
    -------
    tuple of slice
        Rows and columns; empty where none is True.

    Examples
    --------
    >>> largest_rectangle(np.array([[False, True, True], [True, True, True]]))
    (slice(0, 2, None), slice(1, 3, None))
    """
    best, found = 0, (slice(0, 0), slice(0, 0))
    heights = np.zeros(mask.shape[1] + 1, np.intp)  # the last one, 0, ends every rectangle
    for y, row in enumerate(mask):
        heights[:-1] = np.where(row, heights[:-1] + 1, 0)
        begun: list[tuple[int, int]] = []  # first column and height, ascending
        for x, height in enumerate(heights.tolist()):
            first = x
            while begun and begun[-1][1] >= height:
                first, tall = begun.pop()
                if tall * (x - first) > best:
                    best = tall * (x - first)
                    found = (slice(y + 1 - tall, y + 1), slice(first, x))
            begun.append((first, height))
    return found


def common_rectangle(found: Sequence[Valid | None], shape: tuple[int, int]) -> Rectangle | None:
    """Find to what planes of one field are to be cut.

    Parameters
    ----------
    found
        What `find_valid` says of each; their grids may differ.
    shape
        Rows and columns of the grid on which they are cut.

    Returns
    -------
    tuple of slice or None
        The largest rectangle of pixels that count in all of them; with the artefacts where these
        leave less than half of it, as hot pixels strewn over a field do. None for the whole.
    """
    known = [valid for valid in found if valid is not None]
    if not known:
        return None
    has_data = ~np.logical_or.reduce([on_grid(valid.no_data, shape) for valid in known])
    clean = ~np.logical_or.reduce([on_grid(valid.artefacts, shape) for valid in known])
    whole = largest_rectangle(has_data)
    best = largest_rectangle(has_data & clean)
    best = best if 2 * _area(best) >= _area(whole) else whole
    return best if _area(best) < math.prod(shape) else None


def _area(rectangle: Rectangle) -> int:
    return math.prod(part.stop - part.start for part in rectangle)


def _no_data(plane: NDArray[Any]) -> Mask | None:
    if min(plane.shape) < _LEAST_SIDE_PX:
        return None
    found: Mask | None = None
    for constant, runs in _runs_along_border(plane).items():
        labels = _components(plane == constant)
        is_outside = np.zeros(labels.max() + 1, np.bool_)
        is_outside[[labels[pixel] for pixel in runs]] = True
        outside = is_outside[labels]
        if not _LEAST_NO_DATA <= outside.mean() <= 1 - _LEAST_FIELD:
            continue
        if not (_has_straight_edges(outside) or _is_convex_polygon(~outside)):
            continue
        wider = grown(outside, _MIXED_PX)
        if _is_abrupt(plane, wider, constant):
            found = wider if found is None else found | wider
    return found


def _runs_along_border(plane: NDArray[Any]) -> dict[float, list[tuple[int, int]]]:
    """Return by value a pixel of each run of equal pixels along the border."""
    found: dict[float, list[tuple[int, int]]] = {}
    last_row, last_column = plane.shape[0] - 1, plane.shape[1] - 1
    for line, pixel in (
        (plane[0], lambda at: (0, at)),
        (plane[-1], lambda at: (last_row, at)),
        (plane[:, 0], lambda at: (at, 0)),
        (plane[:, -1], lambda at: (at, last_column)),
    ):
        starts = np.flatnonzero(np.concatenate([[True], line[1:] != line[:-1], [True]]))
        is_long = np.diff(starts) >= min(_RUN_PX, len(line))
        for start in starts[:-1][is_long].tolist():
            found.setdefault(line[start].item(), []).append(pixel(start))
    return found


def _has_straight_edges(outside: Mask) -> bool:
    """Tell whether most of a boundary runs along rows and columns, as that of tiles does."""
    total = straight = 0
    for part in (outside, outside.T):
        edge = np.pad(
            part[1:] != part[:-1], ((0, 0), (1, 1))
        ).ravel()  # no run goes on in a new row
        begin, end = np.flatnonzero(edge[1:] != edge[:-1]).reshape(-1, 2).T
        lengths = end - begin
        total += int(lengths.sum())
        straight += int(lengths[lengths >= _RUN_PX].sum())
    return straight >= _STRAIGHT * total


def _is_convex_polygon(field: Mask) -> bool:
    """Tell whether a field has the shape of a turned one: its hull is full and has long sides."""
    points = np.concatenate([_edges_of_rows(field), _edges_of_rows(field.T)[:, ::-1]])
    if field.mean() < _LEAST_TURNED or min(np.ptp(points, axis=0)) < _RUN_PX:
        return False
    hull = ConvexHull(points)
    inside = hull.volume - field.sum()  # in a plane, the volume is the area
    if inside > _IN_HULL * (field.size - field.sum()):
        return False
    corners = hull.points[[*hull.vertices, hull.vertices[0]]]
    diameter = float(np.linalg.norm(np.ptp(points, axis=0)))
    polygon = approximate_polygon(corners, max(1.0, _TOLERANCE * diameter))
    sides = np.linalg.norm(np.diff(polygon, axis=0), axis=1)
    return float(sides[sides > _LONG_SIDE * diameter].sum()) >= _LONG_SIDES * float(sides.sum())


def _edges_of_rows(mask: Mask) -> NDArray[np.float64]:
    """Return where, row and column, the first pixel of each row begins and the last one ends."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1) - 0.5
    last = mask.shape[1] - 0.5 - mask[rows, ::-1].argmax(axis=1)
    ends = [np.stack([rows, column], axis=1) for column in (first, last)]
    return np.concatenate(ends).astype(np.float64)


def _is_abrupt(plane: NDArray[Any], outside: Mask, constant: float) -> bool:
    """Tell whether intensities right beside a constant do not fade into it.

    They are not the nearest to it of all, or they change too slowly to reach it.
    """
    beside = grown(outside, 1) & ~outside
    if not beside.any():
        return False
    near = float(np.median(_distances(plane[beside], constant)))
    if near == 0:
        return False
    if near >= float(np.percentile(_distances(plane[~outside], constant), _NEAREST)):
        return True
    down, right = np.gradient(plane.astype(np.float64))
    reach = (_MIXED_PX + 1) * float(np.median(np.hypot(down, right)[beside]))
    return 0 < _STEP * reach <= near


def _distances(values: NDArray[Any], constant: float) -> NDArray[np.float64]:
    return np.abs(values.astype(np.float64) - constant)


def _components(mask: Mask) -> NDArray[np.int32]:
    """Return a number for each connected part, along rows and columns; 0 outside."""
    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, output=labels)
    return labels


def _artefacts(plane: NDArray[Any]) -> Mask | None:
    maximum = plane.max()
    at_maximum = plane == maximum
    if not _LEAST_ARTEFACTS <= at_maximum.mean() <= _MOST_ARTEFACTS:
        return None
    others = plane[~at_maximum].astype(np.float64)
    lowest, highest = float(others.min()), float(others.max())
    is_apart = float(maximum) - highest >= _GAP * (highest - lowest)
    if not (is_apart or _fills_rectangle(plane, at_maximum)):
        return None
    return at_maximum if len(np.unique(others)) >= LEAST_LEVELS else None


def _fills_rectangle(plane: NDArray[Any], at_maximum: Mask) -> bool:
    """Tell whether some pixels at the maximum are a drawn bar: a rectangle on darker ground."""
    labels = _components(at_maximum)
    middle = (float(plane.min()) + float(plane.max())) / 2
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        bar = labels[place] == number
        if max(bar.shape) < _RUN_PX or bar.size < _LEAST_BAR_PX or not bar.all():
            continue
        around = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in place)
        if float(np.median(plane[around][labels[around] != number])) < middle:
            return True
    return False
