"""The project's one interpolation: simulation and prediction must agree on it.

Samples sit at pixel centres, so the two grids share their outer edges (PyTorch's
``align_corners=False``, scikit-image's and OpenCV's default). Towards finer pixels this is linear
interpolation. Towards coarser pixels the triangle is widened to the new pixel, as Pillow and
``torch.nn.functional.interpolate(antialias=True)`` do, for otherwise noise and detail would alias.
"""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["linear", "turned"]

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
    along_y = _taps(image.shape[-2], shape[0], rows)
    along_x = _taps(image.shape[-1], shape[1], columns)
    source = np.asarray(image[..., along_y.source, along_x.source])
    source = source.astype(np.result_type(source.dtype, np.float32), copy=False)
    return _weighted_sum(_weighted_sum(source, along_y, axis=-2), along_x, axis=-1)


class _Taps(NamedTuple):
    """Which samples of a part of the source each new sample is made of."""

    source: slice
    indices: NDArray[np.intp]  # (taps, new samples), into that part
    weights: NDArray[np.float64]  # (taps, new samples)


def turned(image: NDArray[Any], quarter_turns: int, flip: bool) -> NDArray[Any]:
    """Turn a plane, or all planes of a volume alike, and mirror it if asked for.

    Parameters
    ----------
    image
        Shape (..., y, x).
    quarter_turns
        From y to x.
    flip
        Whether its columns are reversed afterwards.

    Returns
    -------
    ndarray
        A view.
    """
    turned = np.rot90(image, quarter_turns, axes=(-2, -1))
    return turned[..., ::-1] if flip else turned


def _weighted_sum(source: Floats, taps: _Taps, axis: Literal[-2, -1]) -> Floats:
    if len(taps.indices) == 1:
        return source
    weights = taps.weights.astype(source.dtype)
    if axis == -2:
        weights = weights[..., None]
    total = source.take(taps.indices[0], axis) * weights[0]
    for index, weight in zip(taps.indices[1:], weights[1:], strict=True):
        total += source.take(index, axis) * weight
    return total


def _taps(size: int, new_size: int, part: slice) -> _Taps:
    """Find the taps of a part of one axis; a single one where the grids are the same.

    The triangle has half-width one pixel of the coarser of the two grids; where it reaches beyond
    the image, its weights inside are renormalised, which for interpolation repeats the edge.
    """
    if size == new_size:
        indices = np.arange(part.stop - part.start)[None]
        return _Taps(part, indices, np.ones(indices.shape))
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
    return _Taps(slice(first, last + 1), taps - first, weights)
