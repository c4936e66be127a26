"""Where an image is resolved and where not: Fourier ring correlation block by block."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from skimage.filters import threshold_otsu

from benchmark.metrics.metric import Image, NotApplicable
from benchmark.metrics.ring_correlation import SMOOTHING_RINGS, first_crossing, refuse_pair
from benchmark.metrics.rings import rings

BLOCK = 64
STRIDE = 8
# A threshold of so many standard deviations of noise; the next where a curve does not cross it.
_SIGMAS = (3, 5, 2)
# Blocks transformed at once: they stay within the processor's cache.
_BATCH = 64

_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RollingCorrelation:
    """The resolution around each cell of an image.

    Attributes
    ----------
    resolution_px
        (rows, columns) of cells: pixels per period; NaN where the block around a cell is
        unresolved, and in the background.
    stride
        Pixels per cell, along both axes.
    """

    resolution_px: NDArray[np.float64]
    stride: int

    @property
    def mean_px(self) -> float:
        """Return the mean resolution over the resolved foreground, pixels per period."""
        return float(np.nanmean(self.resolution_px))

    @property
    def value(self) -> float:
        """Return mean / min − 1 over the resolved foreground: 0 when equally good everywhere."""
        return self.mean_px / float(np.nanmin(self.resolution_px)) - 1


def rolling_correlation(first: Image, second: Image, stride: int = STRIDE) -> RollingCorrelation:
    """Return the Fourier ring correlation resolution around each cell of an image.

    Blocks of 64 x 64 pixels, without their mean and under a Hamming window, around the middle of
    each cell of `stride` x `stride` pixels, beyond the border mirrored; the curve of each, averaged
    over seven rings, is cut at 3 / √(N / 2) with N coefficients in a ring, where it does not cross
    this at 5 / √(N / 2), else at 2 / √(N / 2). Only the foreground is looked at: cells whose mean
    over both images reaches Otsu's threshold of these means. Source: Zhao et al. 2023
    (doi:10.1038/s41377-023-01321-0), who move the block by single pixels (stride 1, 64 times the
    work for nearly the same map: neighbouring blocks share 7/8 of their pixels at stride 8) and
    leave the background threshold to the user.

    Few coefficients make the curve of one block noisy: read the map as a trend, not per cell. The
    images must be independent acquisitions, see `benchmark.metrics.resolution`.

    Parameters
    ----------
    first, second
        Independent images of one field, one shape (y, x), at least 64 x 64.
    stride
        Pixels per cell.

    Returns
    -------
    RollingCorrelation
        With one resolved cell at least.

    Raises
    ------
    NotApplicable
        The images are too small or constant, or no block is resolved.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scene = ndimage.gaussian_filter(rng.random((96, 96)), 3)
    >>> one, two = (scene + rng.normal(0, 0.01, scene.shape) for _ in range(2))
    >>> rolling_correlation(one, two).resolution_px.shape
    (12, 12)
    """
    refuse_pair(first, second, BLOCK)
    cells = _foreground(first + second, stride)
    resolution = np.full(cells.shape, np.nan)
    rows, columns = np.nonzero(cells)
    blocks = [_blocks(image, stride) for image in (first, second)]
    found = [
        _resolution(*(of_image[rows[batch], columns[batch]] for of_image in blocks))
        for batch in (slice(i, i + _BATCH) for i in range(0, len(rows), _BATCH))
    ]
    resolution[rows, columns] = np.concatenate(found)
    if np.isnan(resolution).all():
        raise NotApplicable("Unresolved: no block of the images agrees at any frequency.")
    return RollingCorrelation(resolution, stride)


def _blocks(image: Image, stride: int) -> NDArray[np.float64]:
    """Return a view (rows, columns, block, block) of the blocks around all cells."""
    padded = np.pad(image, BLOCK // 2, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (BLOCK, BLOCK))
    middle = stride // 2
    return windows[middle : image.shape[0] : stride, middle : image.shape[1] : stride]


def _foreground(both: Image, stride: int) -> NDArray[np.bool_]:
    middle = stride // 2
    local = np.asarray(ndimage.uniform_filter(both, stride, mode="reflect"))
    means = local[middle::stride, middle::stride]
    return means >= threshold_otsu(means)


def _resolution(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pixels per period of pairs of blocks (n, block, block), NaN where unresolved."""
    ring_of, count = _block_rings()
    f1, f2 = _transform(one), _transform(two)
    shared = (f1.real * f2.real + f1.imag * f2.imag) @ ring_of
    power1 = (f1.real**2 + f1.imag**2) @ ring_of
    power2 = (f2.real**2 + f2.imag**2) @ ring_of
    length = np.sqrt(power1 * power2)
    curve = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    smooth = np.asarray(ndimage.uniform_filter1d(curve, SMOOTHING_RINGS, axis=1, mode="nearest"))
    frequency = np.arange(1, BLOCK // 2 + 1) / BLOCK
    result = np.full(len(curve), np.nan)
    for sigmas in _SIGMAS:
        crossing = first_crossing(frequency, smooth - sigmas / np.sqrt(count / 2))
        result = np.where(np.isnan(result), 1 / crossing, result)
    return result


def _transform(blocks: NDArray[np.float64]) -> NDArray[np.complex64]:
    window = np.hamming(BLOCK)
    centred = blocks - blocks.mean(axis=(1, 2), keepdims=True)
    faded = (centred * window[:, None] * window).astype(np.float32)
    return np.asarray(fft.rfft2(faded)).reshape(len(blocks), -1)


@functools.lru_cache(maxsize=1)
def _block_rings() -> tuple[_Floats, NDArray[np.float64]]:
    """Return which coefficients of a half transform each ring sums, and how many it has."""
    of_block = rings((BLOCK, BLOCK))
    return of_block.matrix(), of_block.count
