"""The grid that a structure is drawn on, and what is drawn: an image with its exact geometry."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

TARGET_FWHM_UM = 0.07
"""Resolution of a fourfold expanded image in units before expansion, in the plane."""

TARGET_AXIAL_FWHM_UM = 0.2
"""Resolution of a fourfold expanded volume in units before expansion, along the optical axis."""

PLANE_DISTANCE_UM = 0.25
"""Distance of the planes that a volume is drawn in."""

FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))

FloatArray: TypeAlias = NDArray[np.floating]

Geometry: TypeAlias = dict[str, list[dict[str, Any]]]
"""Objects by kind. Each has `points_um`, a list of (y, x) or (z, y, x), and metadata in numbers.

Lengths are µm from the corner of the image: the centre of the first pixel lies at half a pixel.
"""


@dataclass(frozen=True)
class Grid:
    """The pixels of an image or the voxels of a volume.

    Attributes
    ----------
    shape
        (y, x) or (z, y, x).
    pixel_size_um
        Side of a pixel in the plane, µm before expansion.
    z_step_um
        Distance of neighbouring planes, µm; 0 for an image.
    """

    shape: tuple[int, ...]
    pixel_size_um: float
    z_step_um: float = 0.0

    @property
    def is_volume(self) -> bool:
        """Whether there are planes."""
        return len(self.shape) == 3

    @property
    def steps_um(self) -> FloatArray:
        """Distance of neighbouring voxels along each axis, (axes,), µm."""
        plane = (self.pixel_size_um, self.pixel_size_um)
        return np.array((self.z_step_um, *plane) if self.is_volume else plane)

    @property
    def sides_um(self) -> FloatArray:
        """Length along each axis, (axes,), µm."""
        return np.array(self.shape) * self.steps_um

    @property
    def area_um2(self) -> float:
        """Area of a plane."""
        return float(np.prod(self.sides_um[-2:]))

    @property
    def focus_um(self) -> FloatArray:
        """Depth of the middle plane, (1,), µm; empty for an image, which is one plane only."""
        depth_um = (self.shape[0] // 2 + 0.5) * self.z_step_um
        return np.array([depth_um] if self.is_volume else [])

    @property
    def sigmas_px(self) -> FloatArray:
        """Standard deviation of the target's resolution along each axis, (axes,), pixels."""
        axial = [TARGET_AXIAL_FWHM_UM] if self.is_volume else []
        return np.array([*axial, TARGET_FWHM_UM, TARGET_FWHM_UM]) / FWHM_PER_SIGMA / self.steps_um

    def centres_um(self, axis: int) -> FloatArray:
        """Centres of the voxels along an axis, µm."""
        return (np.arange(self.shape[axis]) + 0.5) * self.steps_um[axis]


@dataclass(frozen=True)
class Specimen:
    """A structure as the expanded specimen shows it.

    Attributes
    ----------
    image
        float32, of the grid's shape, not negative: 0 is no label, about 1 bright structure. It has
        the resolution of a fourfold expanded image.
    geometry
        The truth about what is drawn, in µm rounded to a tenth of a nanometre.
    """

    image: NDArray[np.float32]
    geometry: Geometry


Structure: TypeAlias = Callable[[Grid, np.random.Generator], Specimen]
"""Draws a specimen on a grid, with a generator as its only source of randomness.

The same state of the generator gives the same specimen.
"""


def entry(points_um: ArrayLike, **metadata: Any) -> dict[str, Any]:
    """Write down one object of a geometry.

    Parameters
    ----------
    points_um
        Where it is: one point (axes,) or several (n, axes), µm.
    **metadata
        Numbers, texts or arrays about it.

    Returns
    -------
    dict
        The same in plain Python types, numbers rounded to 1e-4.
    """
    described = {"points_um": np.atleast_2d(points_um), **metadata}
    return {name: _plain(value) for name, value in described.items()}


def seen_from(geometry: Geometry, origin_um: FloatArray, sides_um: FloatArray) -> Geometry:
    """Express a geometry in a part of its image.

    Parameters
    ----------
    geometry
        As drawn.
    origin_um
        Where coordinates are to be counted from, (axes,), µm.
    sides_um
        Sides (y, x) or (z, y, x) of the part, µm, from `origin_um` on.

    Returns
    -------
    dict
        Moved; objects without any point in (or over) the part are left out. Empty kinds stay.
    """
    moved: Geometry = {}
    for kind, objects in geometry.items():
        moved[kind] = []
        for object in objects:
            points_um = np.array(object["points_um"]) - origin_um
            within = points_um[:, -len(sides_um) :]
            if ((within >= 0) & (within <= sides_um)).all(1).any():
                moved[kind].append({**object, "points_um": _plain(points_um)})
    return moved


def _plain(value: Any) -> Any:
    """Round numbers and arrays, and leave texts alone."""
    if isinstance(value, np.ndarray | list | tuple):
        return np.round(np.asarray(value, dtype=np.float64), 4).tolist()
    return round(float(value), 4) if isinstance(value, float | np.floating) else value
