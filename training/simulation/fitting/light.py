"""How much light there is: in bright structure, in the background, with depth, and over time."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats

from training.simulation import detector as steps
from training.simulation.fitting.noise import Detector
from training.simulation.formation import BRIGHT_PERCENTILE

Floats = NDArray[np.float64]

_LEVELS = 24
_SMOOTHED_PX = 9
_BACKGROUND_QUANTILE = 0.02


@dataclass(frozen=True)
class Decay:
    """Exponential decay of the light from plane to plane.

    Attributes
    ----------
    rate, low, high
        Per plane; positive where the light gets less. The ends of a 90 % interval.
    """

    rate: float
    low: float
    high: float


def bright_photons(
    planes: NDArray[np.floating],
    images: Floats,
    detector: Detector,
    saturation_counts: float,
    seed: int,
) -> Floats:
    """Photons at the bright level of each plane, above background.

    Noise lifts the percentile 99.8 of an image. By how much is found by adding the detector's
    noise to images of generated structure at several levels.

    Parameters
    ----------
    planes
        (plane, y, x) counts.
    images
        (fields, y, x) without noise, 1 at their bright level.
    detector
        As fitted.
    saturation_counts
        Where the converter clips.
    seed
        Of the noise.

    Returns
    -------
    ndarray
        (plane,) photons.
    """
    observed = np.percentile(planes, BRIGHT_PERCENTILE, axis=(1, 2))
    most = (observed.max() - detector.offset_counts) / detector.gain_counts_per_photon
    levels = np.geomspace(max(most / 1000, 0.05), max(most, 0.1) * 1.5, _LEVELS)
    percentiles = [
        float(np.percentile(counts, BRIGHT_PERCENTILE))
        for counts in (expose(images, p, detector, saturation_counts, seed) for p in levels)
    ]
    rising = np.maximum.accumulate(percentiles) + 1e-9 * np.arange(_LEVELS)
    return np.exp(np.interp(observed, rising, np.log(levels)))


def expose(
    images: Floats,
    photons: float | Floats,
    detector: Detector,
    saturation_counts: float,
    seed: int,
) -> Floats:
    """Let a fitted detector record images.

    Parameters
    ----------
    images
        (fields, y, x) without noise, 1 at the bright level.
    photons
        At that level, above background; one number or one that broadcasts.
    detector, saturation_counts
        What records.
    seed
        Of the noise.

    Returns
    -------
    ndarray
        (fields, y, x) whole counts.
    """
    generator = torch.Generator().manual_seed(seed)
    expected = torch.from_numpy(images * photons + detector.background_photons)
    detected = steps.detect(expected, generator)
    signal = steps.multiply(detected, detector.excess_noise_factor, generator)
    counts = steps.read_out(
        signal,
        detector.gain_counts_per_photon,
        detector.offset_counts,
        detector.read_noise_counts,
        generator,
    )
    return steps.digitise(counts, saturation_counts).numpy()


def background_photons(
    planes: NDArray[np.floating], images: Floats, photons: Floats, detector: Detector
) -> Floats:
    """Photons of each plane that come from no structure.

    Parameters
    ----------
    planes
        (plane, y, x) counts.
    images
        (fields, y, x) without noise, 1 at their bright level: they tell how much light structure
        sends even where there is least.
    photons
        (plane,) at the bright level.
    detector
        As fitted.

    Returns
    -------
    ndarray
        (plane,), not negative.
    """
    dark_counts = _darkest(planes.astype(np.float64))
    dark = (dark_counts - detector.offset_counts) / detector.gain_counts_per_photon
    return (dark - photons * float(np.median(_darkest(images)))).clip(0)


def _darkest(images: Floats) -> Floats:
    """Return a low quantile of the local mean, (images,)."""
    smooth = ndimage.uniform_filter(images, _SMOOTHED_PX, axes=(1, 2))
    return np.quantile(smooth, _BACKGROUND_QUANTILE, axis=(1, 2))


def decay(planes: Floats, offset_counts: float) -> Decay | None:
    """Fit the mean light of successive planes.

    Parameters
    ----------
    planes
        (plane, y, x) in the order in which they were taken, or from the surface to the depth.
    offset_counts
        Counts without light.

    Returns
    -------
    Decay
        By the Theil-Sen slope of the logarithm; None for fewer than five planes, or planes
        without light.
    """
    light = planes.mean((1, 2)) - offset_counts
    if len(light) < 5 or light.min() <= 0:
        return None
    found = stats.theilslopes(np.log(light), np.arange(len(light)), alpha=0.9)
    slope, _, low, high = (float(number) for number in np.asarray(found))
    return Decay(-slope, -high, -low)
