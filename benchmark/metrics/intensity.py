"""Bringing two images to one intensity scale."""

import numpy as np
from numpy.typing import ArrayLike

from benchmark.metrics.metric import Image, NotApplicable
from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE


def normalise(
    image: ArrayLike, low: float = LOW_PERCENTILE, high: float = HIGH_PERCENTILE
) -> Image:
    """Map two percentiles of an image to 0 and 1.

    The scale on which packages deliver, as `imaging.normalise`; here in float64 and without its
    epsilon, so that scores do not depend on the unit of the truth, and an image without contrast is
    refused instead of delivered as zeros.

    Parameters
    ----------
    image
        Any shape; the percentiles are taken over all of it.
    low, high
        Percentiles, 0 to 100.

    Returns
    -------
    ndarray
        float64, not clipped.

    Raises
    ------
    NotApplicable
        Both percentiles have the same value, as in a constant or almost empty image.

    Examples
    --------
    >>> normalise([[10.0, 20.0, 30.0]], low=0, high=100)
    array([[0. , 0.5, 1. ]])
    """
    values = np.asarray(image, dtype=np.float64)
    bottom, top = ends(values, low, high)
    return (values - bottom) / (top - bottom)


def ends(
    values: Image, low: float = LOW_PERCENTILE, high: float = HIGH_PERCENTILE
) -> tuple[float, float]:
    """Return what `normalise` maps to 0 and 1, or raise as it does."""
    bottom, top = np.percentile(values, [low, high])
    if top <= bottom:
        raise NotApplicable(
            f"The image has the same value at its percentiles {low} and {high}, "
            "so it cannot be mapped to 0 and 1."
        )
    return float(bottom), float(top)


def value_range(truth: Image) -> float:
    """Return max − min of the truth.

    Raises
    ------
    NotApplicable
        The truth is constant.
    """
    extent = float(truth.max() - truth.min())
    if extent == 0:
        raise NotApplicable("The truth is constant, so there is no range to compare with.")
    return extent


def affine_fit(truth: Image, prediction: Image) -> Image:
    """Fit a·prediction + b to the truth by least squares.

    With the means removed, a = ⟨g, p⟩ / ⟨p, p⟩. The slope may come out negative: a prediction of
    inverted contrast fits as well as the right one.

    Parameters
    ----------
    truth, prediction
        Images of one shape (y, x).

    Returns
    -------
    ndarray
        The fitted prediction.

    Raises
    ------
    NotApplicable
        The prediction is constant: every slope fits.
    """
    low, high = prediction.min(), prediction.max()
    if low == high:
        raise NotApplicable("The prediction is constant, so its intensities cannot be fitted.")
    # A common factor leaves the fit as it is, and keeps the squares of extreme values finite.
    p = prediction / max(-low, high)
    p -= p.mean()
    centre = truth.mean()
    slope = np.vdot(truth - centre, p) / np.vdot(p, p)
    return centre + slope * p
