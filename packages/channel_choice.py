"""How the results of several channels of an image lie in one file."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from imaging.formats.header import Writable
from packages.restoration import Layout


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
