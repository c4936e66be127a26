"""Where windows of one shape lie on an image so that their kept parts equal the whole.

A pixel of the output depends on input no further away than the halo. A window keeps only what is
further than that from its edges, except where its edge is the image's. Windows start at multiples
of the network's size step, for a network that pools sees a shift by less than that differently.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class AxisGeometry:
    """How a network treats one spatial axis; lengths in input pixels.

    Attributes
    ----------
    minimum, step
        Windows have length `minimum` + n × `step`.
    fixed
        Whether only `minimum` itself is allowed; `step` still aligns the windows.
    scale
        Output pixels per input pixel.
    halo
        Distance from a window's edge within which the output depends on what lies outside.
    margin
        What the network cuts off at either side itself (convolutions without padding).
    """

    minimum: int
    step: int
    fixed: bool = False
    scale: Fraction = Fraction(1)
    halo: int = 0
    margin: int = 0

    def output_length(self, length: int) -> int:
        """Return how many output pixels an image of `length` input pixels gives."""
        return math.ceil(length * self.scale)


@dataclass(frozen=True)
class Window:
    """One window along one axis.

    Attributes
    ----------
    start, stop
        Input pixels; those outside the image are reflected ones.
    keep
        The part of the network's output to keep.
    place
        Where that part lies in the output image.
    """

    start: int
    stop: int
    keep: slice
    place: slice


class CannotTileError(ValueError):
    """The only window length allowed leaves nothing to keep."""


def windows(length: int, axis: AxisGeometry, tile: int) -> list[Window]:
    """Cover an axis with windows of one length, all inside the padded image.

    Parameters
    ----------
    length
        Input pixels of the image.
    axis
        What the network allows and needs.
    tile
        Longest window wanted; exceeded where the network's minimum or its halo demands it.

    Returns
    -------
    list of Window
        From first to last; their places partition the output, and all but the last are of one
        length, so that each may be a chunk of a file.

    Raises
    ------
    CannotTileError
        A fixed length that is all halo, on an image that is longer.
    """
    alignment = math.lcm(axis.step, axis.scale.denominator)
    whole = _round_up(length + 2 * axis.margin, axis)
    # Where a window begins is rounded down to the alignment, and so is what lies before its place.
    before = math.ceil(axis.halo / alignment) * alignment
    lost = before + axis.halo + 2 * axis.margin
    if axis.fixed:
        longest = axis.minimum
        if whole > longest and longest - lost < alignment:
            raise CannotTileError(
                f"windows of {longest} pixels with a halo of {axis.halo} keep nothing"
            )
    else:
        longest = max(_round_up(lost + alignment, axis), _round_down(tile, axis))
    if whole <= longest:
        everything = slice(0, axis.output_length(length))
        return [Window(-axis.margin, whole - axis.margin, everything, everything)]

    # As few places as the longest windows need, and windows no longer than such places need.
    most = (longest - lost) // alignment
    count = math.ceil(length / (most * alignment))
    stride = math.ceil(length / (count * alignment)) * alignment
    count = math.ceil(length / stride)
    sides = lost if count > 2 else before + 2 * axis.margin  # the outer ones have one inner side
    window = longest if axis.fixed else min(_round_up(stride + sides, axis), longest)
    last = math.ceil((length + 2 * axis.margin - window) / alignment) * alignment
    found: list[Window] = []
    for number in range(count):
        start = min(max(number * stride - before, 0), max(last, 0))
        place = slice(
            int(number * stride * axis.scale),
            axis.output_length(min((number + 1) * stride, length)),
        )
        offset = int(start * axis.scale)
        keep = slice(place.start - offset, place.stop - offset)
        found.append(Window(start - axis.margin, start - axis.margin + window, keep, place))
    return found


def tightest(length: int, axis: AxisGeometry) -> Window:
    """Lay a window inside an axis that keeps all that its halo allows, and not a pixel less.

    Windows of `windows` may see more than the halo, for they are rounded to what the network takes.

    Parameters
    ----------
    length
        Input pixels of the image.
    axis
        What the network allows and needs.

    Returns
    -------
    Window
        The shortest that keeps anything, at the first place where no edge of it is the image's; the
        whole image where it is too short for that.
    """
    alignment = math.lcm(axis.step, axis.scale.denominator)
    window = _round_up(2 * (axis.margin + axis.halo) + alignment, axis)
    if axis.fixed or alignment + window > length:
        return windows(length, axis, length + 2 * window)[0]
    end = window - 2 * axis.margin - axis.halo
    keep = slice(int(axis.halo * axis.scale), int(end * axis.scale))
    first = int((alignment + axis.halo) * axis.scale)
    place = slice(first, first + keep.stop - keep.start)
    start = alignment - axis.margin
    return Window(start, start + window, keep, place)


def reflect(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Return indices into an axis for positions that may lie outside it.

    Parameters
    ----------
    start, stop
        Positions wanted.
    length
        Pixels of the axis. Beyond it the image is mirrored at its outermost pixels, as often as
        needed; a single pixel is repeated.
    """
    period = max(2 * (length - 1), 1)
    positions = np.arange(start, stop) % period
    return np.minimum(positions, period - positions) if length > 1 else np.zeros_like(positions)


def _round_up(length: int, axis: AxisGeometry) -> int:
    return axis.minimum + max(0, math.ceil((length - axis.minimum) / axis.step)) * axis.step


def _round_down(length: int, axis: AxisGeometry) -> int:
    return axis.minimum + max(0, (length - axis.minimum) // axis.step) * axis.step
