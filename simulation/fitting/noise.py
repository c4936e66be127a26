"""Gain, offset and read noise of a detector, from images alone or from repeats of one field.

Two things tell them. Where light is plenty, the variance of shot noise is proportional to the mean
(photon transfer): its slope is gain times excess noise factor. Where it is scarce, the histogram
shows pixels that caught no photon, one, two: it pins offset, read noise and gain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize
from scipy.fft import dctn, idct

Planes = Sequence[NDArray[np.floating]]
Floats = NDArray[np.float64]

ROUNDING_VARIANCE = 1 / 12

_BLOCK_PX = 8
_BINS = 24
_FLATTEST = 0.1  # of the blocks of one brightness: structure adds to the variance of the others
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

_LEAST_SLOPE = 1e-3  # counts: no detector writes fewer per photon
_LEAST_GROWTH = 0.2  # of the variance, from the darkest parts to the brightest: twice its scatter

_INDEX = np.arange(_BLOCK_PX)
_ORDER = _INDEX[:, None] + _INDEX
_HIGH = (np.minimum(_INDEX[:, None], _INDEX) >= _BLOCK_PX // 2) & (_ORDER >= _BLOCK_PX + 2)
_LOW = (_ORDER > 0) & (_ORDER <= _BLOCK_PX // 2)
_FINE = _ORDER >= _BLOCK_PX
# How much each pixel of a block counts in the mean power of fine coefficients.
_COSINES = np.asarray(idct(np.eye(_BLOCK_PX), axis=1, norm="ortho")) ** 2
_FINE_WEIGHTS = np.einsum("kl,ky,lx->yx", _FINE, _COSINES, _COSINES) / _FINE.sum()


@dataclass(frozen=True)
class Transfer:
    """Mean and variance of the noise, at several levels of brightness.

    Attributes
    ----------
    mean, variance, blocks
        (bins,) counts, counts², and how many blocks were averaged.
    slope
        Counts²/count: gain times excess noise factor.
    dark_variance
        Counts², of the line at the least of the means.
    """

    mean: Floats
    variance: Floats
    blocks: Floats
    slope: float
    dark_variance: float

    @property
    def shows_photons(self) -> bool:
        """Whether the noise grows with brightness as that of photons does."""
        grown = self.slope * np.ptp(self.mean)
        return bool(self.slope > _LEAST_SLOPE and grown > _LEAST_GROWTH * self.dark_variance)


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


def transfer_of_images(planes: Planes) -> Transfer:
    """Photon transfer from single images.

    The noise of a block is its variance at the highest frequencies of the cosine transform, where
    a microscope's PSF leaves little structure. Of the blocks of one brightness only those with the
    least power at low frequencies are used: the choice looks at other coefficients than the
    variance, so it does not bias it. What structure is still left grows with the brightness
    squared and is told apart by that.

    Parameters
    ----------
    planes
        (y, x) counts each.

    Returns
    -------
    Transfer
        With the slope of the linear part.
    """
    means: list[Floats] = []
    variances: list[Floats] = []
    structures: list[Floats] = []
    for plane in planes:
        blocks = _blocks(np.asarray(plane, np.float64))
        spectra = np.asarray(dctn(blocks, axes=(1, 2), norm="ortho")) ** 2
        means.append(blocks.mean((1, 2)))
        variances.append(spectra[:, _HIGH].mean(1))
        structures.append(spectra[:, _LOW].mean(1))
    return _binned(
        np.concatenate(means), np.concatenate(variances), np.concatenate(structures), _FLATTEST
    )


def transfer_of_repeats(runs: Sequence[NDArray[np.floating]]) -> Transfer:
    """Photon transfer from images of one field, each compared with the next.

    Parameters
    ----------
    runs
        (repeat, y, x) counts, at least two repeats each; one field per run.

    Returns
    -------
    Transfer
        Half the variance of differences at high frequencies.
    """
    means: list[Floats] = []
    variances: list[Floats] = []
    pairs = [pair for run in runs for pair in pairwise(run)]
    for pair in pairs:
        first, second = (_blocks(np.asarray(plane, np.float64)) for plane in pair)
        spectra = np.asarray(dctn(first - second, axes=(1, 2), norm="ortho")) ** 2
        # Fine coefficients weigh the middle of a block more than its edges: so must the mean.
        means.append(((first + second) * _FINE_WEIGHTS).sum((1, 2)) / 2)
        # What moved or bleached in between is smooth.
        variances.append(spectra[:, _FINE].mean(1) / 2)
    mean = np.concatenate(means)
    return _binned(mean, np.concatenate(variances), np.zeros_like(mean), keep=1.0)


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


def _blocks(plane: Floats) -> Floats:
    """(blocks, side, side), overlapping by half."""
    step = _BLOCK_PX // 2
    windows = np.lib.stride_tricks.sliding_window_view(plane, (_BLOCK_PX, _BLOCK_PX))
    return windows[::step, ::step].reshape(-1, _BLOCK_PX, _BLOCK_PX)


def _binned(mean: Floats, variance: Floats, structure: Floats, keep: float) -> Transfer:
    """Average the flattest blocks of each brightness, a share to keep, and fit the line."""
    order = np.argsort(mean)
    mean, variance, structure = mean[order], variance[order], structure[order]
    # Finer towards the bright end, where there are few blocks of each brightness.
    edges = np.unique(((1 - (1 - np.linspace(0, 1, _BINS + 1)) ** 2) * len(mean)).astype(int))
    means: list[float] = []
    variances: list[float] = []
    blocks: list[float] = []
    for begin, end in pairwise(edges):
        if end - begin < 8:
            continue
        count = max(4, int(keep * (end - begin)))
        flattest = begin + np.argsort(structure[begin:end])[:count]
        means.append(mean[flattest].mean())
        variances.append(variance[flattest].mean())
        blocks.append(float(count))
    return _with_line(np.array(means), np.array(variances), np.array(blocks))


def _with_line(mean: Floats, variance: Floats, blocks: Floats) -> Transfer:
    """Fit variance = a + slope·mean + c·mean² from the least mean on, none of them negative.

    Least squares weighted by the variance's own scatter, which is proportional to it.
    """
    above = mean - mean.min()
    terms = np.stack([np.ones_like(above), above, above**2], axis=1)
    expected = np.maximum(variance, 1e-9)
    solution = np.zeros(3)
    for _ in range(20):
        weights = np.sqrt(blocks) / expected
        solution, _ = optimize.nnls(terms * weights[:, None], variance * weights)
        expected = np.maximum(terms @ solution, 1e-9)
    return Transfer(
        mean,
        variance,
        blocks,
        slope=max(float(solution[1]), _LEAST_SLOPE),
        dark_variance=max(float(solution[0]), ROUNDING_VARIANCE),
    )
