"""Which channel of an image is meant: one of them, or each by itself."""

import re
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from imaging.cli import UserError

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
    _, names = _called(image)
    count = len(names)
    one_by_one = [image.isel(c=i) for i in range(count)] if "c" in image.dims else [image]
    if wanted == ALL:
        several = count > 1
        return [Chosen(n * several, one) for n, one in zip(names, one_by_one, strict=True)]
    place = _place(image, wanted)
    if place is not None:
        return [Chosen("", one_by_one[place])]
    raise UserError(
        f"The image has no single channel '{wanted}': "
        f"give --channel one of {there(image)}, or {ALL}."
    )


def _place(image: xr.DataArray, wanted: str) -> int | None:
    numbers, names = _called(image)
    for called in (names, numbers):
        if called.count(wanted) == 1:
            return called.index(wanted)
    return None


def _called(image: xr.DataArray) -> tuple[list[str], list[str]]:
    """Return the numbers and the names of the channels."""
    numbers = [str(number) for number in range(1, image.sizes.get("c", 1) + 1)]
    known = "c" in image.coords
    return numbers, [str(name) for name in np.atleast_1d(image.coords["c"])] if known else numbers


def there(image: xr.DataArray) -> str:
    """List the channels of an image by number and name."""
    return ", ".join(
        number if name == number else f"{number} ({name})"
        for number, name in zip(*_called(image), strict=True)
    )


def identifiers(image: xr.DataArray) -> list[str]:
    """Name the channels of an image as packages may.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x.

    Returns
    -------
    list of str
        Identifiers, all different: "DAPI_405" of "DAPI 405"; "channel_1" where the image names none
        or several alike.
    """
    numbers, names = _called(image)
    found = [re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") for name in names]
    found = [n if n.isidentifier() and not iskeyword(n) else f"channel_{n}" for n in found]
    if "channel_" in found or len(set(found)) < len(found):
        return [f"channel_{number}" for number in numbers]
    return found


def one_channel(path: Path, image: xr.DataArray, wanted: str | None) -> xr.DataArray:
    """Return an image without the axis of channels.

    Parameters
    ----------
    path
        Its file.
    image
        Axes out of b, c, z, y, x.
    wanted
        The name or the number, from 1, of a channel; None where nobody said so. Of an image of one
        channel it is not asked for.

    Raises
    ------
    UserError
        There are several channels, and none of them is clearly meant.
    """
    if "c" not in image.dims:
        return image
    place = None if wanted is None else _place(image, wanted)
    if place is None:
        found = "and one is needed" if wanted is None else f"and none is clearly '{wanted}'"
        raise UserError(
            f"{path} has {image.sizes['c']} channels, {found}: "
            f"give --channel one of {there(image)}."
        )
    return image.isel(c=place)
