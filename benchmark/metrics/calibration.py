"""Whether a stated standard deviation is as large as the errors are.

Notation: g is the truth, μ and σ the mean and standard deviation that a package states, e = g − μ
its error, z = e/σ. Nothing is fitted: packages deliver on the scale on which the truth is
normalised (percentiles 2 and 99.8), and a σ of a fitted μ would be another one. Below `FLOOR` σ
counts as `FLOOR`: a package that is certain and wrong is wrong by much, not by infinitely much.
None of these is applicable where a σ is negative, or all are 0.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmark.metrics.metric import Image, NotApplicable, metric

FLOOR = 1e-6
BINS = 30  # ENCE grows with their number even where σ is right, so it is the same for everyone


@metric(label="Mean z²", direction="closest", ideal=1.0)
def mean_z_squared(truth: Image, mean: Image, std: Image) -> float:
    """Mean squared error in units of the stated variance.

    ⟨(e/σ)²⟩, over all pixels: 1 where σ is right, 4 where it is half of what it should be. A few
    pixels of far too small σ decide it, so read it beside the coverage. Not negative.

    Examples
    --------
    >>> mean_z_squared([[1.0, 3.0]], [[0.0, 0.0]], [[1.0, 1.0]])
    5.0
    """
    z, _ = standardise(truth, mean, std)
    return float(np.vdot(z, z) / z.size)


@metric(label="Coverage of 50 %", direction="closest", ideal=0.5)
def coverage_50(truth: Image, mean: Image, std: Image) -> float:
    """Share of pixels within the central 50 % of the Gaussian that a package states.

    ⟨|e| ≤ qσ⟩, q = Φ⁻¹(0.75) = 0.674. Errors that are no Gaussians miss it even with the right σ;
    the package's own intervals need not, see `own_coverage_50`.

    Examples
    --------
    >>> coverage_50([[0.6, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]])
    0.5
    """
    return _coverage(truth, mean, std, gaussian_factor(0.5))


@metric(label="Coverage of 90 %", direction="closest", ideal=0.9)
def coverage_90(truth: Image, mean: Image, std: Image) -> float:
    """Share of pixels within the central 90 % of the Gaussian that a package states.

    As `coverage_50`, with q = 1.645.

    Examples
    --------
    >>> coverage_90([[1.6, 1.7]], [[0.0, 0.0]], [[1.0, 1.0]])
    0.5
    """
    return _coverage(truth, mean, std, gaussian_factor(0.9))


@metric(label="Coverage of 95 %", direction="closest", ideal=0.95)
def coverage_95(truth: Image, mean: Image, std: Image) -> float:
    """Share of pixels within the central 95 % of the Gaussian that a package states.

    As `coverage_50`, with q = 1.960.

    Examples
    --------
    >>> coverage_95([[1.9, 2.0]], [[0.0, 0.0]], [[1.0, 1.0]])
    0.5
    """
    return _coverage(truth, mean, std, gaussian_factor(0.95))


@metric(label="Coverage of own 50 %", direction="closest", ideal=0.5)
def own_coverage_50(
    truth: Image, mean: Image, std: Image, interval_factors: Mapping[str, float]
) -> float:
    """Share of pixels within the package's own interval of 50 %.

    ⟨|e| ≤ fσ⟩, f the half-width in standard deviations that its rdf.yaml states; not
    applicable where it states no such interval.

    Examples
    --------
    >>> own_coverage_50([[0.4, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]], {"0.5": 0.5})
    0.5
    """
    return _coverage(truth, mean, std, own_factor(interval_factors, "0.5"))


@metric(label="Coverage of own 90 %", direction="closest", ideal=0.9)
def own_coverage_90(
    truth: Image, mean: Image, std: Image, interval_factors: Mapping[str, float]
) -> float:
    """Share of pixels within the package's own interval of 90 %.

    See `own_coverage_50`.

    Examples
    --------
    >>> own_coverage_90([[0.4, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]], {"0.9": 0.5})
    0.5
    """
    return _coverage(truth, mean, std, own_factor(interval_factors, "0.9"))


@metric(label="Coverage of own 95 %", direction="closest", ideal=0.95)
def own_coverage_95(
    truth: Image, mean: Image, std: Image, interval_factors: Mapping[str, float]
) -> float:
    """Share of pixels within the package's own interval of 95 %.

    See `own_coverage_50`.

    Examples
    --------
    >>> own_coverage_95([[0.4, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]], {"0.95": 0.5})
    0.5
    """
    return _coverage(truth, mean, std, own_factor(interval_factors, "0.95"))


@metric(label="ENCE", direction="lower")
def ence(truth: Image, mean: Image, std: Image) -> float:
    """Mean relative difference of stated and found errors, from small σ to large.

    The expected normalised calibration error, ⟨|RMV_b − RMSE_b| / RMV_b⟩ over 30 bins b of pixels
    by quantiles of σ, RMV_b = √⟨σ²⟩ and RMSE_b = √⟨e²⟩ within one. Source: Levi et al. 2022
    (doi:10.3390/s22155540). Errors of one image are alike in neighbouring pixels, so even a right σ
    leaves some of it. 0 where every bin is right.

    Examples
    --------
    >>> ence([[3.0, 3.0]], [[0.0, 0.0]], [[2.0, 2.0]])
    0.5
    """
    return calibration_error(reliability_bins(truth, mean, std))


def calibration_error(bins: NDArray[np.float64]) -> float:
    """Return the mean relative difference of what `reliability_bins` gives: its `ence`.

    Examples
    --------
    >>> calibration_error(np.array([[2.0, 3.0, 1.0]]))
    0.5
    """
    return float(np.mean(np.abs(bins[:, 0] - bins[:, 1]) / bins[:, 0]))


def reliability_bins(truth: ArrayLike, mean: ArrayLike, std: ArrayLike) -> NDArray[np.float64]:
    """Compare stated and found errors among pixels of similar σ.

    Parameters
    ----------
    truth, mean, std
        Arrays of one shape; of several images at once, where they are pooled.

    Returns
    -------
    ndarray
        (bins, 3): √⟨σ²⟩, √⟨e²⟩ and the number of pixels, from small σ to large. 30 bins of equal
        numbers of pixels; fewer where many pixels have the same σ.

    Raises
    ------
    NotApplicable
        A standard deviation is negative, or all are 0.

    Examples
    --------
    >>> reliability_bins([3.0, 3.0], [0.0, 0.0], [2.0, 2.0])
    array([[2., 3., 2.]])
    """
    z, sigma = standardise(truth, mean, std)
    flat = sigma.ravel()
    edges = np.unique(np.quantile(flat, np.arange(1, BINS) / BINS, method="lower"))
    place = np.searchsorted(edges, flat)
    counts = np.bincount(place)
    full = counts > 0
    stated = np.bincount(place, flat**2)[full] / counts[full]
    found = np.bincount(place, (z * sigma).ravel() ** 2)[full] / counts[full]
    pixels = counts[full].astype(np.float64)
    return np.stack([np.sqrt(stated), np.sqrt(found), pixels], axis=1)


def reliability_curve(
    truth: ArrayLike, mean: ArrayLike, std: ArrayLike, levels: ArrayLike
) -> NDArray[np.float64]:
    """Measure how often central Gaussian intervals of every level hold the truth.

    Parameters
    ----------
    truth, mean, std
        Arrays of one shape.
    levels
        (levels,), nominal coverages between 0 and 1.

    Returns
    -------
    ndarray
        (levels,), the share of pixels with |e| ≤ Φ⁻¹((1 + level)/2)·σ; equal to `levels` where the
        stated Gaussians are right.

    Raises
    ------
    NotApplicable
        A standard deviation is negative, or all are 0.

    Examples
    --------
    >>> reliability_curve([0.5, 1.5], [0.0, 0.0], [1.0, 1.0], [0.5, 0.9])
    array([0.5, 1. ])
    """
    z, _ = standardise(truth, mean, std)
    ordered = np.sort(np.abs(z), axis=None)
    bounds = special.ndtri((1 + np.asarray(levels, dtype=np.float64)) / 2)
    return np.searchsorted(ordered, bounds, side="right") / ordered.size


def gaussian_factor(level: float) -> float:
    """Return the half-width of a Gaussian's central interval, in standard deviations.

    Examples
    --------
    >>> round(gaussian_factor(0.95), 3)
    1.96
    """
    return float(special.ndtri((1 + level) / 2))


def own_factor(interval_factors: Mapping[str, float], level: str) -> float:
    """Return the half-width of a package's own interval, in standard deviations.

    Raises
    ------
    NotApplicable
        It states none of this level.
    """
    if level not in interval_factors:
        raise NotApplicable(f"It states no interval of {100 * float(level):g} %.")
    return interval_factors[level]


def standardise(
    truth: ArrayLike, mean: ArrayLike, std: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return z and σ, the latter at least `FLOOR`.

    Raises
    ------
    NotApplicable
        A standard deviation is negative, or all are 0.
    """
    sigma = np.asarray(std, dtype=np.float64)
    if sigma.min() < 0:
        raise NotApplicable("The package states negative standard deviations.")
    if sigma.max() == 0:
        raise NotApplicable("The package states a standard deviation of 0 everywhere.")
    sigma = np.maximum(sigma, FLOOR)
    return np.subtract(truth, mean, dtype=np.float64) / sigma, sigma


def _coverage(truth: Image, mean: Image, std: Image, factor: float) -> float:
    z, _ = standardise(truth, mean, std)
    return float(np.mean(np.abs(z) <= factor))
