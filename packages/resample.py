"""The one interpolation of this house: simulation and prediction must agree on it.

Samples sit at pixel centres, so the two grids share their outer edges (PyTorch's
``align_corners=False``, scikit-image's and OpenCV's default). Towards finer pixels this is linear
interpolation. Towards coarser pixels the triangle is widened to the new pixel, as Pillow and
``torch.nn.functional.interpolate(antialias=True)`` do, for otherwise noise and detail would alias.
"""

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]


def linear(
    image: np.ndarray | xr.DataArray,
    shape: tuple[int, int],
    region: tuple[slice, slice] | None = None,
) -> Floats:
    """Resample the last two axes, whole or a region at a time.

    Parameters
    ----------
    image
        (..., y, x), any number type. Of a lazy array only what the region needs is read.
    shape
        Rows and columns of the whole result.
    region
        Rows and columns of the result to compute, with start and stop; all when omitted. Regions
        equal the same part of the whole bit for bit.

    Returns
    -------
    ndarray
        (..., rows, columns); float64 for float64 and 32- or 64-bit integer images, else float32.
    """
    rows, columns = region or (slice(0, shape[0]), slice(0, shape[1]))
    y_taps, y_weights, y_source = _taps(image.shape[-2], shape[0], rows)
    x_taps, x_weights, x_source = _taps(image.shape[-1], shape[1], columns)
    source = np.asarray(image[..., y_source, x_source])
    dtype = np.result_type(source.dtype, np.float32)
    source = source.astype(dtype, copy=False)
    y_weights = y_weights.astype(dtype)[..., None]
    x_weights = x_weights.astype(dtype)
    if image.shape[-2] != shape[0]:
        source = _weighted_sum(source, y_taps, y_weights, axis=-2)
    if image.shape[-1] != shape[1]:
        source = _weighted_sum(source, x_taps, x_weights, axis=-1)
    return source


def _weighted_sum(source: Floats, taps: NDArray[np.intp], weights: Floats, axis: int) -> Floats:
    """Return the weighted sum of the samples named by each row of `taps` along an axis."""
    total = source.take(taps[0], axis) * weights[0]
    for index, weight in zip(taps[1:], weights[1:], strict=True):
        total += source.take(index, axis) * weight
    return total


def _taps(
    size: int, new_size: int, part: slice
) -> tuple[NDArray[np.intp], NDArray[np.float64], slice]:
    """Return (taps, n) indices into the needed part of the source, their weights, and that part.

    The triangle has half-width one pixel of the coarser of the two grids; where it reaches beyond
    the image, its weights inside are renormalised, which for interpolation repeats the edge.
    """
    scale = size / new_size
    reach = max(scale, 1.0)
    centres = (np.arange(part.start, part.stop) + 0.5) * scale - 0.5
    # The number of taps depends on the scale alone: a region adds in the same order as the whole.
    offsets = np.arange(math.ceil(2 * reach))[:, None]
    taps = np.floor(centres - reach).astype(np.intp) + 1 + offsets
    weights = np.maximum(1 - np.abs(taps - centres) / reach, 0)
    weights[(taps < 0) | (taps >= size)] = 0
    weights /= weights.sum(axis=0)
    taps = taps.clip(0, size - 1)
    first, last = int(taps.min()), int(taps.max())
    return taps - first, weights, slice(first, last + 1)
