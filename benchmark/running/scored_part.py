"""The part of a field that is scored: where input and truth have data and no artefacts."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmark.metrics import NotApplicable
from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from imaging.valid import Rectangle, common_rectangle, find_valid, on_grid, planes_of


def scored_part(
    images: Sequence[xr.DataArray], shape: tuple[int, int], step: tuple[int, int] = (1, 1)
) -> Rectangle | None:
    """Find the rectangle in which all planes of an input and its truth count.

    Parameters
    ----------
    images
        Of one field; axes out of b, c, z, y, x.
    shape
        Rows and columns of the grid on which is scored.
    step
        Of which along y and x its edges are to be multiples.

    Returns
    -------
    tuple of slice or None
        See `imaging.valid.common_rectangle`; None also where nothing is left.
    """
    found = [find_valid(plane) for image in images for plane in planes_of(image)]
    part = common_rectangle(found, shape)
    if part is None:
        return None
    rows, columns = (
        slice(-(-along.start // k) * k, along.stop // k * k)
        for along, k in zip(part, step, strict=True)
    )
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def onto_part(
    input: NDArray[Any], recorded: xr.DataArray, part: Rectangle, sharing: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gain and offset from the scale of a whole input to that of a part of it.

    A package takes percentiles of all that counts in its input, and the truth has those of the
    part: what is delivered would be off by their difference.

    Parameters
    ----------
    input
        Planes (n, y, x) on the grid on which is scored.
    recorded
        The same as it was recorded.
    part
        Of that grid.
    sharing
        How many planes share a scale.

    Returns
    -------
    tuple of ndarray
        (n, 1, 1) each.
    """
    shape = (input.shape[1], input.shape[2])
    found = [find_valid(plane) for plane in planes_of(recorded)]
    counting = np.array(
        [np.ones(shape, np.bool_) if v is None else ~on_grid(~v.pixels, shape) for v in found]
    )
    blank = input.min((1, 2)) == input.max((1, 2))
    counting[blank & ~blank.all()] = False
    scales = np.empty((len(input), 2))
    for first in range(0, len(input), sharing):
        group = slice(first, first + sharing)
        (low, high), (bottom, top) = (
            np.percentile(
                input[group, *place][counting[group, *place]], [LOW_PERCENTILE, HIGH_PERCENTILE]
            )
            for place in (np.s_[:, :], part)
        )
        extent = top - bottom if top > bottom else 1  # flat planes are left out
        scales[group] = (high - low) / extent, (low - bottom) / extent
    gain, offset = scales.T[..., None, None]
    return gain, offset


def cut(stack: NDArray[Any], part: Rectangle, shape: tuple[int, int]) -> Any:
    """Cut planes to a part of their field.

    Parameters
    ----------
    stack
        (..., y, x), on a grid of its own.
    part, shape
        Of the grid on which is scored.

    Returns
    -------
    ndarray or NotApplicable
        The latter where the part ends within a pixel.
    """
    places: list[slice] = []
    for along, length, whole in zip(part, stack.shape[-2:], shape, strict=True):
        start, stop = (Fraction(edge * length, whole) for edge in (along.start, along.stop))
        if start.denominator != 1 or stop.denominator != 1:
            return NotApplicable("The part of the field that has data ends within pixels.")
        places.append(slice(int(start), int(stop)))
    return stack[..., places[0], places[1]]
