"""The power of an image at each spatial frequency, and the band that a microscope measures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.intensity import value_range
from benchmark.metrics.metric import Image, NotApplicable
from benchmark.metrics.ring_correlation import TAPER
from benchmark.metrics.rings import half_spectrum, rings

Microscope = Mapping[str, float | int | str]

_SMALLEST_SIDE = 32
# Below the strongest ring of the truth by this factor (90 dB), power is that of arithmetic.
_POWER_FLOOR = 1e-9


@dataclass(frozen=True)
class SpectrumRatio:
    """The power of a prediction over that of the truth at each spatial frequency.

    Attributes
    ----------
    frequency
        (rings,), cycles per pixel.
    ratio_db
        (rings,): 0 where both have the same power, below where detail is missing, above where there
        is too much, be it noise or invention.
    """

    frequency: NDArray[np.float64]
    ratio_db: NDArray[np.float64]


def spectrum_ratio(truth: Image, prediction: Image) -> SpectrumRatio:
    """Compare the radial power spectra of prediction and truth.

    10·log₁₀(Σ|F_p|² / Σ|F_g|²) per ring, both under a Tukey window, of the intensities as they were
    delivered: a fit would take a loss of contrast for a wrong scale, so a wrong scale shifts all
    rings alike. Power below 10⁻⁹ of the strongest ring of the truth counts as that much.

    Parameters
    ----------
    truth, prediction
        Images of one shape (y, x), at least 32 x 32.

    Returns
    -------
    SpectrumRatio
        From one period per side to Nyquist.

    Raises
    ------
    NotApplicable
        The images are too small, or the truth is constant.
    """
    if min(truth.shape) < _SMALLEST_SIDE:
        raise NotApplicable(
            f"A power spectrum needs at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels, "
            f"not {truth.shape[0]} x {truth.shape[1]}."
        )
    value_range(truth)
    of_shape = rings((truth.shape[0], truth.shape[1]))
    power_g, power_p = (
        of_shape.sum(np.abs(half_spectrum(image, TAPER)) ** 2) for image in (truth, prediction)
    )
    floor = _POWER_FLOOR * power_g.max()
    ratio = np.maximum(power_p, floor) / np.maximum(power_g, floor)
    return SpectrumRatio(of_shape.frequency, 10 * np.log10(ratio))


def band_limit_per_um(microscope: Microscope, pixel_um: float) -> float:
    """Return the highest frequency that a microscope measures.

    The cutoff of its optics, 2·NA/λ, for two photons 4·NA/λ because the excitation counts squared,
    or the Nyquist frequency of its own pixels where that is lower.

    Parameters
    ----------
    microscope
        ``numerical_aperture``, ``wavelength_um`` (of what limits: two-photon the excitation, else
        the emission), ``modality`` ("two-photon" or another) and, where its pixels are larger than
        those of the images, ``sampling``, how many times.
    pixel_um
        Side of the pixels of the images, µm.

    Returns
    -------
    float
        Cycles per µm.

    Raises
    ------
    NotApplicable
        Aperture or wavelength is not known.

    Examples
    --------
    >>> optics = {"modality": "two-photon", "numerical_aperture": 0.9, "wavelength_um": 0.9}
    >>> band_limit_per_um(optics, 0.08), band_limit_per_um(optics | {"sampling": 4}, 0.08)
    (4.0, 1.5625)
    """
    for name in ("numerical_aperture", "wavelength_um"):
        if name not in microscope:
            raise NotApplicable(f"dataset.toml does not say {name} of the microscope.")
    squared = 2 if microscope.get("modality") == "two-photon" else 1
    aperture, wavelength_um = (
        float(microscope[name]) for name in ("numerical_aperture", "wavelength_um")
    )
    nyquist = 1 / (2 * pixel_um * float(microscope.get("sampling", 1)))
    return min(squared * 2 * aperture / wavelength_um, nyquist)


def mean_db(
    spectra: SpectrumRatio,
    pixel_um: float,
    microscope: Microscope,
    *,
    inside: bool,
) -> float:
    """Average a ratio of spectra within the band of a microscope, or beyond it.

    Parameters
    ----------
    spectra
        See `spectrum_ratio`.
    pixel_um, microscope
        See `band_limit_per_um`.
    inside
        Whether within or beyond.

    Returns
    -------
    float
        dB, all rings weighing the same.

    Raises
    ------
    NotApplicable
        The band is not known, or no ring lies there.
    """
    within = spectra.frequency <= band_limit_per_um(microscope, pixel_um) * pixel_um
    chosen = spectra.ratio_db[within == inside]
    if not len(chosen):
        raise NotApplicable(
            "The pixels are too coarse to show frequencies beyond the band of the microscope."
            if not inside
            else "The image is too small to show a period that the microscope passes."
        )
    return math.fsum(chosen) / len(chosen)
