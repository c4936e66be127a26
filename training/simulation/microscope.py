"""The two-photon microscope: ranges to draw from, one microscope drawn, and what it records."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from torch import Generator, Tensor

from training.simulation import detector, optics
from training.simulation.structures import TARGET_FWHM_UM

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Microscope:
    """One microscope; everything that is recorded of an image's formation.

    Attributes
    ----------
    psf_fwhm_um
        Lateral full width at half maximum of the two-photon PSF, effective (NA, filling of the
        back aperture and aberrations taken together).
    target_fwhm_um
        Resolution that the target has already.
    blur_fwhm_um
        Width of the Gaussian that takes the target to the PSF.
    sampling
        Target pixels along the side of one native pixel.
    photons
        Mean number of photons that a native pixel filled with relative brightness 1 detects,
        above background.
    background_photons
        Mean number of photons per native pixel without structure.
    excess_noise_factor
        Variance of the photomultiplier's signal over that of the photons; at least 1.
    gain_counts_per_photon, offset_counts, read_noise_counts
        What the electronics make of the signal; the read noise is a standard deviation.
    """

    psf_fwhm_um: float
    target_fwhm_um: float
    blur_fwhm_um: float
    sampling: int
    photons: float
    background_photons: float
    excess_noise_factor: float
    gain_counts_per_photon: float
    offset_counts: float
    read_noise_counts: float


@dataclass(frozen=True)
class MicroscopeRanges:
    """What microscopes of a kind have in common: the ends of what may be drawn.

    The PSF spans the range published for in-vivo two-photon microscopy at NA 0.8 to 1.05, from a
    filled back aperture to underfilling with aberrations; the detector is a photomultiplier.
    """

    psf_fwhm_um: Range = (0.34, 0.50)
    photons: Range = (30.0, 200.0)
    background_photons: Range = (0.2, 2.0)
    excess_noise_factor: Range = (1.2, 1.5)
    gain_counts_per_photon: Range = (20.0, 100.0)
    offset_counts: Range = (100.0, 500.0)
    read_noise_counts: Range = (2.0, 15.0)
    target_fwhm_um: float = TARGET_FWHM_UM
    sampling: int = 4

    def draw(self, rng: np.random.Generator) -> Microscope:
        """Draw one microscope.

        Parameters
        ----------
        rng
            Source of all randomness.

        Returns
        -------
        Microscope
            Photons, background and gain log-uniform in their range, the rest uniform.
        """
        psf_fwhm_um = float(rng.uniform(*self.psf_fwhm_um))
        return Microscope(
            psf_fwhm_um=psf_fwhm_um,
            target_fwhm_um=self.target_fwhm_um,
            blur_fwhm_um=optics.blur_fwhm_um(psf_fwhm_um, self.target_fwhm_um),
            sampling=self.sampling,
            photons=_log_uniform(rng, self.photons),
            background_photons=_log_uniform(rng, self.background_photons),
            excess_noise_factor=float(rng.uniform(*self.excess_noise_factor)),
            gain_counts_per_photon=_log_uniform(rng, self.gain_counts_per_photon),
            offset_counts=float(rng.uniform(*self.offset_counts)),
            read_noise_counts=float(rng.uniform(*self.read_noise_counts)),
        )


def record(
    brightness: Tensor, pixel_size_um: float, microscope: Microscope, generator: Generator
) -> Tensor:
    """Record a field as a microscope does: optics, pixels, photons, photomultiplier, counts.

    Parameters
    ----------
    brightness
        (..., y, x) on the target's grid, floating point: 0 is background, 1 bright structure.
        Sides divisible by `microscope.sampling`. Darkness is assumed outside.
    pixel_size_um
        Side of a pixel of the target, µm before expansion.
    microscope
        What records.
    generator
        Source of randomness, on the tensor's device.

    Returns
    -------
    Tensor
        (..., y / sampling, x / sampling), uint16 counts.
    """
    blurred = optics.blur(brightness.clamp(min=0), microscope.blur_fwhm_um / pixel_size_um)
    native = optics.sample(blurred, microscope.sampling)
    expected = detector.expected_photons(native, microscope.photons, microscope.background_photons)
    detected = detector.detect(expected, generator)
    signal = detector.multiply(detected, microscope.excess_noise_factor, generator)
    counts = detector.read_out(
        signal,
        microscope.gain_counts_per_photon,
        microscope.offset_counts,
        microscope.read_noise_counts,
        generator,
    )
    return detector.digitise(counts)


def _log_uniform(rng: np.random.Generator, ends: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))
