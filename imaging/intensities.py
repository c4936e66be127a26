"""What the intensities of an image tell of it that makes its results wrong without an error."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from imaging.remarks import Remark
from imaging.valid import LEAST_LEVELS, find_valid, grown, thinned_planes_of

NO_DATA = (
    "constant pixels along the border are no data, as registration, stitching and scanners leave "
    "them: percentiles, training and scores leave them out, and models see the median there; other "
    "programs take them for data, so crop them."
)
ARTEFACTS = (
    "exactly equal pixels far above all others, or in the shape of a bar, are artefacts: "
    "percentiles leave them out, and models see the median there, so that what is restored within "
    "them means nothing; other programs take them for data, so crop or blank them."
)
CLIPPED = (
    "many pixels are at the maximum, where they were clipped: how bright they are is lost, and the "
    "result shows them as flat; record with less light or gain, or convert without clipping."
)
OUTSHONE = (
    "few pixels are far brighter than all else, and if these are debris, hot pixels or a label, "
    "the structure comes out too dark; crop, blank or median-filter them."
)
WRAPPED = (
    "pixels lie close to the maximum of the file's type or close to 0, and none between: negative "
    "values became large ones, and percentiles land on them; subtract the background in 32 bits."
)
INVERTED = (
    "most pixels are bright and few are dark, but packages expect bright structure on dark ground: "
    "if the contrast is inverted, invert it back."
)
BLANK = (
    "planes of one intensity, among others, are no data, as registration or a lost part of a file "
    "leaves them: the scale of intensities leaves them out."
)
FLASH = (
    "single frames are far brighter than all others, with which they share a scale of "
    "intensities, so that the others come out too dark; remove them, or give --scale plane."
)

_SAMPLE = 2**14  # pixels of a plane whose percentiles are close enough to those of all
_CLIPPED, _PILED_UP = 0.01, 3.0  # of the pixels; and times as many as in the 5 % below
_NEAR_MAXIMUM = 0.05
# Percentiles, and how many times as far above percentile 2 as each of them percentile 99.8 may be.
_OUTSHONE = ((99.0, 8.0), (97.0, 10.0))
_FEWEST_APART, _MOST_APART = 0.002, 0.05  # of the pixels: fewer do not reach percentile 99.8
_EMPTY = 0.5  # times the range of all other pixels, empty below those that are apart
_APART_PX, _CORRELATED = 6, 0.1  # how far structure reaches, unlike noise, and how clearly
_EDGE, _SHARE, _BETWEEN = 1 / 16, 0.01, 1e-3  # of the type's range; of the pixels
_FEW_LEVELS = 2  # such as a mask's
_SKEWED = 3.0  # times as far from the median to the dark as to the bright

_FLASH = 4.0  # times the range of intensities of its neighbours, and of most frames

Found = dict[str, tuple[float, str]]
"""By sentence how bad it is, a number, and the same in words."""


class _Look(NamedTuple):
    """What was found in a plane, and the range of its intensities."""

    found: Found
    extent: float


def remark_on_intensities(image: xr.DataArray) -> list[Remark]:
    """Look at the intensities of each plane.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x; it may be lazy. Planes are read one by one, large ones `thinned`.

    Returns
    -------
    list of Remark
        What is unmistakable, or so unusual that it should be looked at; of several planes the
        detail is that of the worst.
    """
    looks = [_look_at(plane) for plane in thinned_planes_of(image)]
    of_planes = [look.found for look in looks]
    remarks: list[Remark] = []
    for sentence in dict.fromkeys(sentence for found in of_planes for sentence in found):
        flagged = [found[sentence] for found in of_planes if sentence in found]
        if sentence == BLANK and len(flagged) == len(of_planes):
            continue  # then there is nothing at all, which is refused
        planes = f" in {len(flagged)} of {len(of_planes)} planes" if len(of_planes) > 1 else ""
        remarks.append(Remark(sentence, max(flagged)[1] + planes))
    frames = np.reshape([look.extent for look in looks], (image.sizes.get("b", 1), -1)).max(1)
    return [*remarks, *_remark_on_flashes(frames)]


def _remark_on_flashes(extents: NDArray[np.float64]) -> list[Remark]:
    """Look for frames that outshine those before and behind them, and most of all."""
    before, behind = extents[:-2], extents[2:]
    usual = np.maximum(np.maximum(before, behind), np.median(extents))
    flashes = np.flatnonzero(extents[1:-1] > _FLASH * usual) + 1
    if len(flashes) == 0:
        return []
    return [Remark(FLASH, f"frame {', '.join(map(str, flashes))} of {len(extents)}, from 0")]


def _look_at(plane: NDArray[Any]) -> _Look:
    if plane.min() == plane.max():
        return _Look({BLANK: (1.0, "all pixels")}, 0.0)
    if _is_wrapped(plane):
        share = float((plane > np.iinfo(plane.dtype).max // 2).mean())
        return _Look({WRAPPED: (share, f"{share:.2%} of the pixels")}, 0.0)
    found: Found = {}
    valid = find_valid(plane)
    counting = plane.ravel() if valid is None else plane[valid.pixels]
    if valid is not None:
        without, wrong = float(valid.no_data.mean()), float(valid.artefacts.mean())
        if without:
            found[NO_DATA] = (without, f"{without:.2%} of the pixels")
        if wrong:
            found[ARTEFACTS] = (wrong, f"{wrong:.2%} of the pixels at {valid.maximum:g}")
    every = counting.size // _SAMPLE | 1  # odd, so that it meets all columns
    sample = np.sort(counting[::every].astype(np.float64))
    if len(np.unique(sample)) < LEAST_LEVELS:  # single photons, labels, nothing at all
        return _Look(found, 0.0)
    low, median, brightest = np.percentile(sample, [LOW_PERCENTILE, 50, HIGH_PERCENTILE])
    maximum = float(counting.max())
    clipped = float((counting == maximum).mean())
    near = (counting >= maximum - _NEAR_MAXIMUM * (maximum - low)).mean() - clipped
    if clipped >= max(_CLIPPED, _PILED_UP * near):
        found[CLIPPED] = (clipped, f"{clipped:.2%} of the pixels at {maximum:g}")
    elif median - low > _SKEWED * (brightest - median):
        ratio = (median - low) / max(brightest - median, np.finfo(float).tiny)
        found[INVERTED] = (ratio, f"percentile {LOW_PERCENTILE:g} is {ratio:.2g} times as far")
    if (outshone := _outshone(plane, sample)) is not None:
        found[OUTSHONE] = outshone
    return _Look(found, float(brightest - low))


def _is_wrapped(plane: NDArray[Any]) -> bool:
    """Tell whether intensities lie at both ends of their type's range and nowhere else."""
    if plane.dtype.kind != "u":
        return False
    largest = np.iinfo(plane.dtype).max
    high = plane > largest - int(_EDGE * largest)
    if not _SHARE <= high.mean() <= 1 - _SHARE:
        return False
    between = (plane > int(_EDGE * largest)) & ~high
    return between.mean() <= _BETWEEN and len(np.unique(plane[high])) > _FEW_LEVELS


