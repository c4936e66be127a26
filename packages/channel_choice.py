"""Which channel of an image is restored: one of them, or each by itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from imaging.cli import UserError
from imaging.formats.header import Writable
from packages.runner import Layout

ALL = "all"


class Chosen(NamedTuple):
    """A channel of an image: its name, empty where it is the only one, and the image of it."""

    name: str
    image: xr.DataArray


def choose(image: xr.DataArray, wanted: str | None) -> list[Chosen]:
    """Take channels out of an image.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x.
    wanted
        The name of a channel; its number, counted from 1 as Fiji does; "all"; or None for the image
        as it is.

    Returns
    -------
    list of Chosen
        One for each channel to be restored; without the axis c unless nothing was wanted.

    Raises
    ------
    UserError
        There is no such channel.
    """
    if wanted is None:
        return [Chosen("", image)]
    count = image.sizes.get("c", 1)
    numbers = [str(number) for number in range(1, count + 1)]
    names = [str(n) for n in np.atleast_1d(image.coords["c"])] if "c" in image.coords else numbers
    one_by_one = [image.isel(c=i) for i in range(count)] if "c" in image.dims else [image]
    if wanted == ALL:
        several = count > 1
        return [Chosen(n * several, one) for n, one in zip(names, one_by_one, strict=True)]
    for called in (names, numbers):
        if called.count(wanted) == 1:
            return [Chosen("", one_by_one[called.index(wanted)])]
    there = ", ".join(
        number if name == number else f"{number} ({name})"
        for number, name in zip(numbers, names, strict=True)
    )
    raise UserError(
        f"The image has no single channel '{wanted}': give --channel one of {there}, or {ALL}."
    )


def together(layouts: Sequence[Layout], names: Sequence[str]) -> Layout:
    """Lay the results of several channels of an image behind each other along c.

    Parameters
    ----------
    layouts
        Of each channel's result, alike but for the channel.
    names
        Of these channels; empty for the only one.

    Returns
    -------
    Layout
        Whose channels are named after both: "GFP", or "GFP std" where a package has several.
    """
    first = layouts[0]
    single = len(first.channels) == 1
    channels = [
        name if single and name else f"{name} {own}".strip()
        for name, layout in zip(names, layouts, strict=True)
        for own in layout.channels
    ]
    shape = list(first.shape)
    shape[first.dims.index("c")] = len(channels)
    return replace(first, channels=channels, shape=tuple(shape))


class Place:
    """Writes the result of one channel to its place among the others'.

    Parameters
    ----------
    out
        Takes all of them.
    layout
        Of this one.
    index
        Which it is.
    """

    def __init__(self, out: Writable, layout: Layout, index: int) -> None:
        self._out = out
        self._axis = layout.dims.index("c")
        count = len(layout.channels)
        self._channels = slice(index * count, (index + 1) * count)

    def __setitem__(self, key: Any, value: Any) -> None:
        place = list(key)
        place[self._axis] = self._channels
        self._out[tuple(place)] = value
