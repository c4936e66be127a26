"""How much light there is: in bright structure, in the background, with depth, and over time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats

from simulation.fitting.measurement import Measurement
from simulation.fitting.noise import DetectorFit
from simulation.formation import BRIGHT_PERCENTILE, count
from simulation.microscope import Microscope

Floats = NDArray[np.float64]

_LEVELS = 12
_LEAST = 1e-3  # photons; below it there is no light
_TURNS = 2  # background and bright level change each other little
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
    background, bright = detector.background_photons, most
    bright_of = background_of = np.empty(0)
    bright_error = background_error = 0.0
    for turn in range(_TURNS):

        def recorded(photons: float, darkness: float, turn: int = turn) -> Floats:
            seeds = (seed, turn)
            return expose(images, photons, darkness, detector, saturation_counts, seeds)

        by_bright = [float(np.median(_brightest(recorded(p, background)))) for p in levels]
        bright_of = _inverse(bright_counts, by_bright, levels)
        bright = float(np.median(bright_of))
        darknesses = np.r_[0.0, levels]
        by_dark = [float(np.median(_darkest(recorded(bright, p)))) for p in darknesses]
        background_of = _inverse(dark_counts, by_dark, darknesses)
        alike = recorded(bright, float(np.median(background_of)), _TURNS)
        background = float(np.median(background_of))
        bright_error = _scatter(_inverse(_brightest(alike), by_bright, levels))
        background_error = _scatter(_inverse(_darkest(alike), by_dark, darknesses))
    covered = [
        share_covered(plane, dark, detector)
        for plane, dark in zip(planes, background_of, strict=True)
    ]
    return Light(bright_of, background_of, np.array(covered), bright_error, background_error)


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


def _inverse(observed: Floats, recorded: list[float], levels: Floats) -> Floats:
    """Return at which level each observed number would be recorded."""
    rising = np.maximum.accumulate(recorded) + 1e-9 * np.arange(len(recorded))
    return np.interp(observed, rising, levels)


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
