"""What is compared between real and simulated images: noise and its correlation."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Images: TypeAlias = Sequence[NDArray[Any]]
Floats: TypeAlias = NDArray[np.float64]

NOISE_SIGMA_PX = 1.5
_TINY = 1e-12  # a flat image has no variance to divide by


def noise_of(planes: Floats) -> Floats:
    """Return what is finer than a Gaussian of `NOISE_SIGMA_PX`: mostly noise, (..., y, x).

    Of white noise 1 − 2g(0) + Σg² = 0.89 of the variance is left.
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
