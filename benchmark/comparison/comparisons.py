"""Who can be compared in a metric, who leads beyond chance, and which places are certain."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import pandas as pd

from benchmark.comparison.paired_tests import (
    SIGNIFICANT,
    Comparison,
    Rank,
    compare,
    estimate_ranks,
    holm,
)
from benchmark.metrics.columns import Column

TRUTH = "truth"


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
