"""Whether a predicted standard deviation is as large as the errors are, and what makes it so.

Notation: e is an error, the difference of a restored and a true value, σ the standard deviation
predicted of it, z = e/σ. All are arrays of float64 of one shape: those of one image, or of the
pixels of several together where these are to be judged as one.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from sklearn.isotonic import IsotonicRegression

FLOOR = 1e-6
"""Below it a standard deviation counts as this much: what is certain and wrong is wrong by much,
not by infinitely much."""
BINS = 30
"""Of ENCE, which grows with their number even where σ is right, so it is the same for everyone."""

_LINEAR_BINS = 50
_HALVES = 8  # how often the last knots halve the pixels that each of them stands for
_STEPS = 60  # of bisection: to the last digits of a float
_ROUNDING = 1e-12  # of a sum of weights

Array = NDArray[np.float64]
Floats = NDArray[np.float32] | NDArray[np.float64]


class TooFewImagesError(ValueError):
    """Too few images to promise anything, however good they are."""


def standardise(error: Array, std: Array) -> tuple[Array, Array]:
    """Return z and σ, the latter at least `FLOOR`.

    Examples
    --------
    >>> standardise(np.array([3.0, 1e-6]), np.array([2.0, 0.0]))
    (array([1.5, 1. ]), array([2.e+00, 1.e-06]))
    """
    sigma = np.maximum(std, FLOOR)
    return error / sigma, sigma


def mean_z_squared(z: Array) -> float:
    """Return ⟨z²⟩: 1 where σ is right, 4 where it is half of what it should be.

    Examples
    --------
    >>> mean_z_squared(np.array([1.0, 3.0]))
    5.0
    """
    return float(np.vdot(z, z) / z.size)


def coverage(z: Array, factor: float) -> float:
    """Return the share of pixels within an interval of half-width `factor`·σ: ⟨|z| ≤ factor⟩.

    Examples
    --------
    >>> coverage(np.array([0.6, -0.7]), gaussian_factor(0.5))
    0.5
    """
    return float(np.mean(np.abs(z) <= factor))


def gaussian_factor(level: float) -> float:
    """Return the half-width of a Gaussian's central interval, in standard deviations.

    Examples
    --------
    >>> round(gaussian_factor(0.95), 3)
    1.96
    """
    return float(special.ndtri((1 + level) / 2))


def interval_factor(z: Array, level: float) -> float:
    """Return the half-width, in standard deviations, of the interval that covers a share of z.

    Errors are no Gaussians, so it is not `gaussian_factor` even where σ is right.

    Parameters
    ----------
    z
        Of the pixels that the interval is to be read off.
    level
        The share, 0 to 1.

    Returns
    -------
    float
        The quantile of |z|.

    Examples
    --------
    >>> interval_factor(np.array([-2.0, 1.0, 0.0]), 0.5)
    1.0
    """
    return float(np.quantile(np.abs(z), level))


def gaussian_nll(z: Array, sigma: Array) -> float:
    """Return the negative log-likelihood of Gaussians, ⟨½·ln 2πσ² + z²/2⟩, in nats.

    Examples
    --------
    >>> round(gaussian_nll(np.array([1.0]), np.array([1.0])), 4)
    1.4189
    """
    return float(np.mean(np.log(sigma) + z**2 / 2) + math.log(2 * math.pi) / 2)


def ence(z: Array, sigma: Array) -> float:
    """Return the expected normalised calibration error, ⟨|RMV_b − RMSE_b| / RMV_b⟩ over bins b.

    The bins are those of `reliability_bins`, RMV_b = √⟨σ²⟩ and RMSE_b = √⟨e²⟩ within one. Source:
    Levi et al. 2022 (doi:10.3390/s22155540). Of the pixels of several images together it is
    smaller than the mean over images, as errors of opposite kinds cancel within a bin: say which
    of the two is meant.

    Parameters
    ----------
    z, sigma
        As `standardise` returns them.

    Returns
    -------
    float
        0 where every bin is right.

    Examples
    --------
    >>> ence(np.array([1.5, 1.5]), np.array([2.0, 2.0]))
    0.5
    """
    stated, found, _ = reliability_bins(z, sigma).T
    return float(np.mean(np.abs(stated - found) / stated))


def reliability_bins(z: Array, sigma: Array) -> Array:
    """Compare predicted and actual errors among pixels of similar σ.

    Parameters
    ----------
    z, sigma
        As `standardise` returns them.

    Returns
    -------
    ndarray
        (bins, 3): √⟨σ²⟩, √⟨e²⟩ and the number of pixels, from small σ to large. 30 bins of equal
        numbers of pixels; fewer where many pixels have the same σ.

    Examples
    --------
    >>> reliability_bins(np.array([1.5, 1.5]), np.array([2.0, 2.0]))
    array([[2., 3., 2.]])
    """
    flat = sigma.ravel()
    edges = np.unique(np.quantile(flat, np.arange(1, BINS) / BINS, method="lower"))
    place = np.searchsorted(edges, flat)
    counts = np.bincount(place)
    full = counts > 0
    stated = np.bincount(place, flat**2)[full] / counts[full]
    found = np.bincount(place, (z * sigma).ravel() ** 2)[full] / counts[full]
    pixels = counts[full].astype(np.float64)
    return np.stack([np.sqrt(stated), np.sqrt(found), pixels], axis=1)


def fit_isotonic(
    error: Array, std: Array, knots: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit a monotone map of standard deviations: isotonic regression of e² on σ².

    It assumes only that errors do not shrink as σ grows (Barlow et al. 1972).

    Parameters
    ----------
    error, std
        Of the pixels to fit on, shape (n,).
    knots
        How many; at least 10.

    Returns
    -------
    tuple of ndarray
        Knots, strictly increasing, and calibrated values, not decreasing; shape (knots,) each, in
        the precision of networks. Each knot stands for as many pixels as the next, but for the
        last ones, which halve them: large errors are few.

    Examples
    --------
    >>> std = np.linspace(0.1, 1, 1000)
    >>> stated, calibrated = fit_isotonic(2 * std, std, 10)
    >>> bool(np.allclose(calibrated, 2 * stated))
    True
    """
    share = np.linspace(0, 1, knots + 1 - _HALVES)[:-1]
    tail = 1 - (1 - share[-1]) * 0.5 ** np.arange(1, _HALVES + 1)
    order = np.argsort(std, kind="stable")
    edges = np.unique((np.r_[share, tail[:-1], 1] * len(order)).astype(int))
    variance, square = std[order] ** 2, error[order] ** 2
    counts = np.diff(edges)
    stated = np.sqrt(np.add.reduceat(variance, edges[:-1]) / counts)
    found = np.add.reduceat(square, edges[:-1]) / counts
    # By rank: scikit-learn gives NaN where values differ by less than it can tell apart.
    rank = np.unique(stated, return_inverse=True)[1]
    monotone = IsotonicRegression().fit_transform(rank, found, sample_weight=counts)
    places, first = np.unique(stated.astype(np.float32), return_index=True)
    values = np.sqrt(np.asarray(monotone)[first])
    # Where pixels or values are few there are fewer bins than knots: go on in proportion.
    beyond = np.arange(1, knots - len(places) + 1)
    top = max(float(places[-1]), FLOOR)
    places = np.r_[places, top * (1 + beyond)]
    values = np.r_[values, values[-1] * (1 + beyond)]
    return places.astype(np.float32), np.maximum(values, FLOOR).astype(np.float32)


