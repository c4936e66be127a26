"""Fourier ring correlation: how well two images agree at each spatial frequency."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.metric import Image, NotApplicable
from benchmark.metrics.rings import half_spectrum, rings

Criterion = Literal["1/7", "1/2", "3σ"]

# Nieuwenhuizen et al. 2013 fade an eighth of each side at both of its ends.
TAPER = 0.25
_SMALLEST_SIDE = 32
# Rings that are averaged before a crossing is looked for.
SMOOTHING_RINGS = 7


@dataclass(frozen=True)
class RingCorrelation:
    """How well two images agree at each spatial frequency.

    Attributes
    ----------
    frequency
        (rings,), cycles per pixel.
    correlation
        (rings,), −1 to 1.
    count
        (rings,): coefficients of the full transform in each ring.
    smoothing
        Rings that are averaged before a crossing is looked for.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    count: NDArray[np.float64]
    smoothing: int = SMOOTHING_RINGS

    def threshold(self, criterion: Criterion) -> NDArray[np.float64]:
        """Return the correlation below which nothing counts as resolved, per ring.

        1/7 between two acquisitions; 1/2 against a truth without noise, which is the same
        signal-to-noise ratio, √(2·(1/7) / (1 + 1/7)) = 1/2 (Rosenthal and Henderson 2003,
        doi:10.1016/j.jmb.2003.07.013); or three standard deviations of noise, 3 / √(N / 2) with
        N / 2 independent coefficients in a ring (van Heel and Schatz 2005,
        doi:10.1016/j.jsb.2005.05.009).
        """
        if criterion == "3σ":
            return 3 / np.sqrt(self.count / 2)
        return np.full_like(self.correlation, 1 / 7 if criterion == "1/7" else 1 / 2)

    def resolution_px(self, criterion: Criterion = "1/7") -> float:
        """Return the period at which the mean over some rings first falls below a threshold.

        Parameters
        ----------
        criterion
            See `threshold`.

        Returns
        -------
        float
            Pixels per period; linear between two rings.

        Raises
        ------
        NotApplicable
            Unresolved: the curve does not cross the threshold from above.
        """
        frequency = first_crossing(self.frequency, self._excess(criterion))
        if np.isnan(frequency):
            where = "above" if self.stays_above(criterion) else "below"
            raise NotApplicable(f"Unresolved: the ring correlation stays {where} {criterion}.")
        return 1 / float(frequency)

    def stays_above(self, criterion: Criterion) -> bool:
        """Tell whether the mean over some rings ends above a threshold, without a crossing."""
        excess = self._excess(criterion)
        return bool(excess[-1] > 0 and np.isnan(first_crossing(self.frequency, excess)))

    def _excess(self, criterion: Criterion) -> NDArray[np.float64]:
        smooth = ndimage.uniform_filter1d(self.correlation, self.smoothing, mode="nearest")
        return np.asarray(smooth - self.threshold(criterion))


def first_crossing(
    frequency: NDArray[np.float64], excess: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return where curves first fall from above 0 to 0 or below.

    Parameters
    ----------
    frequency
        (rings,).
    excess
        (..., rings): correlation minus threshold.

    Returns
    -------
    ndarray
        (...): linear between two rings; NaN where a curve never falls through 0.

    Examples
    --------
    >>> f = np.array([0.1, 0.2, 0.3])
    >>> first_crossing(f, np.array([[0.5, 0.1, -0.1], [0.3, 0.2, 0.1]])).round(3)
    array([0.25,  nan])
    """
    falls = (excess[..., :-1] > 0) & (excess[..., 1:] <= 0)
    first = falls.argmax(axis=-1)[..., None]
    before = np.take_along_axis(excess, first, axis=-1)[..., 0]
    after = np.take_along_axis(excess, first + 1, axis=-1)[..., 0]
    found = falls.any(axis=-1)
    share = before / np.where(found, before - after, 1)
    low, high = frequency[first[..., 0]], frequency[first[..., 0] + 1]
    return np.where(found, low + share * (high - low), np.nan)


def ring_correlation(first: Image, second: Image) -> RingCorrelation:
    """Return the Fourier ring correlation of two images.

    Re Σ F₁·F₂* / √(Σ|F₁|² · Σ|F₂|²) over the rings of equal frequency, F the transform of an image
    without its mean under a Tukey window that fades an eighth of the side at each border. Source:
    Saxton and Baumeister 1982; Nieuwenhuizen et al. 2013 (doi:10.1038/nmeth.2448). Of independent
    noise over the same power spectrum S, it is expected to be S / (S + noise).

    Parameters
    ----------
    first, second
        Independent images of one field, one shape (y, x), at least 32 x 32.

    Returns
    -------
    RingCorrelation
        0 where a ring of either image is empty.

    Raises
    ------
    NotApplicable
        The images are too small, or one is constant.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> ring_correlation(image, 5 * image + 2).correlation.round(6).min()
    np.float64(1.0)
    """
    refuse_pair(first, second, _SMALLEST_SIDE)
    one, two = half_spectrum(first, TAPER), half_spectrum(second, TAPER)
    of_shape = rings((first.shape[0], first.shape[1]))
    shared = of_shape.sum(one.real * two.real + one.imag * two.imag)
    powers = [of_shape.sum(f.real**2 + f.imag**2) for f in (one, two)]
    length = np.sqrt(powers[0] * powers[1])
    correlation = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    return RingCorrelation(of_shape.frequency, correlation, of_shape.count)


def refuse_pair(first: Image, second: Image, smallest_side: int) -> None:
    """Refuse images that say nothing about agreement by frequency.

    Raises
    ------
    NotApplicable
        Images smaller than `smallest_side`, or one of them constant.
    """
    if min(first.shape) < smallest_side:
        raise NotApplicable(
            f"Ring correlation needs at least {smallest_side} x {smallest_side} pixels here, "
            f"not {first.shape[0]} x {first.shape[1]}."
        )
    if any(image.min() == image.max() for image in (first, second)):
        raise NotApplicable("One of the images is constant: it has no frequencies to compare.")
