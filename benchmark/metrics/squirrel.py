"""The fit behind SQUIRREL: a restoration blurred and scaled to look like what was measured."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, optimize

from benchmark.metrics.metric import Image, NotApplicable

# The blurs that are tried, Gaussian σ in pixels.
NARROWEST_PX, WIDEST_PX = 0.5, 10.0
_STARTS = 16
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class ScaledFit:
    """A restoration blurred and scaled to look like the measurement.

    Attributes
    ----------
    fitted
        α·(restoration ⊗ G_σ) + β, (y, x), in the intensities of the measurement.
    sigma_px
        Gaussian σ of the blur, 0.5 to 10 pixels.
    pearson
        Correlation of the blurred restoration with the measurement.
    """

    fitted: Image
    sigma_px: float
    pearson: float


def resolution_scaled_fit(reference: Image, image: Image) -> ScaledFit:
    """Blur and scale an image to a reference of lower resolution, by least squares.

    min over α ≥ 0, β and σ of ‖(α·image + β) ⊗ G_σ − reference‖. Source: Culley et al. 2018
    (doi:10.1038/nmeth.4605). For each σ, α and β are the regression line and what is left is
    var(reference)·(1 − ρ²), so the best σ is that of the highest correlation ρ: 16 spaced evenly on
    a logarithmic scale, then by golden section between the neighbours of the best. The blur mirrors
    the image at its borders: in its cosine transform it is a product.

    Parameters
    ----------
    reference, image
        One shape (y, x), at least 16 x 16.

    Returns
    -------
    ScaledFit
        α = 0 when no blur correlates: inverted contrast does not fit.

    Raises
    ------
    NotApplicable
        The images are too small, or one of them is constant.

    Examples
    --------
    >>> from scipy import ndimage
    >>> image = np.random.default_rng(0).random((64, 64))
    >>> fit = resolution_scaled_fit(5 * ndimage.gaussian_filter(image, 2) + 3, image)
    >>> round(fit.sigma_px, 2), round(fit.pearson, 4)
    (2.0, 1.0)
    """
    if min(reference.shape) < _SMALLEST_SIDE:
        raise NotApplicable(
            f"A blur is fitted to at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels, "
            f"not {reference.shape[0]} x {reference.shape[1]}."
        )
    for name, plane in (("input", reference), ("prediction", image)):
        if plane.min() == plane.max():
            raise NotApplicable(f"The {name} is constant, so nothing can be fitted.")
    of_reference, of_image = (
        np.asarray(fft.dctn(plane - plane.mean(), norm="ortho")) for plane in (reference, image)
    )
    shared, power = of_reference * of_image, of_image**2
    length = math.sqrt(np.vdot(of_reference, of_reference))

    def regression(sigma_px: float) -> tuple[float, float]:
        """Return covariance and variance of the blurred image with and without the reference."""
        rows, columns = (_transfer(side, sigma_px) for side in image.shape)
        return float(rows @ shared @ columns), float(rows**2 @ power @ columns**2)

    def correlation(sigma_px: float) -> float:
        covariance, variance = regression(sigma_px)
        return covariance / (math.sqrt(variance) * length)

    starts = np.geomspace(NARROWEST_PX, WIDEST_PX, _STARTS)
    best = int(np.argmax([correlation(sigma) for sigma in starts]))
    around = np.log(starts[[max(best - 1, 0), min(best + 1, _STARTS - 1)]])
    found = optimize.minimize_scalar(
        lambda log: -correlation(math.exp(log)), bounds=around, method="bounded"
    )
    sigma_px = max(math.exp(found.x), starts[best], key=correlation)
    covariance, variance = regression(sigma_px)
    slope = max(0.0, covariance / variance)
    rows, columns = (_transfer(side, sigma_px) for side in image.shape)
    blurred = np.asarray(fft.idctn(of_image * rows[:, None] * columns, norm="ortho"))
    return ScaledFit(slope * blurred + reference.mean(), sigma_px, correlation(sigma_px))


def _transfer(side: int, sigma_px: float) -> NDArray[np.float64]:
    """Return what a Gaussian blur leaves of each cosine along one axis."""
    return np.exp(-0.5 * (sigma_px * np.pi * np.arange(side) / side) ** 2)
