"""What the channels of a restored image are."""

import numpy as np
import xarray as xr


def mean_channel(image: xr.DataArray) -> xr.DataArray:
    """Take the channel that is compared with the truth and shown.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x.

    Returns
    -------
    xr.DataArray
        Without the axis c: of several channels the one named mean, or else the first.
    """
    if "c" not in image.dims:
        return image
    mean = named_channel(image, "mean")
    return image.isel(c=0) if mean is None else mean


def named_channel(image: xr.DataArray, name: str) -> xr.DataArray | None:
    """Take a channel by its name.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x.
    name
        For example "std".

    Returns
    -------
    xr.DataArray or None
        Without the axis c; None where no channel has this name.
    """
    if "c" not in image.coords:
        return None
    names = [str(name) for name in np.atleast_1d(image.coords["c"].values)]
    if name not in names:
        return None
    return image.isel(c=names.index(name)) if "c" in image.dims else image
