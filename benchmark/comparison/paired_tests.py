"""Paired tests and places; specimens count, not pixels.

Images cut from one specimen are not independent: a test sees one difference per specimen, and
intervals are those of `imaging.bootstrap`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from imaging.bootstrap import CONFIDENCE, Estimate, bootstrap_means, estimate_mean

SIGNIFICANT = 0.05
_EXACT_SOURCES = 100


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
    means = np.stack([bootstrap_means(one, cluster, len(members)) for one in scores])
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
