"""Images on another grid of the same field, without favour to those that come from elsewhere."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.resample import linear


def onto_grid(image: xr.DataArray, shape: tuple[int, int]) -> NDArray[np.floating]:
    """Bring an image to a grid of other pixels over the same field.

    Towards coarser pixels each new one is the mean over its area. The wider filter of
    `imaging.resample.linear` would smooth, and thereby improve, what is compared with images that
    were on that grid from the start. Towards finer pixels this is linear interpolation.

    Parameters
    ----------
    image
        Axes end with y, x.
    shape
        Rows and columns of the result.

    Returns
    -------
    ndarray
        (..., rows, columns).
    """
    values = image.values
    for axis, length in zip((-2, -1), shape, strict=True):
        if length < values.shape[axis]:
            values = area_mean(values, length, axis)
    return values if values.shape[-2:] == shape else linear(values, shape)


def area_mean(values: NDArray[np.floating], length: int, axis: int) -> NDArray[np.float64]:
    """Average over the pixels, and parts of pixels, that each coarser pixel covers.

    Parameters
    ----------
    values
        Any shape.
    length
        Of the result along the axis, at most that of the values.
    axis
        Along which to average.

    Returns
    -------
    ndarray
        Means that weigh the values by the length they have in common with the new pixel.

    Examples
    --------
    >>> area_mean(np.array([1.0, 3.0, 5.0]), 2, axis=0)
    array([1.66666667, 4.33333333])
    """
    fine = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    edges = np.arange(length + 1) * (len(fine) / length)
    whole = np.minimum(edges.astype(np.intp), len(fine) - 1)
    part = (edges - whole).reshape(-1, *(1,) * (fine.ndim - 1))
    before = np.concatenate([np.zeros_like(fine[:1]), np.cumsum(fine, axis=0)])
    integral = before[whole] + part * fine[whole]
    means = (integral[1:] - integral[:-1]) * (length / len(fine))
    return np.moveaxis(means, 0, axis)
