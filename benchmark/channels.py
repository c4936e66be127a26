"""Which channel of a restored image is the restoration."""

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
    names = [str(name) for name in image.coords["c"].values] if "c" in image.coords else []
    return image.isel(c=names.index("mean") if "mean" in names else 0)
