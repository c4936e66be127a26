"""Acquisitions of one scene, for tests of metrics."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float64]


def curves(side: int, seed: int = 0) -> Plane:
    """Draw thin bright curves on black: sparse structure with detail down to the pixel."""
    rng = np.random.default_rng(seed)
    scene = np.zeros((side, side))
    along = np.linspace(-side, side, 6 * side)
    for _ in range(side // 8):
        y, x, angle = rng.random(3) * (side, side, 2 * np.pi)
        rows = np.rint(y + along * np.sin(angle)).astype(int)
        columns = np.rint(x + along * np.cos(angle) + 20 * np.sin(along / 50)).astype(int)
        inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
        scene[rows[inside], columns[inside]] = 1
    return scene


def blurred(image: Plane, sigma_px: float) -> Plane:
    return np.asarray(ndimage.gaussian_filter(image, sigma_px), dtype=np.float64)


def repeats(scene: Plane, photons: float, seed: int = 0) -> tuple[Plane, Plane]:
    """Return two acquisitions with independent shot noise, `photons` at the brightest pixel."""
    rng = np.random.default_rng(seed)
    mean = scene / scene.max() * photons + 2
    return rng.poisson(mean).astype(np.float64), rng.poisson(mean).astype(np.float64)
