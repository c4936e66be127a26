"""The one intensity convention: percentile 2 becomes 0, percentile 99.8 becomes 1, per image.

It is what a package's `scale_range` preprocessing does (https://bioimage.io, format 0.5), and what
training does to both images of a pair.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOW_PERCENTILE = 2.0
HIGH_PERCENTILE = 99.8
EPSILON = 1e-6


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
        ``(image - P_low) / (P_high - P_low + 1e-6)``, same shape.
    """
    values = np.asarray(image, dtype=np.float64)
    bottom, top = np.percentile(values, [low, high])
    return ((values - bottom) / (top - bottom + EPSILON)).astype(np.float32)
