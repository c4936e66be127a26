"""A scene as an input and a target show it, with a known deformation between them."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.benchmark.metrics.acquisitions import blurred, curves

Plane = NDArray[np.float64]
MARGIN = 32  # of scene around what both show
BLUR_PX = 3.0


def deformation(
    side: int,
    *,
    shift_px: tuple[float, float] = (0, 0),
    rotation_deg: float = 0,
    scale: float = 1,
    bend_px: float = 0,
) -> Plane:
    """(2, side, side): where the target has what belongs to each pixel; one slow wave of bends."""
    offset = np.indices((side, side)) - (side - 1) / 2
    angle = math.radians(rotation_deg)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    field = np.tensordot(scale * turn - np.eye(2), offset, axes=1)
    field += np.array(shift_px)[:, None, None]
    waves = np.sin(2 * np.pi * offset / 160)
    return field + bend_px * np.stack([waves[1], -waves[0]])


def pair(field: Plane, photons: float = 50, seed: int = 0) -> tuple[Plane, Plane]:
    """Blur and noise of a microscope on the input; the sharp target, deformed."""
    side = field.shape[-1]
    wide = side + 2 * MARGIN
    scene = blurred(curves(wide, seed), 0.7)
    inner = slice(MARGIN, -MARGIN)
    # What the input has at x, the target has at x + field(x): solved for where x is.
    padded = np.pad(
        field, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)), mode="reflect", reflect_type="odd"
    )
    pixels = np.indices((wide, wide)).astype(np.float64)
    at = pixels - padded
    for _ in range(20):
        at = pixels - np.stack(
            [ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in padded]
        )
    target = ndimage.map_coordinates(scene, at, order=3, mode="mirror")
    mean = blurred(scene, BLUR_PX)
    counts = np.random.default_rng(seed).poisson(mean / mean.max() * photons + 3)
    return counts[inner, inner] * 2.0 + 100, target[inner, inner]
