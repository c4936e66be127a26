"""How much light there is: in bright structure, in the background, with depth, and over time."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats

from simulation.fitting.measurement import Measurement
from simulation.fitting.noise import DetectorFit
from simulation.formation import BRIGHT_PERCENTILE, count
from simulation.microscope import Microscope

Floats = NDArray[np.float64]
_Inverse = Callable[[Floats], Floats]

_LEVELS = 12
_LEAST = 1e-3  # photons; below it there is no light
_SMOOTHED_PX = 9
_BACKGROUND_QUANTILE = 0.02


@dataclass(frozen=True)
class Light:
    """Photons per pixel of each of several planes.

    Attributes
    ----------
    bright, background
        (plane,) at the bright level, above background; and where there is no structure.
    covered
        (plane,) share of the field that structure covers; see `share_covered`.
    bright_error, background_error
        Standard deviations of their logarithms that measuring one plane has.
    """

    bright: Floats
    background: Floats
    covered: Floats
    bright_error: float = 0.0
    background_error: float = 0.0


def measure_light(
    planes: Sequence[Floats],
    images: Floats,
    detector: DetectorFit,
    saturation_counts: float,
    seed: int,
) -> Light:
    """Measure how much light bright structure and the background send.

    Noise lifts the brightest percentile of an image and lowers the darkest parts of its local
    mean. By how much is found by letting the detector record generated structure at many levels.

    Parameters
    ----------
    planes
        (y, x) counts each.
    images
        (fields, y, x) of generated structure without noise, 1 at their bright level.
    detector
        As fitted.
    saturation_counts
        Where the converter clips.
    seed
        Of the noise.

    Returns
    -------
    Light
        Of each plane.
    """
    bright_counts, dark_counts = _brightest(planes), _darkest(planes)
    most = (bright_counts.max() - detector.offset_counts) / detector.gain_counts_per_photon
    levels = np.geomspace(max(most / 1000, 0.02), max(most, 0.1) * 1.5, _LEVELS)

    def inverses(turn: int, background: float) -> tuple[_Inverse, _Inverse]:
        def recorded(photons: float, darkness: float) -> Floats:
            seeds = (seed, turn)
            return expose(images, photons, darkness, detector, saturation_counts, seeds)

        bright_at = _inverse(
            lambda photons: float(np.median(_brightest(recorded(photons, background)))), levels
        )
        bright = _median(bright_at, bright_counts)
        background_at = _inverse(
            lambda darkness: float(np.median(_darkest(recorded(bright, darkness)))),
            np.r_[0.0, levels],
        )
        return bright_at, background_at

    # Background and bright level change each other little: the second turn is the last.
    _, background_at = inverses(0, detector.background_photons)
    bright_at, background_at = inverses(1, _median(background_at, dark_counts))
    bright, background = _median(bright_at, bright_counts), _median(background_at, dark_counts)
    alike = expose(images, bright, background, detector, saturation_counts, (seed, 2))
    background_of = background_at(dark_counts)
    covered = [
        share_covered(plane, dark, detector)
        for plane, dark in zip(planes, background_of, strict=True)
    ]
    return Light(
        bright_at(bright_counts),
        background_of,
        np.array(covered),
        _scatter(bright_at(_brightest(alike))),
        _scatter(background_at(_darkest(alike))),
    )


def share_covered(plane: Floats, background_photons: float, detector: DetectorFit) -> float:
    """Measure how much of a field is covered by structure, were all of it equally bright.

    That share is ⟨s⟩² / ⟨s²⟩ of the light s above the background. Noise adds its variance to ⟨s²⟩,
    which is taken out; no threshold is needed.

    Parameters
    ----------
    plane
        (y, x) counts.
    background_photons
        Per pixel.
    detector
        What recorded it.

    Returns
    -------
    float
        0 to 1; 1 is an even field. Blur spreads structure: it is that of the image, not of the
        specimen.
    """
    level = float(plane.mean())
    dark = detector.offset_counts + detector.gain_counts_per_photon * background_photons
    mean = max(level - dark, 0.0)
    variance = max(float(plane.var()) - detector.variance(level), 0.0)
    return mean**2 / max(variance + mean**2, _LEAST)


def expose(
    images: Floats,
    photons: float | Floats,
    background_photons: float | Floats,
    detector: DetectorFit,
    saturation_counts: float,
    seed: tuple[int, int],
) -> Floats:
    """Let a fitted detector record images.

    Parameters
    ----------
    images
        (fields, y, x) without noise, 1 at the bright level.
    photons, background_photons
        At that level, above background; and everywhere. Numbers, or (fields, 1, 1).
    detector, saturation_counts
        What records.
    seed
        Two numbers from which the noise follows.

    Returns
    -------
    ndarray
        (fields, y, x) whole counts.
    """
    drawn = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(drawn[0]) >> 1)
    expected = torch.from_numpy(images * photons + background_photons)
    acquisition = replace(
        Microscope().typical(),
        excess_noise_factor=detector.excess_noise_factor,
        gain_counts_per_photon=detector.gain_counts_per_photon,
        offset_counts=detector.offset_counts,
        read_noise_counts=detector.read_noise_counts,
        saturation_counts=saturation_counts,
    )
    return count(expected, acquisition, generator).numpy()


def _brightest(images: Iterable[Floats]) -> Floats:
    """Return the bright level of each image, (images,)."""
    return np.array([np.percentile(image, BRIGHT_PERCENTILE) for image in images])


def _darkest(images: Iterable[Floats]) -> Floats:
    """Return a low quantile of the local mean of each image, (images,)."""
    smooth = [ndimage.uniform_filter(image, _SMOOTHED_PX) for image in images]
    return np.array([np.quantile(image, _BACKGROUND_QUANTILE) for image in smooth])


def _scatter(values: Floats) -> float:
    """Return the standard deviation of logarithms, robustly."""
    low, high = np.quantile(np.log(np.maximum(values, _LEAST)), [0.16, 0.84])
    return float(high - low) / 2


def _median(inverse: _Inverse, observed: Floats) -> float:
    """Return the level at which the median of observed numbers would be recorded."""
    return float(inverse(np.median(observed, keepdims=True)).item())


def _inverse(record: Callable[[float], float], levels: Floats) -> _Inverse:
    """Return what finds at which level each observed number would be recorded.

    What is recorded grows with the level; only levels around the observed numbers are tried.
    """
    recorded = cache(lambda index: record(float(levels[index])))

    def level_of(observed: Floats) -> Floats:
        every = range(len(levels))
        first = max(bisect_left(every, observed.min(), key=recorded) - 1, 0)
        last = bisect_left(every, observed.max(), lo=first, key=recorded)
        around = every[first : last + 1]
        rising = np.maximum.accumulate([recorded(index) for index in around])
        return np.interp(observed, rising + 1e-9 * np.arange(len(around)), levels[around])

    return level_of


def decay(planes: Floats, offset_counts: float) -> Measurement | None:
    """Fit the mean light of successive planes.

    Parameters
    ----------
    planes
        (plane, y, x) in the order in which they were taken, or from the surface to the depth.
    offset_counts
        Counts without light.

    Returns
    -------
    Measurement or None
        Rate of an exponential decay per plane, positive where the light gets less, by the Theil-Sen
        slope of the logarithm; None for fewer than five planes, or planes without light.
    """
    light = planes.mean((1, 2)) - offset_counts
    if len(light) < 5 or light.min() <= 0:
        return None
    found = stats.theilslopes(np.log(light), np.arange(len(light)), alpha=0.9)
    slope, _, low, high = (float(number) for number in np.asarray(found))
    return Measurement(-slope, -high, -low)
