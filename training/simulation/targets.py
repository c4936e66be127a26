"""Where targets come from: a list of them, and generated structures."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.simulation.structures import membranes

DEFAULT_PIXEL_SIZE_UM = 0.08
BACKGROUND_PERCENTILE = 2.0
BRIGHT_PERCENTILE = 99.8

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
        margin is blurred into the image.
    """

    image: Array
    brightness: FloatArray


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
    """Generated membrane-labelled cells; each image is a specimen of its own.

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
    """

    def __init__(self, count: int, size_px: int, pixel_size_um: float | None, seed: int) -> None:
        self.pixel_size_um = pixel_size_um or DEFAULT_PIXEL_SIZE_UM
        self.sources = [f"generated {index:04d}" for index in range(count)]
        self.origins = [""] * count
        self._size_px = size_px
        self._seed = seed

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index."""
        inner = slice(margin_px, margin_px + self._size_px)
        for index in sorted(wanted):
            rng = random_generator(self._seed, index, 0)
            field = membranes(self._size_px + 2 * margin_px, self.pixel_size_um, rng)
            background, bright = np.percentile(field, [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE])
            brightness = relative_brightness(field, float(background), float(bright))
            yield index, Target(field[inner, inner], brightness)
