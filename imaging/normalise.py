"""The one intensity convention: percentile 2 becomes 0, percentile 99.8 becomes 1, per image.

It is what a package's `scale_range` preprocessing does (https://bioimage.io, format 0.5), and what
training does to both images of a pair.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOW_PERCENTILE = 2.0
HIGH_PERCENTILE = 99.8
EPSILON = 1e-6

_FAINT = 1e4  # times what is added: below it, 0.01 % of the contrast would be lost, and more


def gain_for(extent: float, epsilon: float = EPSILON) -> float:
    """Return what to multiply a faint image by, so that what is added to its range is nothing.

    The unit of an image is arbitrary, so nothing may depend on it. A power of two changes no digit.

    Parameters
    ----------
    extent
        Range of its intensities, such as the distance of two percentiles.
    epsilon
        What is added to it.

    Returns
    -------
    float
        1 for a constant image and for one whose range is at least 10000 times what is added; for
        others a power of two that brings the range between 1 and 2.

    Examples
    --------
    >>> gain_for(300.0), gain_for(2.0**-20), gain_for(0.0)
    (1.0, 1048576.0, 1.0)
    """
    if not 0 < extent < _FAINT * epsilon:
        return 1.0
    return math.ldexp(1.0, 1 - math.frexp(extent)[1])


def normalise(
    image: ArrayLike, low: float = LOW_PERCENTILE, high: float = HIGH_PERCENTILE
) -> NDArray[np.float32]:
    """Map two percentiles of an image to 0 and 1.

    Parameters
    ----------
    image
        Intensities, any shape.
    low, high
        Percentiles that become 0 and 1.

    Returns
    -------
    ndarray of float32
        ``(image - P_low) / (P_high - P_low + 1e-6)``, same shape; the image times `gain_for` its
        range where that is faint.
    """
    values = np.asarray(image, dtype=np.float64)
    bottom, top = np.percentile(values, [low, high])
    return between(values, float(bottom), float(top))


def between(image: ArrayLike, bottom: float, top: float) -> NDArray[np.float32]:
    """Map two intensities to 0 and 1, as `normalise` does with two percentiles.

    Parameters
    ----------
    image
        Intensities, any shape.
    bottom, top
        What become 0 and 1.

    Returns
    -------
    ndarray of float32
        Same shape.
    """
    values = np.asarray(image, dtype=np.float64)
    gain = gain_for(top - bottom)
    return ((values - bottom) / (top - bottom + EPSILON / gain)).astype(np.float32)