def map_std(std: Array, knots: Floats, values: Floats) -> Array:
    """Map standard deviations linearly between knots, and beyond the last one in proportion.

    Parameters
    ----------
    std
        Any shape, not negative.
    knots, values
        As `fit_isotonic` returns them.

    Returns
    -------
    ndarray
        Of the shape of `std`.

    Examples
    --------
    >>> map_std(np.array([1.5, 6.0]), np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 9.0]))
    array([ 3., 18.])
    """
    return np.interp(std, knots, values) * np.maximum(std / knots[-1], 1)


def fit_line(error: Array, std: Array) -> tuple[float, float]:
    """Fit a line as HazeMatching's paper does: through 50 bins of equal width, unweighted.

    Parameters
    ----------
    error, std
        Of the pixels to fit on, shape (n,).

    Returns
    -------
    tuple of float
        Slope and offset of root mean square error against root mean variance; 1 and 0 where all
        pixels are in one bin.

    Examples
    --------
    >>> std = np.linspace(0.1, 1, 1000)
    >>> slope, offset = fit_line(2 * std, std)
    >>> round(slope, 6)
    2.0
    """
    edges = np.linspace(std.min(), std.max(), _LINEAR_BINS + 1)
    place = np.clip(np.digitize(std, edges) - 1, 0, _LINEAR_BINS - 1)
    counts = np.bincount(place, minlength=_LINEAR_BINS)
    full = counts > 0
    if full.sum() < 2:
        return 1.0, 0.0
    stated = np.sqrt(np.bincount(place, std**2, _LINEAR_BINS)[full] / counts[full])
    found = np.sqrt(np.bincount(place, error**2, _LINEAR_BINS)[full] / counts[full])
    slope, offset = np.polyfit(stated, found, 1)
    return float(slope), float(offset)


