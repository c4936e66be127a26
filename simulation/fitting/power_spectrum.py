"""Radial power spectra, and the width of the PSF that makes generated structure have a real one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.fitting.noise_correlation import Images

Floats = NDArray[np.float64]

BANDS = 40
_LOWEST = 0.02  # cycles per pixel: below it lies the shape of the field, not the PSF
_FLOOR_SD = 0.2  # of the logarithm of the noise: fine structure is easily taken for noise
_CONVERGED = 1e-6  # relative change of both factors
_LEAST_SD = 0.05  # of the logarithm of a power: no structure is told better than that


@dataclass(frozen=True)
class Spectrum:
    """Power over spatial frequency, for each of several images.

    Attributes
    ----------
    frequency
        (bands,) cycles per pixel; up to the corner of the Fourier plane.
    power
        (images, bands) mean square per pixel and Fourier coefficient; white noise has its
        variance everywhere.
    coefficients
        (bands,) how many were averaged.
    """

    frequency: Floats
    power: Floats
    coefficients: Floats


@dataclass(frozen=True)
class Match:
    """How a spectrum is made of a structure's and noise.

    Attributes
    ----------
    cost
        Squared residuals over their expected scatter.
    amplitude
        Factor of the structure's power.
    noise
        Power of white noise.
    """

    cost: float
    amplitude: float
    noise: float


def radial_power(planes: NDArray[Any]) -> Spectrum:
    """Average the power of images over rings, with a Hann window.

    Parameters
    ----------
    planes
        (images, y, x).

    Returns
    -------
    Spectrum
        In 40 bands.
    """
    rows, columns = planes.shape[1:]
    window = np.hanning(rows)[:, None] * np.hanning(columns)
    centred = planes - planes.mean((1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(centred * window)) ** 2 / (window**2).sum()
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns))
    highest = np.sqrt(0.5)
    band = np.minimum((frequency / highest * BANDS).astype(int), BANDS - 1).ravel()
    count = np.bincount(band, minlength=BANDS).astype(np.float64)
    sums = np.stack([np.bincount(band, one.ravel(), minlength=BANDS) for one in power])
    centres = (np.arange(BANDS) + 0.5) / BANDS * highest
    return Spectrum(centres, sums / np.maximum(count, 1), count)


def mean_power(images: Images, pixel_size_um: float) -> tuple[Floats, Floats]:
    """Average the power of images of any size over rings and over all planes.

    Parameters
    ----------
    images
        Images (y, x) or stacks (z, y, x).
    pixel_size_um
        Side of a pixel.

    Returns
    -------
    frequency
        Middle of each band, cycles per µm, up to the Nyquist frequency; the lowest is left out,
        and so are bands narrower than what the smallest image resolves.
    power
        Same shape, squared units of the images; white noise lies at its variance, but for the
        lowest bands, from which the mean is taken.
    """
    spectra = [radial_power(image.reshape(-1, *image.shape[-2:])) for image in images]
    frequency = spectra[0].frequency
    counts = np.min([one.coefficients for one in spectra], axis=0)
    shown = (frequency > _LOWEST) & (frequency < 0.5) & (counts > 0)
    power = np.concatenate([one.power for one in spectra]).mean(0)
    return frequency[shown] / pixel_size_um, power[shown]


def match(real: Spectrum, structure: Spectrum, noise: float, fields: int) -> Match:
    """Fit real power as a multiple of a structure's, plus white noise of about known power.

    Parameters
    ----------
    real
        Of real images; their mean is fitted.
    structure
        Of images of generated structure without noise. How much they differ among themselves
        tells how well the mean of the real ones can be known.
    noise
        Variance of the noise of the real images.
    fields
        How many of the real images show different structure.

    Returns
    -------
    Match
        The best.
    """
    images = min(fields, len(real.power))
    used = (real.frequency > _LOWEST) & (real.coefficients > 12)
    measured = real.power.mean(0)[used]
    logarithms = np.log(structure.power[:, used])
    shape = np.exp(logarithms.mean(0))
    shape_sd = logarithms.std(0, ddof=1) * np.sqrt(1 / images + 1 / len(structure.power))
    # Two positive factors by weighted least squares; the weights come from the last solution.
    amplitude, floor = float(np.median(measured / shape)), 1.0
    cost = np.inf
    for _ in range(30):
        model = amplitude * shape + floor * noise
        signal_share = amplitude * shape / model
        # The window makes neighbouring coefficients alike: half of them count.
        relative = (signal_share * shape_sd) ** 2 + 2 / (len(real.power) * real.coefficients[used])
        relative += (signal_share * _LEAST_SD) ** 2
        weights = 1 / (relative * model**2)
        terms = np.stack([shape, np.full_like(shape, noise)], 1)
        normal = terms.T @ (terms * weights[:, None]) + np.diag([0.0, 1 / _FLOOR_SD**2])
        right = terms.T @ (measured * weights) + np.array([0.0, 1 / _FLOOR_SD**2])
        solved = np.linalg.solve(normal, right)
        before = amplitude, floor
        amplitude, floor = max(float(solved[0]), 1e-12), max(float(solved[1]), 1e-3)
        model = amplitude * shape + floor * noise
        # In logarithms, where a factor too large costs as one too small.
        residual = np.log(measured / model) ** 2 / relative + np.log(relative)
        cost = float(residual.sum() + ((floor - 1) / _FLOOR_SD) ** 2)
        if np.allclose(before, (amplitude, floor), rtol=_CONVERGED, atol=0.0):
            break
    return Match(cost, amplitude, floor * noise)
