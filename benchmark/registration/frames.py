"""Whether frames are repeats: one field, recorded over and over with noise of its own.

Programs write channels, planes, positions, averages and copies into stacks that look alike. What is
taken for repeats without being any makes noise look like detail, or detail like noise.

Coarse pixels, in which noise is small, tell whether frames show one thing; a little motion is
allowed. Noise is compared where a frame is flattest, through a filter that takes out whatever is
smooth, so that structure, its motion and its bleaching count for little.
"""

import itertools

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

Frames = NDArray[np.float32]  # (frame, y, x)

_LOOKED_AT = 32  # frames
_LARGEST_PX = 512  # of a side
_COARSE_PX = 8
_STEP_PX = 4  # between coarse pixels where motion is followed
_SMALLEST_PX = 32  # of a side, below which nothing can be told
_MOTION = 4  # steps
_LONGEST_LAG = 6  # frames over which a change is followed

_RELIABLE = 0.5  # share of the variance of coarse pixels that is not noise, to judge by them
_UNLIKE = 0.6  # correlation of frames, noise allowed for, that show different things
_LIKER = 0.15  # how much more frames must correlate than neighbours, to be one channel
# Of the neighbours' correlation: what planes of a volume have lost more than over a few steps; less
# of it tells nothing in time, where what moves loses some, too.
_FALLEN, _FALLEN_IN_TIME = 0.8, 0.5
_COPY = 0.05  # of the noise: what copies differ by at most, saved with another rounding
_SHARED = (
    0.75  # of the noise that distant frames differ by: neighbours that share some, differ less
)
_ERRORS = 4.0  # standard errors that decide

# Differences of differences along both axes, of unit gain for white noise.
_DETAIL = np.outer([1, -2, 1], [1, -2, 1])[None].astype(np.float32) / 6


def why_no_repeats(frames: xr.DataArray, axis: str) -> str | None:
    """Say why frames cannot be taken for repeats of one field.

    Parameters
    ----------
    frames
        Axes out of b, c, z, y, x.
    axis
        Along which they follow each other, b or z; time is followed along b, so that a steady
        change is one of depth along z, and along b only where it is large.

    Returns
    -------
    str or None
        What was found, and what to do; None where they may be repeats or nothing can be told.
    """
    looked_at = _looked_at(frames, axis)
    if min(looked_at.shape[1:]) < _SMALLEST_PX or len(looked_at) < 2:
        return None
    return _of_noise(looked_at) or _of_content(looked_at, in_depth=axis == "z")


def why_not_averaged(frames: xr.DataArray, axis: str) -> str | None:
    """Say why frames must not be averaged, as `why_no_repeats` does: copies, or several kinds."""
    looked_at = _looked_at(frames, axis)
    if min(looked_at.shape[1:]) < _SMALLEST_PX:
        return None
    return _of_noise(looked_at) or _interleaved(_alike_by_lag(looked_at))