def _outshone(plane: NDArray[Any], ascending: NDArray[np.float64]) -> tuple[float, str] | None:
    """Look for few pixels that are far brighter than structure, from intensities in order."""
    low, brightest = np.percentile(ascending, [LOW_PERCENTILE, HIGH_PERCENTILE])
    for percentile, most in _OUTSHONE:
        bright = float(np.percentile(ascending, percentile))
        if brightest - low > most * (bright - low) > 0 and _has_structure(plane, bright):
            ratio = (brightest - low) / (bright - low)
            return ratio, (
                f"percentile {HIGH_PERCENTILE:g} is {ratio:.2g} times as far above percentile "
                f"{LOW_PERCENTILE:g} as percentile {percentile:g}"
            )
    first, last = (int((1 - s) * len(ascending)) for s in (_MOST_APART, _FEWEST_APART))
    below = ascending[first:last]
    gaps, ranges = np.diff(ascending[first : last + 1]), below - ascending[0]
    apart = np.flatnonzero((ranges > 0) & (gaps >= _EMPTY * ranges))
    if len(apart) == 0 or not _has_structure(plane, float(below[apart[0]])):
        return None
    at = apart[0]
    share = 1 - (first + at + 1) / len(ascending)
    return gaps[at] / ranges[at], f"{share:.2%} of the pixels, none between {below[at]:g} and them"


def _has_structure(plane: NDArray[Any], bright: float) -> bool:
    """Tell whether what is not bright correlates over a distance at which noise does not."""
    dim = ~grown(plane > bright, _APART_PX)
    both = dim[_APART_PX:] & dim[:-_APART_PX]
    one, other = (part[both].astype(np.float64) for part in (plane[_APART_PX:], plane[:-_APART_PX]))
    if one.size < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return False
    return float(np.corrcoef(one, other)[0, 1]) > _CORRELATED
