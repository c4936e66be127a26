"""What counts as a structure of an image, and whether another image shows it, too.

An image is looked at through a spot: how far light under a Gaussian stands out above the light
around it. Where it does, the image is divided into pieces about as long as the spot is wide: a
bead is one piece, a tube a row of them, so that a bridge over a gap is judged by itself and not as
part of the tubes that it joins. The spot's width is one length, in pixels, that all else is a
multiple of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = [
    "FAINTEST",
    "SCALE_PX",
    "Structures",
    "are_shown",
    "covered_share",
    "find_structures",
    "paint",
]

SCALE_PX = 4
"""Radius of a piece, in pixels: one pixel of a microscope that samples four times coarser than
images are restored, and about the width of its PSF."""
FAINTEST = 0.01
"""Height below which nothing is looked at, where 0 is background and 1 bright structure."""

_SURROUNDINGS = 3  # widths of the spot
_AT_LEAST = 0.5  # of the height of what lies nearby

Image = NDArray[np.floating]


@dataclass(frozen=True)
class Structures:
    """Pieces of structure, the highest first.

    Attributes
    ----------
    places
        Row and column of the highest pixel of each, shape (n, 2).
    heights
        How far each stands out there, in the image's unit, shape (n,).
    """

    places: NDArray[np.intp]
    heights: NDArray[np.float64]


def find_structures(image: Image, scale_px: int = SCALE_PX) -> Structures:
    """Divide what stands out of an image into pieces.

    The highest pixel is the middle of a piece that reaches so many pixels as `scale_px` says; the
    highest of the pixels outside is the next one's, and so on down to `FAINTEST`. A pixel less than
    half as high as one no further away than half of `scale_px` is a flank and no middle.

    Parameters
    ----------
    image
        Shape (y, x).
    scale_px
        Radius of a piece.

    Returns
    -------
    Structures
        Any two further apart than `scale_px`.
    """
    height = _height(image, scale_px)
    rows, columns = height.shape
    flanks = height < _AT_LEAST * _highest_nearby(height, scale_px)
    candidates = np.flatnonzero((height > FAINTEST) & ~flanks)
    candidates = candidates[np.argsort(-height.ravel()[candidates], kind="stable")]
    around = _disc(scale_px)
    free = np.ones((rows + 2 * scale_px, columns + 2 * scale_px), np.bool_)
    places: list[tuple[int, int]] = []
    for candidate in candidates.tolist():
        y, x = divmod(candidate, columns)
        if free[y + scale_px, x + scale_px]:
            places.append((y, x))
            free[y : y + 2 * scale_px + 1, x : x + 2 * scale_px + 1] &= ~around
    found = np.array(places, np.intp).reshape(-1, 2)
    return Structures(found, height[found[:, 0], found[:, 1]])


def are_shown(structures: Structures, image: Image, scale_px: int = SCALE_PX) -> NDArray[np.bool_]:
    """Tell which structures of one image another image of the same field shows, too.

    It shows a structure if it stands out at least half as far itself, at some pixel no further
    away than half of `scale_px`.

    Parameters
    ----------
    structures
        Of the one image.
    image
        The other, in the same unit, shape (y, x).
    scale_px
        With which they were found.

    Returns
    -------
    ndarray
        Of bool, shape (n,).
    """
    there = _highest_nearby(_height(image, scale_px), scale_px)
    return there[tuple(structures.places.T)] >= _AT_LEAST * structures.heights


def paint(image: Image, levels: Sequence[float], scale_px: int = SCALE_PX) -> NDArray[np.uint8]:
    """Draw where the structures of an image are, by how many levels their height exceeds.

    Parameters
    ----------
    image
        Shape (y, x).
    levels
        Heights.
    scale_px
        Radius of a piece.

    Returns
    -------
    ndarray
        Shape (y, x): at each pixel that stands out, no further than `scale_px` from the middle of
        the nearest structure, how many of the levels this one exceeds; 0 elsewhere.
    """
    structures = find_structures(image, scale_px)
    middles = tuple(structures.places.T)
    drawn = np.zeros(image.shape, np.uint8)
    drawn[middles] = (structures.heights[:, None] > np.asarray(levels)).sum(axis=1)
    if not drawn.any():
        return drawn
    elsewhere = np.ones(image.shape, np.bool_)
    elsewhere[middles] = False
    found: Any = ndimage.distance_transform_edt(elsewhere, return_indices=True)
    distance, nearest = found
    inside = (distance <= scale_px) & (_height(image, scale_px) > 0)
    return np.where(inside, drawn[tuple(nearest)], 0).astype(np.uint8)


def covered_share(
    truth: Image, mask: NDArray[np.integer], scale_px: int = SCALE_PX
) -> float | None:
    """Return the share of the structures of an image in whose middle a mask is not 0.

    Parameters
    ----------
    truth
        Shape (y, x).
    mask
        Of the same shape.
    scale_px
        Radius of a piece.

    Returns
    -------
    float or None
        None where the image shows no structure.
    """
    structures = find_structures(truth, scale_px)
    if not len(structures.heights):
        return None
    return float(np.mean(mask[tuple(structures.places.T)] > 0))


def _height(image: Image, scale_px: int) -> NDArray[np.float64]:
    """Return how far light under a Gaussian stands out above that around it, pixel by pixel."""
    values = np.asarray(image, np.float64)
    width = scale_px / 2
    return ndimage.gaussian_filter(values, width) - ndimage.gaussian_filter(
        values, _SURROUNDINGS * width
    )


def _highest_nearby(height: NDArray[np.float64], scale_px: int) -> NDArray[np.float64]:
    return ndimage.maximum_filter(height, footprint=_disc(scale_px // 2))


def _disc(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return y**2 + x**2 <= radius**2
