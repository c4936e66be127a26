"""Where targets come from: a list of them, and generated structures."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
        (y, x), what is written.
    brightness
        (y + 2 margin, x + 2 margin), float64: 0 is background, 1 bright structure. Light from the
        margin is blurred into the image. A generated volume has planes before: (z, ...), an odd
        number, of which the middle one is in focus.
    geometry
        What a generated image shows, in µm from its corner, depths from the plane of focus;
        nothing for images of the user.
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
    """

    pixel_size_um: float
    sources: list[str]
    origins: list[str]

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index, in any order."""
        ...


def random_generator(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one purpose, independent of all others and of their order."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def relative_brightness(image: Array, background: float, bright: float) -> FloatArray:
    """Scale so that the background is 0 and bright structure 1; float64."""
    return (image.astype(np.float64) - background) / (bright - background)


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
    ) -> None:
        self.pixel_size_um = pixel_size_um or DEFAULT_PIXEL_SIZE_UM
        self.sources = [f"generated {index:04d}" for index in range(count)]
        self.origins = [""] * count
        self._size_px = size_px
        self._seed = seed
        self._draw = (STRUCTURES | PHANTOMS)[structure]
        self._is_phantom = structure in PHANTOMS
        self._planes = (
            2 * math.ceil(thickness_um / PLANE_DISTANCE_UM / 2) + 1 if thickness_um else 0
        )

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index."""
        inner = slice(margin_px, margin_px + self._size_px)
        grid = self._grid(margin_px)
        margin_um = margin_px * self.pixel_size_um
        origin_um = np.concatenate([grid.focus_um, [margin_um, margin_um]])
        sides_um = np.full(2, self._size_px * self.pixel_size_um)
        for index in sorted(wanted):
            specimen = self._draw(grid, random_generator(self._seed, index, 0))
            focus = specimen.image[grid.shape[0] // 2] if grid.is_volume else specimen.image
            background, bright = 0.0, 1.0
            if not self._is_phantom:
                percentiles = [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE]
                background, bright = map(float, np.percentile(focus, percentiles))
                bright = max(bright, background + _DIMMEST)
            brightness = relative_brightness(specimen.image, background, bright)
            geometry = seen_from(specimen.geometry, origin_um, sides_um)
            yield index, Target(focus[inner, inner], brightness, geometry)

    def _grid(self, margin_px: int) -> Grid:
        side = self._size_px + 2 * margin_px
        if self._planes:
            return Grid((self._planes, side, side), self.pixel_size_um, PLANE_DISTANCE_UM)
        return Grid((side, side), self.pixel_size_um)
