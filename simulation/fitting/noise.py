"""Gain, offset and read noise of a detector, from images alone or from repeats of one field.

Two things tell them. Where light is plenty, the variance of shot noise is proportional to the mean
(photon transfer): its slope is gain times excess noise factor. Where it is scarce, the histogram
shows pixels that caught no photon, one, two: it pins offset, read noise and gain.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from simulation.fitting.photon_transfer import ROUNDING_VARIANCE, Planes, Transfer

Floats = NDArray[np.float64]

_UNEVEN = 1.5  # variance of the darkest pixels over that of noise
_DARKEST = 0.1  # of the pixels, by what surrounds them
_DARK_VARIANCE_SD = 0.05  # of its logarithm
_PRIOR_SLOPE_SD = 0.07  # of its logarithm: what structure leaves in it
_PRIOR_REPEATS_SD = 0.02
_EXCESS_MEAN, _EXCESS_SD = 1.35, 0.12  # photomultipliers

# Where the search begins.
_LEAST_EXCESS, _SPREAD = 1.01, 0.2

# Read noise over gain, where nothing tells it from the noise of an even background.
_READ_MEAN, _READ_LOG_SD = 0.3, 1.0


@dataclass(frozen=True)
class DetectorFit:
    """A detector and the light that falls on it where there is least.

    Attributes
    ----------
    gain_counts_per_photon, offset_counts, read_noise_counts, excess_noise_factor
        See `simulation.microscope.Microscope`.
    background_photons
        Mean number of photons in the darkest parts.
    offset_is_seen
        Whether the darkest parts are even enough for their histogram to tell; otherwise the
        offset is where the line of the photon transfer ends.
    """

    gain_counts_per_photon: float
    offset_counts: float
    read_noise_counts: float
    excess_noise_factor: float
    background_photons: float
    offset_is_seen: bool

    @property
    def slope_counts(self) -> float:
        """Variance that the noise gains with each count of light."""
        return self.gain_counts_per_photon * self.excess_noise_factor

    def variance(self, mean_counts: float) -> float:
        """Return the variance of the noise of pixels of a mean, counts²."""
        shot = self.slope_counts * max(mean_counts - self.offset_counts, 0)
        return shot + self.read_noise_counts**2 + ROUNDING_VARIANCE


def fit_detector(
    planes: Planes,
    transfer: Transfer,
    *,
    from_repeats: bool,
    excess: float | None = None,
    near: DetectorFit | None = None,
) -> DetectorFit:
    """Fit the histogram of the darkest pixels, with the photon transfer's slope as prior.

    The counts are offset + gain · Σ (responses to single photons) + Gaussian read noise, rounded.
    The number of photons is negative binomial, which is Poisson where the light is even; the
    responses are those of `detector.multiply`. The distribution of the sum is the
    Fourier transform of its characteristic function. Maximum likelihood by Nelder-Mead.

    Parameters
    ----------
    planes
        (y, x) counts each.
    transfer
        Of the same detector.
    from_repeats
        Whether the slope comes from repeats, and is believed accordingly.
    excess
        Excess noise factor where it is known; otherwise that of photomultipliers is the prior.
    near
        Where to search, if it is known; otherwise from three offsets on, which takes longer.

    Returns
    -------
    DetectorFit
        The most likely one.
    """
    counts = dark_pixels(planes)
    histogram = _Histogram.of(counts)
    slope_sd = _PRIOR_REPEATS_SD if from_repeats else _PRIOR_SLOPE_SD
    known, excess_sd = (_EXCESS_MEAN, _EXCESS_SD) if excess is None else (excess, 1e-3)

    def cost(parameters: Floats) -> float:
        model = _Dark.of(parameters, histogram.first)
        if not model.is_sane(histogram):
            return 1e12
        detector = model.detector(offset_is_seen=is_even)
        variance = detector.variance(float(transfer.mean.min()))
        errors = (
            np.log(detector.slope_counts / transfer.slope) / slope_sd,
            np.log(variance / transfer.dark_variance) / _DARK_VARIANCE_SD,
            (model.excess - known) / excess_sd,
            np.log(model.read / model.gain / _READ_MEAN) / _READ_LOG_SD,
        )
        surprise = histogram.surprise(model) if is_even else 0.0
        return surprise + 0.5 * sum(error**2 for error in errors)

    darkest = counts[counts <= histogram.last]
    expected = transfer.dark_variance + transfer.slope * (darkest.mean() - transfer.mean.min())
    is_even = bool(darkest.var() < _UNEVEN * expected)
    gain = transfer.slope / known
    starts: list[_Dark] = []
    for quantile in (0.02, 0.1, 0.3):
        offset = float(np.quantile(counts, quantile))
        photons = max((counts.mean() - offset) / gain, 0.05)
        spread = max(float(np.std(counts[counts <= offset])), 1.0)
        starts.append(_Dark(offset, spread, gain, max(known, _LEAST_EXCESS), photons, _SPREAD))
    if near is not None:
        starts = [_Dark.like(near)]
    options = {"maxiter": 3000, "maxfev": 3000, "xatol": 1e-3, "fatol": 0.02, "adaptive": True}
    fits = [
        optimize.minimize(
            cost, start.parameters(histogram.first), method="Nelder-Mead", options=options
        )
        for start in starts
    ]
    best = _Dark.of(min(fits, key=lambda fit: fit.fun).x, histogram.first)
    return best.detector(offset_is_seen=is_even)


def dark_pixels(planes: Planes) -> Floats:
    """Return the counts of the pixels whose surroundings are darkest.

    Parameters
    ----------
    planes
        (y, x) each.

    Returns
    -------
    ndarray
        (pixels,), float64. The choice looks at a ring around each pixel, not at the pixel.
    """
    ring = np.ones((9, 9))
    ring[3:6, 3:6] = 0
    ring /= ring.sum()
    around = np.concatenate([ndimage.convolve(p.astype(np.float64), ring).ravel() for p in planes])
    counts = np.concatenate([np.asarray(p, np.float64).ravel() for p in planes])
    return counts[around <= np.quantile(around, _DARKEST)]


@dataclass(frozen=True)
class _Dark:
    """Distribution of the counts of dark pixels."""

    offset: float
    read: float
    gain: float
    excess: float
    photons: float
    spread: float  # variance of the photons over their mean, less one

    @classmethod
    def of(cls, parameters: Floats, first: float) -> "_Dark":
        read, gain, excess, photons, spread = np.exp(np.minimum(parameters[1:], 30.0))
        return cls(first + 10 * parameters[0], read, gain, 1 + excess, photons, spread)

    @classmethod
    def like(cls, detector: DetectorFit) -> "_Dark":
        return cls(
            detector.offset_counts,
            detector.read_noise_counts,
            detector.gain_counts_per_photon,
            max(detector.excess_noise_factor, _LEAST_EXCESS),
            detector.background_photons,
            _SPREAD,
        )

    def parameters(self, first: float) -> Floats:
        rates = (self.read, self.gain, self.excess - 1, self.photons, self.spread)
        return np.array([(self.offset - first) / 10, *np.log(rates)])

    def is_sane(self, histogram: "_Histogram") -> bool:
        return bool(
            histogram.first < self.offset < histogram.last
            and 0.05 < self.read < 10 * histogram.size
            and 0.05 < self.gain < 10 * histogram.size
            and self.excess < 3
            and 1e-3 < self.photons < 1e4
            and self.spread < 1e3
        )

    def detector(self, *, offset_is_seen: bool) -> DetectorFit:
        return DetectorFit(
            self.gain, self.offset, self.read, self.excess, self.photons, offset_is_seen
        )

    def probabilities(self, first: float, size: int) -> Floats:
        """Of the whole numbers from `first` on, (size,)."""
        omega = 2 * np.pi * np.fft.rfftfreq(size)
        # Two dynodes of equal yield, as in `detector.multiply`.
        electrons = 2 / (np.sqrt(1 + 4 * max(self.excess - 1, 1e-3)) - 1)
        second = np.exp(electrons * (np.exp(1j * omega * self.gain / electrons**2) - 1))
        response = np.exp(electrons * (second - 1)) - 1
        if self.spread < 1e-4:
            light = np.exp(self.photons * response)
        else:
            light = np.exp(-self.photons / self.spread * np.log(1 - self.spread * response))
        noise = np.exp(-((omega * self.read) ** 2) / 2) * np.sinc(omega / (2 * np.pi))
        shifted = light * noise * np.exp(1j * omega * (self.offset - first))
        return np.fft.irfft(np.conj(shifted), size).clip(1e-12)


@dataclass(frozen=True)
class _Histogram:
    """How often each count occurs, with the brightest pixels in one bin."""

    first: float
    occurrences: Floats
    beyond: int
    size: int

    @classmethod
    def of(cls, counts: Floats) -> "_Histogram":
        low, high = counts.min(), np.quantile(counts, 0.995)
        # Far more counts than a histogram needs would only cost time.
        first = np.floor(low - 0.5 * (np.median(counts) - low) - 5)
        bins = int(high - first) + 1
        places = (counts - first).astype(int)
        occurrences = np.bincount(places[places < bins], minlength=bins).astype(np.float64)
        size = 2 ** int(np.ceil(np.log2(3 * bins + 200)))
        return cls(float(first), occurrences, int((places >= bins).sum()), size)

    @property
    def last(self) -> float:
        return self.first + len(self.occurrences)

    def surprise(self, model: _Dark) -> float:
        """Negative logarithm of the likelihood."""
        bins = len(self.occurrences)
        probabilities = model.probabilities(self.first, self.size)[:bins]
        rest = max(1 - probabilities.sum(), 1e-12)
        return float(-(self.occurrences @ np.log(probabilities)) - self.beyond * np.log(rest))
