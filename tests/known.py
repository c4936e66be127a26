"""Images of a kind for tests, a record of them, and images of other kinds."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.known_images import KnownImages, know

Array = NDArray[np.float64]


def tissue(seed: int, side: int = 128, *, grain: float = 3.0, photons: float = 100.0) -> Array:
    """Draw bright patches of a size in pixels, and count their photons."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(side, side)), grain * rng.uniform(0.9, 1.1))
    bright = np.maximum(smooth / smooth.std() - 0.5, 0)
    return rng.poisson(photons * rng.uniform(0.8, 1.25) * bright + 5).astype(np.float64)


@cache
def known_tissue() -> KnownImages:
    """Return the record of 120 such images."""
    known = know([tissue(seed) for seed in range(120)], "tissue")
    assert known is not None
    return known


@cache
def known_beside_fine() -> KnownImages:
    """Return the record of the same images, and of somewhat finer ones that are none of them."""
    finer = {"finer": [tissue(seed, grain=2.5) for seed in range(3000, 3020)]}
    known = know([tissue(seed) for seed in range(120)], "tissue", finer)
    assert known is not None
    return known
