"""Where an image is resolved, as a picture: rolling Fourier ring correlation of two recordings."""

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import NotApplicable
from benchmark.metrics.rolling import rolling_correlation


def resolution_map(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return up to which frequency two images agree around each pixel.

    Parameters
    ----------
    one, other
        (y, x), restored from independent recordings of one field; or these themselves.

    Returns
    -------
    ndarray
        (y, x), cycles per pixel, the same for all pixels of a cell; 0 in the background and where
        nothing is resolved, for instance where the images are too small.
    """
    try:
        found = rolling_correlation(one, other)
    except NotApplicable:
        return np.zeros_like(one)
    cells = np.nan_to_num(1 / found.resolution_px)
    pixels = cells.repeat(found.stride, axis=0).repeat(found.stride, axis=1)
    # The last cell of a row reaches as far as the image does.
    missing = [max(0, want - have) for want, have in zip(one.shape, pixels.shape, strict=True)]
    filled = np.pad(pixels, [(0, length) for length in missing], mode="edge")
    return filled[: one.shape[0], : one.shape[1]]
