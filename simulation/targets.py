"""Where targets come from: a list of them, and generated structures."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulation.stack import Stack
from simulation.structures import PHANTOMS, PLANE_DISTANCE_UM, STRUCTURES, Geometry, Grid, seen_from

DEFAULT_PIXEL_SIZE_UM = 0.08
BACKGROUND_PERCENTILE = 2.0
BRIGHT_PERCENTILE = 99.8
_DIMMEST = 0.1
"""A generated image that happens to show next to nothing is not brightened any further."""

Array = NDArray[np.number]
FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Target:
    """One target and what surrounds it.

    Attributes
    ----------
    image
        (y, x), or (z, y, x) of a stack: what is written.
    brightness
        (y + 2 margin, x + 2 margin), float64: 0 is background, 1 bright structure. Light from the
        margin is blurred into the image. A generated volume has planes before: (z, ...), an odd
        number, of which the middle one is in focus; of a stack these are `Stack.drawn`.
    geometry
        What a generated image shows, in µm from its corner, depths from the plane of focus, or
        from the upper side of the stack, whose planes are a step thick; nothing for images of the
        user.
    """

    image: Array
    brightness: FloatArray
    geometry: Geometry | None = None


class Targets(Protocol):
    """A list of targets of one pixel size.

    Attributes
    ----------
    pixel_size_um
        Side of a pixel, µm before expansion.
    sources
        Name of the specimen or file of each target.
    origins
        Where in its source each target lies; empty strings when that says nothing.
    largest
        Rows and columns of the largest target.
    """

    pixel_size_um: float
    sources: list[str]
    origins: list[str]
    largest: tuple[int, int]

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index, in any order."""
        ...


def random_generator(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one purpose, independent of all others and of their order."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def relative_brightness(image: Array, background: float, bright: float) -> FloatArray:
    """Scale so that the background is 0 and bright structure 1; float64."""
    return (image.astype(np.float64) - background) / (bright - background)


def planes_of(thickness_um: float) -> int:
    """Return in how many planes a volume of some thickness is drawn, an odd number; 1 of none."""
    return 2 * math.ceil(thickness_um / PLANE_DISTANCE_UM / 2) + 1


class Generated:
    """Generated structures or phantoms; each image is a specimen of its own.

    Parameters
    ----------
    count
        Number of images.
    size_px
        Their side, pixels.
    pixel_size_um
        Side of a pixel, µm before expansion; 0.08 when omitted.
    seed
        Image i depends on the seed and on i alone.
    structure
        Name in `STRUCTURES`, scaled so that the background is 0 and bright structure 1, or in
        `PHANTOMS`, which are drawn so.
    thickness_um
        Thickness of a volume, whose middle plane is the image; 0 for a structure that lies in the
        plane of focus alone.
    stack
        Planes to record of a volume; one image without it.
    """

    def __init__(
        self,
        count: int,
        size_px: int,
        pixel_size_um: float | None,
        seed: int,
        *,
        structure: str = "cells",
        thickness_um: float = 0.0,
        stack: Stack | None = None,
    ) -> None:
        self.pixel_size_um = pixel_size_um or DEFAULT_PIXEL_SIZE_UM
        self.sources = [f"generated {index:04d}" for index in range(count)]
        self.origins = [""] * count
        self.largest = (size_px, size_px)
        self._size_px = size_px
        self._seed = seed
        self._draw = (STRUCTURES | PHANTOMS)[structure]
        self._is_phantom = structure in PHANTOMS
        self._stack = stack
        self._planes = planes_of(thickness_um)

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index."""
        inner = slice(margin_px, margin_px + self._size_px)
        grid = self._grid(margin_px)
        origin_um, sides_um = self._part(grid, margin_px)
        for index in sorted(wanted):
            specimen = self._draw(grid, random_generator(self._seed, index, 0))
            focus = self._in_focus(specimen.image)
            background, bright = 0.0, 1.0
            if not self._is_phantom:
                percentiles = [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE]
                background, bright = map(float, np.percentile(focus, percentiles))
                bright = max(bright, background + _DIMMEST)
            brightness = relative_brightness(specimen.image, background, bright)
            geometry = seen_from(specimen.geometry, origin_um, sides_um)
            yield index, Target(focus[..., inner, inner], brightness, geometry)

    def _grid(self, margin_px: int) -> Grid:
        side = self._size_px + 2 * margin_px
        if self._stack:
            distance_um = self._stack.plane_distance_um
            return Grid((self._stack.drawn, side, side), self.pixel_size_um, distance_um)
        if self._planes > 1:
            return Grid((self._planes, side, side), self.pixel_size_um, PLANE_DISTANCE_UM)
        return Grid((side, side), self.pixel_size_um)

    def _in_focus(self, drawn: Array) -> Array:
        """Return what was drawn where the microscope records it in focus."""
        if self._stack:
            return self._stack.means(drawn)
        return drawn[len(drawn) // 2] if drawn.ndim == 3 else drawn

    def _part(self, grid: Grid, margin_px: int) -> tuple[FloatArray, FloatArray]:
        """Return corner and sides of the target in the grid, µm."""
        margin_um, side_um = margin_px * self.pixel_size_um, self._size_px * self.pixel_size_um
        top_um, height_um = grid.focus_um, np.array([])
        if self._stack:
            first_um = (self._stack.recorded[0] + 0.5) * self._stack.plane_distance_um
            top_um = np.array([first_um - self._stack.z_step_um / 2])
            height_um = np.array([self._stack.planes * self._stack.z_step_um])
        return (
            np.concatenate([top_um, [margin_um, margin_um]]),
            np.concatenate([height_um, [side_um, side_um]]),
        )
