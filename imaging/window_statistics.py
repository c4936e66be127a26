"""Statistics of a window of an image that tell which microscope made it, and of what.

None changes with gain or offset: percentiles 2 and 99.8 of the window become 0 and 1 first. Their
names begin with what they tell of, one of `GROUPS`.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.normalise import normalise

Array = NDArray[Any]

GROUPS = ("saturation", "noise", "spectrum", "direction", "structure")
"""What statistics tell of."""

# Cycles per pixel: wide bands where structure is, narrow ones where interpolation leaves its zeros.
_BANDS = np.array([1, 2, 3, 4, 6, 8, 10, 12, 14, 18, 22, 26, 32.1]) / 64
_DIRECTED = ((4, 6), (6, 9), (9, 12))  # bands of which rows and columns are compared
_LEVELS = 4  # of halving
_STRUCTURED = (1, 2)  # levels at which shapes are looked at
_DARK, _BRIGHT = 50, 90  # percentiles
_GAIN_LEVEL = 2  # where pixels of 0.08 µm become those of a usual microscope
_STRIPS = 4
_DIMMEST = 0.02  # of a signal that is divided by
_STRONGEST = 95  # percentile of curvature: what lies above it is ridges
_SMOOTHING_PX = 1.5
_NOTHING = 1e-9


def statistics_of(window: NDArray[np.floating]) -> dict[str, float]:
    """Measure a window.

    Parameters
    ----------
    window
        (y, x), square, of a side divisible by 16, not constant.

    Returns
    -------
    dict
        By name, always in one order. ``saturation``: how far the extremes are from percentiles 2
        and 99.8. ``noise``: of the finest differences at four scales their size, their share of
        all differences, their tails, and how they grow with brightness. ``spectrum``: power in
        bands of frequency. ``direction``: power along rows over that along columns, how unsteadily
        lines lie beside each other over the same of columns, and whether columns rather than rows
        have gains of their own. ``structure``: at two
        scales the coherence of directions, ridges against spots and valleys, and skewness; and how
        differences of one scale go with those of the next.
    """
    image = normalise(window)
    found = _of_extremes(image) | _of_spectra(image)
    details, levels = _halved(image)
    found |= _of_details(details, levels) | _of_lines(levels) | _of_gains(levels[_GAIN_LEVEL])
    return found | _of_shapes(levels)


def contrast_of(window: NDArray[np.floating]) -> float:
    """Return how far bright structure is above the rest of a window, but for single pixels' noise.

    Parameters
    ----------
    window
        (y, x), of sides divisible by 4.

    Returns
    -------
    float
        Percentile 99 less the median, of means of 4 x 4 pixels.
    """
    rows, columns = (side // 4 for side in window.shape)
    means = window.reshape(rows, 4, columns, 4).mean((1, 3))
    high, middle = np.percentile(means, [99, 50])
    return float(high - middle)


def _log(value: float | np.floating, least: float = _NOTHING) -> float:
    return float(np.log10(max(float(value), 0.0) + least))


def _of_extremes(image: Array) -> dict[str, float]:
    lowest, bright, brighter, highest = np.percentile(image, [0.1, 99, 99.5, 99.98])
    return {
        "saturation.lowest": _log(-lowest, 0.02),
        "saturation.highest": _log(highest - 1, 0.01),
        "saturation.bright": _log(1 - bright, 0.01),
        "saturation.brighter": _log(1 - brighter, 0.01),
    }


def _of_spectra(image: Array) -> dict[str, float]:
    side = len(image)
    taper = np.hanning(side + 1)[:-1].astype(np.float32)
    varying = image - image.mean()
    along_x = np.square(np.abs(np.fft.rfft(varying * taper, axis=1))).mean(0)
    along_y = np.square(np.abs(np.fft.rfft(varying * taper[:, None], axis=0))).mean(1)
    band = np.digitize(np.fft.rfftfreq(side), _BANDS) - 1
    count = len(_BANDS) - 1
    x, y = (
        np.array([power[band == i].mean() for i in range(count)]) / side
        for power in (along_x, along_y)
    )
    spectrum = {f"spectrum.{i}": _log((x[i] + y[i]) / 2, 1e-7) for i in range(count)}
    return spectrum | {
        f"direction.{first}": _log(x[first:last].sum(), 1e-7) - _log(y[first:last].sum(), 1e-7)
        for first, last in _DIRECTED
    }


def _halved(image: Array) -> tuple[list[tuple[Array, Array, Array]], list[Array]]:
    """Halve an image again and again: differences along x, y and both (Haar), and what is left."""
    details: list[tuple[Array, Array, Array]] = []
    levels = [image]
    for _ in range(_LEVELS):
        now = levels[-1]
        a, b, c, d = now[::2, ::2], now[::2, 1::2], now[1::2, ::2], now[1::2, 1::2]
        details.append(((a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2))
        levels.append((a + b + c + d) / 4)
    return details, levels


def _of_details(details: list[tuple[Array, Array, Array]], levels: list[Array]) -> dict[str, float]:
    found: dict[str, float] = {}
    sizes: list[Array] = []
    for i, (x, y, both) in enumerate(details):
        across, along_x, along_y = (float(np.square(d).mean()) for d in (both, x, y))
        typical = float(np.median(np.abs(both)))
        found[f"noise.size {i}"] = _log(typical, 1e-5)
        found[f"noise.share {i}"] = _log(across) - _log(along_x + along_y)
        found[f"noise.tail {i}"] = _log(across**0.5, 1e-5) - _log(typical, 1e-5)
        if i < _LEVELS - 1:
            dark, bright = np.percentile(levels[i + 1], [_DARK, _BRIGHT])
            of_dark, of_bright = both[levels[i + 1] <= dark], both[levels[i + 1] >= bright]
            found[f"noise.dark {i}"] = _log(np.square(of_dark).mean()) - _log(
                np.square(of_bright).mean()
            )
        sizes.append(np.log(np.sqrt(x**2 + y**2 + both**2) + 1e-3))
    for i, (fine, coarse) in enumerate(itertools.pairwise(sizes)):
        spread = coarse.repeat(2, axis=0).repeat(2, axis=1)
        found[f"structure.scales {i}"] = _correlation(fine, spread)
    return found


def _correlation(one: Array, other: Array) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt(np.square(one).mean() * np.square(other).mean()))
    return float((one * other).mean()) / (scale + _NOTHING)


def _of_lines(levels: list[Array]) -> dict[str, float]:
    """Compare how unsteadily lines lie beside each other with the same of columns."""
    return {
        f"direction.lines {i}": _unsteadiness(levels[i]) - _unsteadiness(levels[i].T)
        for i in _STRUCTURED
    }


def _unsteadiness(image: Array) -> float:
    """Measure how much the displacement from line to line changes; pixels², as a logarithm."""
    slope = (image[:, 2:] - image[:, :-2]) / 2
    slope = (slope[1:] + slope[:-1]) / 2
    step = (image[1:] - image[:-1])[:, 1:-1]
    known = np.square(slope).sum(1)
    displacement = -(slope * step).sum(1) / (known + 1e-3 * known.mean() + _NOTHING)
    weight = np.minimum(known[1:], known[:-1])
    return _log((weight * np.diff(displacement) ** 2).sum() / (weight.sum() + _NOTHING), 1e-4)


def _of_gains(image: Array) -> dict[str, float]:
    """Compare how much columns have gains of their own with the same of rows."""
    return {"direction.gains": _agreement(image) - _agreement(image.T)}


def _agreement(image: Array) -> float:
    """Correlate, between strips of rows, by how much columns are brighter than their neighbours.

    A gain is the same all along its column; structure and noise are not.
    """
    neighbours = (image[:, :-2] + image[:, 2:]) / 2
    signal = np.maximum(neighbours, 0) + _DIMMEST
    above = (image[:, 1:-1] - neighbours) * signal
    gains = np.array(
        [
            above[strip].sum(0) / np.square(signal[strip]).sum(0)
            for strip in np.array_split(np.arange(len(image)), _STRIPS)
        ]
    )
    alone = np.square(gains).mean()
    together = np.square(gains.mean(0)).mean()  # all alone: its share is that of one strip
    return float((_STRIPS * together / (alone + _NOTHING) - 1) / (_STRIPS - 1))


def _of_shapes(levels: list[Array]) -> dict[str, float]:
    found: dict[str, float] = {}
    for i in _STRUCTURED:
        image = ndimage.gaussian_filter(levels[i], _SMOOTHING_PX)
        gy, gx = np.gradient(image)
        yy, xx, xy = (
            ndimage.gaussian_filter(product, 2 * _SMOOTHING_PX)
            for product in (gy * gy, gx * gx, gx * gy)
        )
        coherent = np.sqrt((yy - xx) ** 2 + 4 * xy**2).sum()
        found[f"structure.coherence {i}"] = float(coherent / ((yy + xx).sum() + _NOTHING))
        (hyy, _), (hxy, hxx) = np.gradient(gy), np.gradient(gx)
        middle, half = (hxx + hyy) / 2, np.sqrt((hxx - hyy) ** 2 + 4 * hxy**2) / 2
        lower, upper = middle - half, middle + half
        ridges = lower <= np.percentile(lower, 100 - _STRONGEST)
        strength = -float(lower[ridges].mean())
        valleys = float(upper[upper >= np.percentile(upper, _STRONGEST)].mean())
        found[f"structure.along ridges {i}"] = float(upper[ridges].mean()) / (strength + _NOTHING)
        found[f"structure.ridges {i}"] = _log(strength, 1e-6)
        found[f"structure.valleys {i}"] = _log(valleys, 1e-6) - _log(strength, 1e-6)
        deviation = image - image.mean()
        skewness = (deviation**3).mean() / ((deviation**2).mean() ** 1.5 + _NOTHING)
        found[f"structure.skewness {i}"] = float(np.arcsinh(skewness))
    return found
