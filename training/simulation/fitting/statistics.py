"""What is compared between real and simulated images: noise, its correlation, the spectrum."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Images: TypeAlias = Sequence[NDArray[Any]]
Floats: TypeAlias = NDArray[np.float64]

NOISE_SIGMA_PX = 1.5
_MAX_BANDS = 32
_TINY = 1e-12  # a flat image has no variance to divide by


def noise_of(planes: Floats) -> Floats:
    """Return what is finer than a Gaussian of `NOISE_SIGMA_PX`: mostly noise.

    Parameters
    ----------
    planes
        (..., y, x).

    Returns
    -------
    NDArray
        Same shape; of white noise 1 − 2g(0) + Σg² = 0.89 of the variance is left.
    """
    return planes - gaussian_filter(planes, NOISE_SIGMA_PX, axes=(-2, -1))


def autocorrelation(noise: Floats, lag_px: int, axis: int) -> Floats:
    """Return how much noise resembles that of a neighbour.

    Parameters
    ----------
    noise
        (..., y, x), mean 0.
    lag_px
        Distance of the neighbour, at least 1.
    axis
        −2 along y, −1 along x.

    Returns
    -------
    NDArray
        (...): 1 would be equal, 0 is independent. The high-pass of `noise_of` itself makes
        neighbours of white noise slightly negative.
    """
    along = np.moveaxis(noise, axis, -1)
    products = along[..., lag_px:] * along[..., :-lag_px]
    return products.mean(axis=(-2, -1)) / ((noise**2).mean(axis=(-2, -1)) + _TINY)


def radial_power(images: Images, pixel_size_um: float) -> tuple[Floats, Floats]:
    """Return the power spectrum of images, averaged over directions and planes.

    Parameters
    ----------
    images
        Images (y, x) or stacks (z, y, x), of any size of at least 4 pixels a side.
    pixel_size_um
        Side of a pixel.

    Returns
    -------
    frequency
        Middle of each band, cycles per µm, up to the Nyquist frequency.
    power
        Same shape, squared units of the images; white noise lies at its variance, but for the
        lowest band, from which the mean is taken.
    """
    bands = min(_MAX_BANDS, *(min(image.shape[-2:]) // 4 for image in images))
    sums, planes = np.zeros(bands), 0
    for image in images:
        stack = image.reshape(-1, *image.shape[-2:]).astype(np.float64)
        window = np.hanning(stack.shape[1])[:, None] * np.hanning(stack.shape[2])
        stack -= stack.mean(axis=(1, 2), keepdims=True)
        power = (np.abs(np.fft.fft2(stack * window)) ** 2).sum(axis=0) / (window**2).sum()
        axes = [np.fft.fftfreq(side) for side in stack.shape[1:]]
        band = (np.hypot(axes[0][:, None], axes[1]) * 2 * bands).astype(int).ravel()
        inside = (band < bands) & (np.arange(band.size) > 0)  # without corners and the mean
        weight = np.bincount(band[inside], minlength=bands)
        sums += np.bincount(band[inside], power.ravel()[inside], bands) / weight
        planes += len(stack)
    frequency = (np.arange(bands, dtype=np.float64) + 0.5) / (2 * bands * pixel_size_um)
    return frequency, sums / planes