def _looked_at(frames: xr.DataArray, axis: str) -> Frames:
    """Take the middle of the first frames."""
    first = frames.isel({axis: slice(_LOOKED_AT)}).transpose(axis, ..., "y", "x")
    others = [dim for dim in first.dims if dim not in (axis, "y", "x")]
    first = first.isel({dim: first.sizes[dim] // 2 for dim in others})
    for dim in "yx":
        start = max(first.sizes[dim] - _LARGEST_PX, 0) // 2
        first = first.isel({dim: slice(start, start + _LARGEST_PX)})
    return first.values.astype(np.float32)


def _of_noise(frames: Frames) -> str | None:
    """Compare the differences of frames with the noise within them."""
    detail = ndimage.convolve(frames, _DETAIL)[:, 1:-1, 1:-1]
    energy = _coarse(detail**2)
    flat = energy.mean(0)
    seen = flat > 0  # what is clipped shows no noise
    if not seen.any():
        return None
    flattest = seen & (flat <= np.quantile(flat[seen], 0.25))
    noise = energy[:, flattest].mean()

    def by_lag(lag: int) -> list[float]:
        return [
            float(_coarse((two - one) ** 2)[flattest].mean() / 2 / noise)
            for one, two in zip(detail, detail[lag:], strict=False)
        ]

    neighbours = by_lag(1)
    distant = float(np.mean(by_lag(min(_LONGEST_LAG, len(frames) - 1))))
    error = np.sqrt(2 / (flattest.sum() * _COARSE_PX**2))
    if len(frames) > 2 and max(neighbours) < (_SHARED - _ERRORS * error) * distant:
        return (
            f"neighbouring frames differ by {np.mean(neighbours) / distant:.0%} of the noise by "
            "which distant ones do, as running averages do: what noise they share would count as "
            "detail. Export the frames as recorded, without averaging or filter"
        )
    copies = [i for i, ratio in enumerate(neighbours) if ratio < _COPY]
    if copies:
        return (
            f"frames {copies[0]} and {copies[0] + 1}, counted from 0, are copies of one recording "
            f"({len(copies)} of {len(neighbours)} neighbours differ by less than noise), whose "
            "noise would count as detail. Export each recorded frame once"
        )
    return None


def _of_content(frames: Frames, *, in_depth: bool) -> str | None:
    """Compare what frames show."""
    alike = _alike_by_lag(frames)
    if said := _interleaved(alike):
        return said
    followed = _beyond_noise(alike[:_LONGEST_LAG], _reliability(frames))
    if not followed:
        return None
    if followed[0] < _UNLIKE:
        return (
            f"neighbouring frames show different things (their correlation is {followed[0]:.2f}, "
            "noise allowed for), as channels, positions or planes do. Give frames of one field: "
            "split the others off first (in Fiji: Image > Stacks > Tools > Make Substack)"
        )
    steady = all(later < earlier for earlier, later in itertools.pairwise(followed))
    least = (_FALLEN if in_depth else _FALLEN_IN_TIME) * followed[0]
    if len(followed) > 2 and steady and followed[-1] < least:
        remedy = (
            "Give frames of one plane; if these are, save them as a time series (in Fiji: Image > "
            "Properties, 1 slice, so many frames)"
            if in_depth
            else "Give frames of one plane in which little moves"
        )
        return (
            f"{'slices' if in_depth else 'frames'} show the less of each other the farther apart "
            f"they are (correlation {followed[0]:.2f} of neighbours, {followed[-1]:.2f} over "
            f"{len(followed)}, noise allowed for), as planes of a volume do. {remedy}"
        )
    return None


def _interleaved(alike: list[NDArray[np.float64]]) -> str | None:
    """Find a period: frames that are alike, and neighbours that are not."""
    neighbours = alike[0]
    for period in range(2, len(alike)):
        distant = alike[period - 1]
        between = np.maximum(neighbours[: len(distant)], neighbours[-len(distant) :])
        if len(distant) > 1 and (distant - between > _LIKER).all():
            return (
                f"every {_ordinal(period)} frame shows the same (correlation {distant.mean():.2f}) "
                f"and neighbours do not ({neighbours.mean():.2f}), as {period} interleaved "
                "channels or planes do. Separate them first (in Fiji: Image > Hyperstacks > Stack "
                f"to Hyperstack with {period} channels, then Image > Color > Split Channels)"
            )
    return None


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def _alike_by_lag(frames: Frames) -> list[NDArray[np.float64]]:
    """Correlate coarse frames with those 1, 2, ... later, at the best shift of a few pixels."""
    smooth = ndimage.uniform_filter(frames, _COARSE_PX, axes=(1, 2))
    coarse = smooth[:, ::_STEP_PX, ::_STEP_PX].astype(np.float64)
    coarse -= coarse.mean((1, 2), keepdims=True)
    norms = np.sqrt((coarse**2).sum((1, 2)))
    coarse /= np.where(norms > 0, norms, 1)[:, None, None]
    rows, columns = coarse.shape[1:]
    padded = (rows + _MOTION, columns + _MOTION)  # what is shifted out must not come in again
    spectra = np.fft.rfft2(coarse, padded)
    shifts = np.arange(-_MOTION, _MOTION + 1)
    found: list[NDArray[np.float64]] = []
    for lag in range(1, max(len(frames) // 2, min(len(frames) - 1, _LONGEST_LAG)) + 1):
        products = np.fft.irfft2(spectra[lag:] * spectra[:-lag].conj(), padded)
        found.append(products[:, shifts][:, :, shifts].max((1, 2)))
    return found


def _beyond_noise(alike: list[NDArray[np.float64]], reliable: NDArray[np.float64]) -> list[float]:
    """Return what frames of each lag would correlate without noise, as far as it can be told."""
    found: list[float] = []
    for lag, values in enumerate(alike, start=1):
        highest = np.sqrt(reliable[lag:] * reliable[:-lag])
        told = highest >= _RELIABLE
        if not told.any():
            break
        found.append(float((values[told] / highest[told]).mean()))
    return found


def _reliability(frames: Frames) -> NDArray[np.float64]:
    """Return the share of coarse pixels' variance that is not noise, for which detail is taken."""
    noise = (ndimage.convolve(frames, _DETAIL) ** 2).mean((1, 2))
    variance = _coarse(frames).var((1, 2))
    share = 1 - noise / _COARSE_PX**2 / np.where(variance > 0, variance, np.inf)
    return np.where(variance > 0, share.clip(0), 0)


def _coarse(frames: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average squares of pixels."""
    rows, columns = (length // _COARSE_PX for length in frames.shape[-2:])
    cut = frames[..., : rows * _COARSE_PX, : columns * _COARSE_PX].astype(np.float64)
    blocks = cut.reshape(*cut.shape[:-2], rows, _COARSE_PX, columns, _COARSE_PX)
    return blocks.mean((-3, -1))