def conformal_factor(z: Sequence[ArrayLike], *, alpha: float = 0.1, delta: float = 0.1) -> float:
    """Return the smallest λ with which intervals μ ± λσ hold a promise, whatever the errors.

    Risk-controlling prediction sets: the share of an image's pixels that μ ± λσ misses falls as λ
    grows. λ is chosen on images with truth so that for new images of the same kind the expected
    share is at most α, unless the images chosen on were a bad draw, which happens with probability
    δ at most. The image is the unit; pixels are alike in one image and prove nothing. Source: Bates
    et al. 2021 (doi:10.1145/3478535), for images Angelopoulos et al. 2022 (arXiv 2202.05265).

    Parameters
    ----------
    z
        Of every pixel, one array of any shape for each independent image. Where no σ is predicted
        it may be constant: σ = 1 makes λ the half-width of all intervals.
    alpha
        The largest share of pixels to be missed, in the mean over images.
    delta
        The largest probability that this fails.

    Returns
    -------
    float
        λ, without unit; smaller is better, as narrower intervals then keep the same promise.

    Raises
    ------
    TooFewImagesError
        Too few images to promise this even if all were perfect: 22 for α = δ = 0.1.

    Examples
    --------
    >>> z = [np.arange(1, 101) / 100] * 50
    >>> round(conformal_factor(z), 2)
    0.98
    """
    count = len(z)
    largest = largest_risk(count, alpha, delta)
    if largest is None:
        needed = math.ceil(math.log(delta) / math.log(1 - alpha))
        raise TooFewImagesError(
            f"To promise {100 * (1 - alpha):g} % of pixels with {100 * (1 - delta):g} % confidence "
            f"takes {needed} images of different sources, not {count}."
        )
    images = [np.abs(np.asarray(of_image, dtype=np.float64)).ravel() for of_image in z]
    # Every image weighs the same, whatever its size.
    weights = np.concatenate([np.full(image.size, 1 / (count * image.size)) for image in images])
    pixels = np.concatenate(images)
    ascending = np.argsort(pixels)
    missed = 1 - np.cumsum(weights[ascending])
    held = np.searchsorted(-missed, -largest - _ROUNDING)
    return float(pixels[ascending[min(held, len(pixels) - 1)]])


def largest_risk(count: int, alpha: float, delta: float) -> float | None:
    """Return the largest mean share of missed pixels that still proves a risk of at most α.

    The Hoeffding-Bentkus bound: a risk of α or more would give a mean of R or less over n images
    with probability at most min(exp(−n·h(R, α)), e·P(Binomial(n, α) ≤ ⌈nR⌉)), h the relative
    entropy of two coins.

    Parameters
    ----------
    count
        n, independent images.
    alpha, delta
        As for `conformal_factor`.

    Returns
    -------
    float or None
        R, 0 to α; None where even R = 0 proves too little.

    Examples
    --------
    >>> largest_risk(21, 0.1, 0.1) is None
    True
    >>> round(largest_risk(100, 0.1, 0.1), 3)
    0.042
    """
    if _p_value(0.0, count, alpha) > delta:
        return None
    low, high = 0.0, alpha
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _p_value(middle, count, alpha) <= delta else (low, middle)
    return low


def _p_value(risk: float, count: int, alpha: float) -> float:
    hoeffding = math.exp(-count * _relative_entropy(risk, alpha))
    # Rounding must not push a whole number of images up to the next.
    bentkus = math.e * float(special.bdtr(math.ceil(count * risk - 1e-9), count, alpha))
    return min(hoeffding, bentkus)


def _relative_entropy(a: float, b: float) -> float:
    first = a * math.log(a / b) if a > 0 else 0.0
    return first + (1 - a) * math.log((1 - a) / (1 - b))
