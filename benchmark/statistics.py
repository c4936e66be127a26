"""Means over images with their uncertainty, and paired tests; specimens count, not pixels.

Images cut from one specimen are not independent, so the bootstrap draws whole specimens with all
their images (Davison and Hinkley 1997, section 3.8), and a test sees one difference per specimen.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

SEED = 0
RESAMPLES = 9999
CONFIDENCE = 0.95
SIGNIFICANT = 0.05
_EXACT_SOURCES = 100


@dataclass(frozen=True)
class Estimate:
    """A mean over images.

    Attributes
    ----------
    mean
        Over images, each counting the same.
    low, high
        The 95 % confidence interval; None with fewer than two sources.
    images, sources
        How many entered.
    """

    mean: float
    low: float | None
    high: float | None
    images: int
    sources: int


def estimate_mean(values: ArrayLike, sources: ArrayLike) -> Estimate:
    """Estimate a mean over images and its 95 % confidence interval.

    Sources are drawn with replacement, as many as there are; a draw's mean is over all images of
    the drawn sources. The interval lies between percentiles 2.5 and 97.5 of 9999 such means, drawn
    from a fixed seed. With few sources it is too narrow, as any bootstrap is.

    Parameters
    ----------
    values
        (images,); may hold infinities, which leave no interval.
    sources
        (images,), the specimen or file of each.

    Returns
    -------
    Estimate
        The mean, its interval and the counts.

    Examples
    --------
    >>> estimate_mean([1.0, 2.0, 3.0], ["a", "a", "a"])
    Estimate(mean=2.0, low=None, high=None, images=3, sources=1)
    """
    scores = np.asarray(values, dtype=np.float64)
    members, cluster = np.unique(np.asarray(sources), return_inverse=True)
    mean = float(scores.mean())
    if len(members) < 2 or not np.isfinite(scores).all():
        return Estimate(mean, None, None, len(scores), len(members))
    means = _bootstrap_means(scores, cluster, len(members))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), len(scores), len(members))


@dataclass(frozen=True)
class Comparison:
    """How far one package is ahead of another on the same images.

    Attributes
    ----------
    advantage
        The mean of the paired differences of losses; positive when the first is better.
    effect
        Rank-biserial correlation: the share of the sum of ranks that speaks for the first, minus
        that which speaks against it; 1 when it is ahead on every source.
    p
        Of Wilcoxon's signed-rank test, two-sided, over the sources that differ; 1 where none does.
    """

    advantage: Estimate
    effect: float
    p: float


def compare(first: ArrayLike, second: ArrayLike, sources: ArrayLike) -> Comparison:
    """Compare two packages image by image.

    Parameters
    ----------
    first, second
        (images,), losses on the same images in the same order: the lower the better.
    sources
        (images,), the specimen or file of each; the differences within one are averaged.

    Returns
    -------
    Comparison
        With n sources p is 2/2ⁿ at least, so five can never show a difference at 5 %.

    Examples
    --------
    >>> found = compare([1.0] * 8, [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8], range(8))
    >>> found.effect, found.p
    (1.0, 0.0078125)
    """
    losses = np.asarray(second, dtype=np.float64), np.asarray(first, dtype=np.float64)
    if not np.isfinite(losses).all():
        return Comparison(Estimate(math.nan, None, None, len(losses[0]), 0), 0.0, 1.0)
    difference = losses[0] - losses[1]
    _, cluster = np.unique(np.asarray(sources), return_inverse=True)
    of_sources = np.bincount(cluster, difference) / np.bincount(cluster)
    unequal = of_sources[of_sources != 0]
    advantage = estimate_mean(difference, sources)
    if not unequal.size:
        return Comparison(advantage, 0.0, 1.0)
    ranks = stats.rankdata(np.abs(unequal))
    signed = float(ranks @ np.sign(unequal))
    return Comparison(advantage, signed / float(ranks.sum()), _signed_rank_p(ranks, signed))


@dataclass(frozen=True)
class Rank:
    """A place among packages; 1 is the best.

    Attributes
    ----------
    place
        By mean loss over the images; who are equal share the better place.
    low, high
        The 95 % confidence interval; None with fewer than two sources.
    """

    place: int
    low: int | None
    high: int | None


def estimate_ranks(losses: ArrayLike, sources: ArrayLike) -> list[Rank]:
    """Estimate which place each package has among all, and its 95 % confidence interval.

    The same draws of sources as in `estimate_mean`; each ranks the packages by their mean loss over
    the drawn images. The interval of a place lies between percentiles 2.5 and 97.5; who are equal
    in a draw may have any of their places.

    Parameters
    ----------
    losses
        (packages, images), the lower the better; may hold infinities, which leave no interval.
    sources
        (images,), the specimen or file of each.

    Returns
    -------
    list of Rank
        In the order of the packages.

    Examples
    --------
    >>> estimate_ranks([[1.0, 1.0, 1.0], [2.0, 2.0, 3.0]], ["a", "b", "c"])
    [Rank(place=1, low=1, high=1), Rank(place=2, low=2, high=2)]
    """
    scores = np.asarray(losses, dtype=np.float64)
    members, cluster = np.unique(np.asarray(sources), return_inverse=True)
    places = stats.rankdata(scores.mean(axis=1), method="min").astype(int).tolist()
    if len(members) < 2 or not np.isfinite(scores).all():
        return [Rank(place, None, None) for place in places]
    means = np.stack([_bootstrap_means(one, cluster, len(members)) for one in scores])
    best, worst = (stats.rankdata(means, method=tie, axis=0) for tie in ("min", "max"))
    tail = (1 - CONFIDENCE) / 2
    low = np.quantile(best, tail, axis=1, method="inverted_cdf").astype(int).tolist()
    high = np.quantile(worst, 1 - tail, axis=1, method="inverted_cdf").astype(int).tolist()
    return [Rank(*rank) for rank in zip(places, low, high, strict=True)]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values of many tests, so that one false finding among all is as rare as stated.

    The k-th smallest of m is multiplied by m − k + 1, and none becomes smaller than one before it
    (Holm 1979). It holds whatever the dependence of the tests.

    Parameters
    ----------
    p_values
        (tests,).

    Returns
    -------
    ndarray
        (tests,), at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    corrected = np.empty_like(p)
    factors = np.arange(len(p), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return corrected


def _signed_rank_p(ranks: NDArray[np.float64], signed: float) -> float:
    """Return how often ranks of random sign add up to as much, in either direction.

    Exact also where differences are equal and share their mean rank; for many sources, where a
    Gaussian is as good, the limit.
    """
    if len(ranks) > _EXACT_SOURCES:
        return float(2 * special.ndtr(-abs(signed) / np.sqrt(ranks @ ranks)))
    doubled = np.rint(2 * ranks).astype(np.intp)  # shared ranks end in .5
    chance = np.ones(1)  # that the positive ones add up to 0, 1, 2 …
    for rank in doubled:
        chance = (np.pad(chance, (rank, 0)) + np.pad(chance, (0, rank))) / 2
    total = int(doubled.sum())
    sums = 2 * np.arange(total + 1) - total
    return min(float(chance[np.abs(sums) > abs(2 * signed) - 0.5].sum()), 1.0)


def _bootstrap_means(
    scores: NDArray[np.float64], cluster: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    sums = np.bincount(cluster, scores, count)
    sizes = np.bincount(cluster, minlength=count).astype(np.float64)
    times = _times_drawn(count)
    return (times @ sums) / (times @ sizes)


@functools.lru_cache(maxsize=1)
def _times_drawn(count: int) -> NDArray[np.float64]:
    """Return how often each of the sources is in each resample; the same for every metric."""
    drawn = np.random.default_rng(SEED).integers(0, count, (RESAMPLES, count))
    places = drawn + count * np.arange(RESAMPLES)[:, None]
    times = np.bincount(places.ravel(), minlength=RESAMPLES * count)
    return times.reshape(RESAMPLES, count).astype(np.float64)
