"""Who can be compared in a metric, who leads beyond chance, and which places are certain.

Specimens count, not pixels: images cut from one specimen are not independent, so a test sees one
difference per specimen, and intervals are those of `imaging.bootstrap`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from benchmark.metrics.columns import Column
from imaging.bootstrap import CONFIDENCE, Estimate, bootstrap_means, estimate_mean

TRUTH = "truth"
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


@dataclass(frozen=True)
class MetricComparison:
    """Who can be compared with each other in one metric.

    The truth does not take part, as it is perfect by definition, nor does the input where it would
    be compared with itself. Who has no score on some of the images has no place, as means over
    different images do not compare; but nobody is ahead of all without being ahead of them, too, on
    the images that both have.

    Attributes
    ----------
    column
        The metric.
    losses
        By name, of who has a score on every image.
    incomplete
        The same of the others, on the images they have.
    sources
        The specimen or file of each of all images.
    """

    column: Column
    losses: dict[str, "pd.Series[float]"]
    incomplete: dict[str, "pd.Series[float]"]
    sources: tuple[str, ...]

    @classmethod
    def of(
        cls,
        column: Column,
        scores: Mapping[tuple[str, str], "pd.Series[float]"],
        sources: Mapping[str, str],
    ) -> Self | None:
        """Find who takes part.

        Parameters
        ----------
        column
            A metric that says what is better.
        scores
            By package and metric, the values by image in their order.
        sources
            By image.

        Returns
        -------
        MetricComparison or None
            None where nobody has a score on every image.
        """
        losses = {
            name: column.losses(values)
            for (name, metric), values in scores.items()
            if metric == column.metric and name != TRUTH and name not in column.needs
        }
        everything = sorted({str(image) for values in losses.values() for image in values.index})
        complete = {name: of for name, of in losses.items() if len(of) == len(everything)}
        if not complete:
            return None
        incomplete = {name: of for name, of in losses.items() if name not in complete}
        return cls(column, complete, incomplete, tuple(sources[image] for image in everything))

    @property
    def ranks(self) -> dict[str, Rank]:
        """Return the place, with its interval, of everyone who has a score on every image."""
        ranks = estimate_ranks(list(self.losses.values()), self.sources)
        return dict(zip(self.losses, ranks, strict=True))

    def compare(self, leader: str, other: str) -> Comparison:
        """Compare who has a score on every image with another, on the images that both have."""
        first, second = self.losses[leader], (self.losses | self.incomplete)[other]
        sources = pd.Series(self.sources, first.index)
        return compare(first[second.index], second, sources[second.index])


@dataclass(frozen=True)
class Test:
    """How far the leader in a metric is ahead of another, and whether that may be chance.

    Attributes
    ----------
    column, leader, other
        Who leads whom in what.
    comparison
        Of their losses, image by image, on the images that both have.
    p
        Corrected for all tests of the dataset (Holm).
    """

    column: Column
    leader: str
    other: str
    comparison: Comparison
    p: float


def compare_leads(contests: Iterable[MetricComparison]) -> tuple[Test, ...]:
    """Compare whose mean loss over all images is lowest with every other one, metric by metric.

    Parameters
    ----------
    contests
        All of a dataset.

    Returns
    -------
    tuple of Test
        With p-values that are corrected for all of them.
    """
    found: list[tuple[Column, str, str, Comparison]] = []
    for contest in contests:
        losses = contest.losses
        leader, *others = sorted(losses, key=lambda name: losses[name].mean())
        found += [
            (contest.column, leader, other, contest.compare(leader, other))
            for other in (*others, *contest.incomplete)
        ]
    corrected = holm([comparison.p for *_, comparison in found])
    return tuple(Test(*test, float(p)) for test, p in zip(found, corrected, strict=True))


def best_beyond_chance(tests: Sequence[Test]) -> dict[str, str]:
    """Return by metric who is ahead of all others beyond chance."""
    ahead: dict[str, list[Test]] = {}
    for test in tests:
        ahead.setdefault(test.column.metric, []).append(test)
    return {
        metric: of_metric[0].leader
        for metric, of_metric in ahead.items()
        if all(t.p < SIGNIFICANT and t.comparison.effect > 0 for t in of_metric)
    }


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
