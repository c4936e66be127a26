"""Decorrelation analysis: up to which frequency a single image has more than noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.metric import Image, NotApplicable
from benchmark.metrics.rings import half_spectrum, rings

_SMALLEST_SIDE = 32
_FADED_PX = 20  # at each border, as in the code of the source
_RADII = 50
_HIGH_PASSES = 10
_STRONGEST_PX = 0.15  # Gaussian σ of the strongest high-pass
# A maximum counts when the curve falls by this much behind it; less is noise.
_DROP = 5e-4


@dataclass(frozen=True)
class _Peak:
    """The last true maximum of a decorrelation curve; both 0 when there is none."""

    frequency: float
    height: float


@dataclass(frozen=True)
class _Amplitudes:
    """What a decorrelation curve is made of, per ring: Σ|F|, Σ|F|² and the number of terms."""

    frequency: NDArray[np.float64]
    sum: NDArray[np.float64]
    power: NDArray[np.float64]
    count: NDArray[np.float64]

    def curve(self, radii: NDArray[np.float64], high_pass_px: float) -> NDArray[np.float64]:
        """Return d at some radii, after a high-pass 1 − Gaussian of this σ."""
        passed = 1 - np.exp(-2 * (np.pi * high_pass_px * self.frequency) ** 2)
        total = np.sum(self.power * passed**2)
        inside = np.cumsum(self.sum * passed) / np.sqrt(total * np.cumsum(self.count))
        return np.interp(radii, self.frequency, inside)


def cutoff_period_px(image: Image) -> float:
    """Return the period at the cutoff frequency of an image.

    F is correlated with its phases alone, F/|F|, within a growing radius r of frequencies:
    d(r) = Σ_{|k|<r} |F| / √(Σ|F|² · Σ_{|k|<r} 1). Behind the last frequency with more than noise, d
    falls; the frequency of its last maximum, the highest over ten high-passes and ten finer ones,
    is the cutoff. Source: Descloux et al. 2019 (doi:10.1038/s41592-019-0515-7). |F| is summed per
    ring first, which a high-pass, being radial, leaves as it is: one transform serves all curves.
    On very noisy images the value scatters between repeats by factors, or there is none.

    It is a measure of relative sharpness, not of resolution: a network that draws sharp edges in
    the wrong place has a fine value. Images of one grid only can be compared, and interpolated or
    denoised images have an artificial cutoff that it will find.

    Parameters
    ----------
    image
        (y, x), at least 32 x 32.

    Returns
    -------
    float
        Pixels per period, at least 2.

    Raises
    ------
    NotApplicable
        The image is too small or constant, or no curve has a maximum: unresolved.

    Examples
    --------
    >>> from scipy import ndimage
    >>> noise = np.random.default_rng(0).random((2, 128, 128))
    >>> sharp, blurred = (ndimage.gaussian_filter(noise[0], s) + noise[1] / 1e3 for s in (1, 2))
    >>> cutoff_period_px(sharp) < cutoff_period_px(blurred)
    True
    """
    if min(image.shape) < _SMALLEST_SIDE:
        raise NotApplicable(
            f"Decorrelation analysis needs at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels, "
            f"not {image.shape[0]} x {image.shape[1]}."
        )
    if image.min() == image.max():
        raise NotApplicable("The image is constant: it has no frequencies.")
    amplitudes = _amplitudes(image)
    radii = np.linspace(amplitudes.frequency[0], 0.5, _RADII)
    plain = _last_peak(radii, amplitudes.curve(radii, np.inf))
    weakest = 1 / plain.frequency if plain.frequency else min(image.shape) / 2
    high_passes = np.geomspace(weakest, _STRONGEST_PX, _HIGH_PASSES)
    peaks = [_last_peak(radii, amplitudes.curve(radii, sigma)) for sigma in high_passes]
    sharpest = int(np.argmax([peak.frequency for peak in peaks]))
    # Once more, finer: between the neighbours of the best high-pass, and from the peak that stands
    # out most to somewhat beyond the one that lies highest.
    clearest = max([plain, *peaks], key=lambda peak: peak.frequency * peak.height)
    finest = max(plain.frequency, peaks[sharpest].frequency)
    radii = np.linspace(
        max(clearest.frequency - 0.025, radii[0]), min(finest + 0.15, radii[-1]), _RADII
    )
    low, high = max(sharpest - 1, 0), min(sharpest + 1, _HIGH_PASSES - 1)
    finer = np.geomspace(high_passes[low], high_passes[high], _HIGH_PASSES)
    peaks = [_last_peak(radii, amplitudes.curve(radii, sigma)) for sigma in finer]
    cutoff = max(peak.frequency for peak in peaks)
    if cutoff == 0:
        raise NotApplicable("Unresolved: no decorrelation curve of the image has a maximum.")
    return 1 / cutoff


def _amplitudes(image: Image) -> _Amplitudes:
    of_shape = rings((image.shape[0], image.shape[1]))
    amplitude = np.abs(half_spectrum(image, min(1.0, 2 * _FADED_PX / min(image.shape))))
    return _Amplitudes(
        of_shape.frequency, of_shape.sum(amplitude), of_shape.sum(amplitude**2), of_shape.count
    )


def _last_peak(radii: NDArray[np.float64], curve: NDArray[np.float64]) -> _Peak:
    for end in range(len(curve), 1, -1):
        top = int(np.argmax(curve[:end]))
        if 0 < top < end - 1 and curve[top] - curve[top:end].min() >= _DROP:
            return _Peak(float(radii[top]), float(curve[top]))
    return _Peak(0.0, 0.0)
