"""Whether edges agree: gradients and the phase congruency of waves.

Both were made for photographs of 8 bits and keep their constants: the prediction is fitted to the
truth by least squares, the truth's minimum and maximum are mapped to 0 and 1, and both are clipped
there. Borders are those of the papers: beyond the image everything is 0. Neither is applicable to a
constant truth or prediction.
"""

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from benchmark.metrics.intensity import affine_fit, value_range
from benchmark.metrics.metric import Image, NotApplicable, metric

_SMALLEST_SIDE = 32
_PREWITT = np.array([1, 1, 1]) / 3
_SCHARR = np.array([3, 10, 3]) / 16
# Xue et al. 2014: 170 for 8 bits; Zhang et al. 2011: 160, and 0.85 for phase congruency.
_GMSD_CONSTANT = 170 / 255**2
_GRADIENT_CONSTANT = 160 / 255**2
_PHASE_CONSTANT = 0.85
_FSIM_SIDE = 256  # images are averaged down to about this side
# Log-Gabor waves as in Zhang et al. 2011: wavelengths 6, 12, 24 and 48 pixels, 4 directions.
_ORIENTATIONS = 4
_WAVELENGTHS_PX = (6, 12, 24, 48)
_BANDWIDTH = 0.55
_DIRECTION_SIGMA = math.pi / _ORIENTATIONS / 1.2
# Kovesi 1999: energy counts from so many deviations of its noise on, which is overestimated so far.
_NOISE_SIGMAS, _NOISE_OVERESTIMATED = 2.0, 1.7
# His smooth cutoff: corners of the spectrum have no direction.
_CUTOFF, _CUTOFF_ORDER = 0.45, 15
_NOTHING = 1e-9


@metric(label="GMSD", direction="lower")
def gmsd(truth: Image, prediction: Image) -> float:
    """Gradient magnitude similarity deviation, after the best affine intensity fit.

    Standard deviation over pixels of (2·m_g·m_p + c) / (m_g² + m_p² + c), m the length of the
    Prewitt gradient of the 2 x 2 means, c = 170/255². Source: Xue et al. 2014
    (doi:10.1109/TIP.2013.2293423). It says how unevenly edges are damaged: a prediction whose edges
    are all equally weak scores well. 0 for equal images, seldom above 0.35; not applicable to
    images below 32 x 32 pixels.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((32, 32))
    >>> gmsd(truth, 3 * truth + 1) < 1e-6
    True
    """
    g, p = (_slope(_pooled(image, 2), _PREWITT) for image in _as_eight_bits(truth, prediction))
    return float(_similarity(g, p, _GMSD_CONSTANT).std())


@metric(label="FSIM", direction="higher")
def fsim(truth: Image, prediction: Image) -> float:
    """Feature similarity: phase congruency and gradients, after the best affine intensity fit.

    Σ S_pc·S_g·PC / Σ PC, S the similarity (2ab + c) / (a² + b² + c) of the phase congruencies
    (c = 0.85) and of the Scharr gradients (c = 160/255²), PC the larger phase congruency of the
    two; sides of more than 384 pixels are averaged down to about 256. Source: Zhang et al. 2011
    (doi:10.1109/TIP.2011.2109730), with the phase congruency of Kovesi 1999. Fine detail of large
    images is therefore not looked at. At most 1; not applicable to images below 32 x 32 pixels, and
    where neither image has any feature.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((64, 64))
    >>> round(fsim(truth, 3 * truth + 1), 6)
    1.0
    """
    step = max(1, round(min(truth.shape) / _FSIM_SIDE))
    g, p = (_pooled(image, step) for image in _as_eight_bits(truth, prediction))
    phase_g, phase_p = phase_congruency(g), phase_congruency(p)
    weight = np.maximum(phase_g, phase_p)
    total = float(weight.sum())
    if total <= _NOTHING:
        raise NotApplicable("Neither truth nor prediction has a feature to compare.")
    similar = _similarity(phase_g, phase_p, _PHASE_CONSTANT) * _similarity(
        _slope(g, _SCHARR), _slope(p, _SCHARR), _GRADIENT_CONSTANT
    )
    return float(np.vdot(similar, weight)) / total


