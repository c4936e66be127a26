"""Whether an image is like those that a package's model was trained on."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.known_images import LIKE, Judgement, KnownImages, best_windows, judge
from imaging.remarks import Remark
from imaging.resample import linear
from imaging.valid import SEARCHED_PX, Mask, find_valid, thinned

__all__ = ["Familiarity", "familiarity"]

UNLIKE = (
    "unlike the images that the model was trained on, so nobody has measured what it makes of "
    "them: compare the result with the input, and train on images like these if it matters."
)
TOO_SMALL = (
    "too few pixels that count, at the model's pixel size, to tell whether the model was trained "
    "on such images."
)

_MOST_PLANES = 5  # of a stack
_MOST_CANDIDATES = 64  # windows of a plane among which those with structure are sought
_FACTORS = (1 / 2, 2.0, 1 / 3, 3.0, 2 / 3, 3 / 2)  # of the pixel size, that a slip may have
_CLEAR = 1.5  # of a normal score: a direction that is worth naming
_NAMED = 2  # kinds of differences in a sentence


@dataclass(frozen=True)
class _Words:
    """What is said of a group of statistics: where some are low, where they are high, else."""

    otherwise: str
    low: str = ""
    high: str = ""
    statistics: tuple[str, ...] = ()


_WORDS = {
    "noise": _Words(
        "noise of another kind than in training (another detector, a filter?)",
        "less noise than in training (denoised, averaged or smoothed?)",
        "more noise than in training (less light?)",
        ("noise.size 0", "noise.size 1", "noise.size 2"),
    ),
    "spectrum": _Words(
        "details of other sizes than in training",
        "less fine detail than in training (blurred, denoised or magnified?)",
        "more fine detail than in training (finer structure, or noise of single pixels?)",
        tuple(f"spectrum.{band}" for band in range(3, 12)),
    ),
    "saturation": _Words(
        "darkest or brightest pixels unlike those in training (clipped?)",
        "its brightest pixels stand out less than in training (saturated?)",
        "single pixels far brighter than in training (hot pixels?)",
        ("saturation.highest",),
    ),
    "direction": _Words(
        "rows and columns differ otherwise than in training (jitter, stripes, oblong pixels?)"
    ),
    "structure": _Words("another kind of structure than in training"),
}


@dataclass(frozen=True)
class Familiarity:
    """Whether a model knows such an image.

    Attributes
    ----------
    is_known
        None where the image is too small to tell.
    words
        What is strange about it; empty where nothing is.
    """

    is_known: bool | None
    words: str = ""

    @property
    def remarks(self) -> list[Remark]:
        """Return what is to be said of the image; nothing where the model knows such images."""
        if self.is_known is None:
            return [Remark(TOO_SMALL)]
        return [] if self.is_known else [Remark(UNLIKE, self.words)]


def familiarity(known: KnownImages, image: xr.DataArray, grid: tuple[int, int]) -> Familiarity:
    """Compare an image with those a model was trained on.

    Parameters
    ----------
    known
        What the model's package says of these.
    image
        Axes out of b, c, z, y, x, with one channel; it may be lazy.
    grid
        Rows and columns of the model's pixel size, see `packages.resampling.grid`.

    Returns
    -------
    Familiarity
        From at most four windows with structure. Of a stack a few planes are looked at.
    """
    lacking = [_lacking(plane) for plane in _planes(image)]
    found = _judged(known, image, lacking, grid)
    if found is None or not found.is_strange:
        return Familiarity(None if found is None else True)
    # Clipping changes all else, too.
    groups = sorted(found.strangeness, key=lambda of: (of != "saturation", -found.strangeness[of]))
    strange = [group for group in groups if found.strangeness[group] > 1][:_NAMED]
    words = dict.fromkeys(_say(group, found) for group in strange)
    of_pixel_size = _of_pixel_size(known, image, lacking, grid)
    return Familiarity(False, "; ".join([*of_pixel_size, *words]))


def _lacking(plane: xr.DataArray) -> Mask | None:
    """Tell which pixels of a plane, of a large one of every second (third, ...), do not count.

    None where all do. Where the plane is constant, none does.
    """
    pixels = thinned(plane)
    if pixels.min() == pixels.max():
        return np.ones((1, 1), np.bool_)
    valid = find_valid(pixels)
    return None if valid is None else ~valid.pixels


def _judged(
    known: KnownImages,
    image: xr.DataArray,
    lacking: Sequence[Mask | None],
    grid: tuple[int, int],
) -> Judgement | None:
    usual = known.for_size(grid)
    if usual is None:
        return None
    windows = best_windows(list(_candidates(image, lacking, grid, usual.side_px)))
    return judge(usual, windows) if windows else None


def _say(group: str, found: Judgement) -> str:
    if group.startswith(LIKE):
        return f"{group}, which the model was not trained on"
    words = _WORDS[group]
    if not words.statistics:
        return words.otherwise
    deviation = float(np.mean([found.deviations[name] for name in words.statistics]))
    if abs(deviation) < _CLEAR:
        return words.otherwise
    return words.low if deviation < 0 else words.high


def _of_pixel_size(
    known: KnownImages,
    image: xr.DataArray,
    lacking: Sequence[Mask | None],
    grid: tuple[int, int],
) -> list[str]:
    """Say with which other pixel size the image would be known, if with any."""
    judged = {
        factor: _judged(known, image, lacking, (round(grid[0] * factor), round(grid[1] * factor)))
        for factor in _FACTORS
    }
    fitting = {factor: of.worst for factor, of in judged.items() if of and not of.is_strange}
    if not fitting:
        return []
    factor = min(fitting, key=lambda factor: fitting[factor])
    times = f"{max(factor, 1 / factor):.2g} times {'larger' if factor > 1 else 'smaller'}"
    return [f"known if its pixels were {times} (check --pixel-size)"]


def _candidates(
    image: xr.DataArray, lacking: Sequence[Mask | None], grid: tuple[int, int], side_px: int
) -> Iterator[NDArray[np.floating]]:
    """Yield windows beside each other, of planes far apart, in which all pixels count."""
    corners = list(itertools.product(*(range(0, length - side_px + 1, side_px) for length in grid)))
    for plane, mask in zip(_planes(image), lacking, strict=True):
        for y, x in (corners[i] for i in _spread(len(corners), _MOST_CANDIDATES)):
            region = slice(y, y + side_px), slice(x, x + side_px)
            if mask is None or not linear(mask, grid, region).any():
                yield linear(plane, grid, region)


def _planes(image: xr.DataArray) -> Iterator[xr.DataArray]:
    outer = [str(d) for d in image.dims if d not in ("y", "x")]
    places = list(itertools.product(*(range(image.sizes[d]) for d in outer)))
    for i in _spread(len(places), _MOST_PLANES):
        plane = image.isel(dict(zip(outer, places[i], strict=True))).transpose("y", "x")
        yield plane.load() if plane.size <= SEARCHED_PX else plane


def _spread(count: int, most: int) -> list[int]:
    """Return the indices of so many out of several, the first and the last and evenly between."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()
