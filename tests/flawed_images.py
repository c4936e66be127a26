"""Planes with pixels that do not count, and the fields that they were made of."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 128
MIXED = 2
"""Pixels beside a border without data that do not count either."""


def structure(seed: int = 0) -> NDArray[np.float64]:
    """Return smooth structure from 0 to 1, of which little is bright."""
    noise = np.random.default_rng(seed).random((SIDE, SIDE))
    smooth = ndimage.gaussian_filter(noise, 3)
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min())) ** 4


def recorded(seed: int = 0) -> NDArray[np.uint16]:
    """Return structure as a camera with an offset of 100 records it, up to about 350."""
    return np.random.default_rng(seed).poisson(100 + 200 * structure(seed)).astype(np.uint16)


def framed(top: int = 30, right: int = 20) -> NDArray[np.uint16]:
    """Return a recorded field with zeros above and to the right of it."""
    return np.pad(recorded(), ((top, 0), (0, right)))


def with_bar(maximum: int = 65535) -> NDArray[np.uint16]:
    """Return a recorded field with a scale bar at a maximum, 1.5 % of the pixels."""
    plane = recorded()
    plane[110:114, 60:120] = maximum
    return plane


def with_hot_pixels(maximum: int = 4095) -> NDArray[np.uint16]:
    """Return a recorded field with 0.4 % of its pixels at a maximum."""
    plane = recorded()
    plane[np.random.default_rng(3).random(plane.shape) < 0.004] = maximum
    return plane