def phase_congruency(image: Image) -> Image:
    """Return how far waves of all lengths are in phase, from 0 to 1: near 1 at edges and lines.

    Σ_o max(0, E_o − T_o) / Σ_o Σ_s A_os: A the amplitudes of log-Gabor waves of 6 to 48 pixels in
    four directions, E what they have in the direction of their mean phase less what they have
    across it, T the noise of E as the shortest waves tell it. Source: Kovesi 1999 ("Image features
    from phase congruency", Videre 1, 1–26).

    Parameters
    ----------
    image
        (y, x), with a range of about 1.

    Returns
    -------
    ndarray
        (y, x); 0 in a constant image.
    """
    # Single precision takes half the time and leaves six digits of FSIM.
    spectrum: NDArray[np.complex64] = np.asarray(fft.fft2(image)).astype(np.complex64)
    energies = amplitudes = np.zeros(image.shape)
    for waves, shortest, together in _waves((image.shape[0], image.shape[1])):
        answers: NDArray[np.complex64] = np.asarray(fft.ifft2(spectrum * waves, overwrite_x=True))
        lengths = np.abs(answers)
        total = answers.sum(axis=0)
        turned = answers * (total / (np.abs(total) + _NOTHING)).conj()
        energy = (turned.real - np.abs(turned.imag)).sum(axis=0)
        # The median of squared amplitudes of Gaussian noise is ln 2 of their mean.
        noise = float(np.median(lengths[0] ** 2)) / math.log(2) / shortest
        rayleigh = math.sqrt(noise * together)
        mean, sigma = rayleigh * math.sqrt(math.pi / 2), rayleigh * math.sqrt(2 - math.pi / 2)
        threshold = (mean + _NOISE_SIGMAS * sigma) / _NOISE_OVERESTIMATED
        energies = energies + np.maximum(energy - threshold, 0)
        amplitudes = amplitudes + lengths.sum(axis=0)
    return energies / (amplitudes + _NOTHING)


@functools.lru_cache(maxsize=4)
def _waves(shape: tuple[int, int]) -> list[tuple[NDArray[np.float32], float, float]]:
    """Return by direction the waves (scales, y, x) as filters of a spectrum, and their power.

    Of white noise of power 1 in the spectrum: what the shortest waves pass, and what their sum
    has in the real part.
    """
    y, x = (fft.fftfreq(side) for side in shape)
    radius = np.hypot(y[:, None], x)
    radius[0, 0] = 1.0
    cutoff = 1 / (1 + (radius / _CUTOFF) ** (2 * _CUTOFF_ORDER))
    width = 2 * math.log(_BANDWIDTH) ** 2
    rings = np.stack(
        [np.exp(-(np.log(radius * length) ** 2) / width) * cutoff for length in _WAVELENGTHS_PX]
    )
    rings[:, 0, 0] = 0.0
    angle = np.arctan2(-y[:, None], x)
    found: list[tuple[NDArray[np.float32], float, float]] = []
    for i in range(_ORIENTATIONS):
        turn = np.abs(np.angle(np.exp(1j * (angle - i * math.pi / _ORIENTATIONS))))
        waves = rings * np.exp(-(turn**2) / (2 * _DIRECTION_SIGMA**2))
        impulse: NDArray[np.complex128] = np.asarray(fft.ifft2(waves.sum(axis=0)))
        together = float(np.sum(impulse.real**2)) * radius.size
        found.append((waves.astype(np.float32), float(np.sum(waves[0] ** 2)), together))
    return found


def _as_eight_bits(truth: Image, prediction: Image) -> tuple[Image, Image]:
    """Return truth and fitted prediction with the truth's extremes at 0 and 1, clipped there."""
    if min(truth.shape) < _SMALLEST_SIDE:
        raise NotApplicable(
            f"Edges are compared in images of at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels, "
            f"not {truth.shape[0]} x {truth.shape[1]}."
        )
    extent, low = value_range(truth), truth.min()
    fitted = affine_fit(truth, prediction)
    return (truth - low) / extent, np.clip((fitted - low) / extent, 0, 1)


def _slope(image: Image, smoothing: NDArray[np.float64]) -> Image:
    """Return the length of the gradient between neighbours but one, smoothed across."""
    steps = [
        ndimage.correlate1d(
            ndimage.correlate1d(image, np.array([1.0, 0, -1]), axis=along, mode="constant"),
            smoothing,
            axis=across,
            mode="constant",
        )
        for along, across in itertools.permutations((0, 1))
    ]
    return np.hypot(*steps)


def _pooled(image: Image, step: int) -> Image:
    """Return means over squares; lines that fill none are left out."""
    rows, columns = (side // step for side in image.shape)
    whole = image[: rows * step, : columns * step]
    return whole.reshape(rows, step, columns, step).mean(axis=(1, 3))


def _similarity(one: Image, other: Image, constant: float) -> Image:
    return (2 * one * other + constant) / (one**2 + other**2 + constant)
