"""Shares and means over objects, with intervals over clusters of them, and leads over the input."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import Values
from benchmark.objects.detection import Interval, interval_of
from imaging.bootstrap import times_drawn
from imaging.cli import UserError
from imaging.scores import INPUT


@dataclass(frozen=True, eq=False)
class Ratio:
    """A sum over parts of objects by another, such as length seen by length traced.

    Attributes
    ----------
    top, bottom
        (n,), what is added up; `bottom` is above 0 somewhere, and the same for everyone.
    cluster
        (n,), the number of the cluster of each; parts of one cluster are not independent.
    """

    top: Values
    bottom: Values
    cluster: NDArray[np.intp]

    @cached_property
    def draws(self) -> Values:
        """Return the ratio of all clusters, then of every draw of them that holds anything."""
        count = int(self.cluster.max()) + 1
        every = np.ones((1, count))
        times = np.concatenate([every, times_drawn(count)]) if count > 1 else every
        bottom = times @ np.bincount(self.cluster, self.bottom, count)
        top = times @ np.bincount(self.cluster, self.top, count)
        return top[bottom > 0] / bottom[bottom > 0]


@dataclass(frozen=True)
class Scored:
    """A measure of one package, and by how much it lies above the input's; None for the input."""

    value: Interval
    lead: Interval | None


@dataclass(frozen=True)
class Measure:
    """What is measured: its name in tables and on the page, its better direction and its unit."""

    name: str
    label: str
    arrow: str
    unit: str = ""

    @property
    def heading(self) -> str:
        """Return the heading of its column."""
        return f"{self.label} {self.arrow} {self.unit}".strip()


@dataclass(frozen=True)
class Judged:
    """Marked lines or drawn masks, as everyone shows them.

    Attributes
    ----------
    shape, kind
        "lines" or "masks", and what was marked.
    measures
        Those that could be measured.
    images, objects, clusters
        How many; intervals are over clusters.
    scores
        By package, the input first, and by name of the measure.
    absent
        By package, why it is not among them.
    notes
        Sentences: what was read in another way, or not at all, and why.
    """

    shape: str
    kind: str
    measures: tuple[Measure, ...]
    images: int
    objects: int
    clusters: int
    scores: dict[str, dict[str, Scored]]
    absent: dict[str, str]
    notes: tuple[str, ...] = ()


def judge(
    look: Callable[[str], Mapping[str, Ratio]], names: Iterable[str]
) -> tuple[dict[str, dict[str, Scored]], dict[str, str]]:
    """Measure the input and everyone, part by part beside the input.

    Parameters
    ----------
    look
        Returns the ratios of a package by measure, or raises `NotApplicable` or `UserError`.
    names
        Of packages and controls.

    Returns
    -------
    tuple
        `Judged.scores` and `Judged.absent`.

    Raises
    ------
    NotApplicable
        The input itself cannot be measured.
    """
    baseline = look(INPUT)
    scores = {INPUT: {name: Scored(interval_of(r.draws), None) for name, r in baseline.items()}}
    absent: dict[str, str] = {}
    for package in names:
        try:
            ratios = look(package)
        except (NotApplicable, UserError) as reason:
            absent[package] = str(reason)
            continue
        scores[package] = {
            name: Scored(
                interval_of(ratio.draws),
                interval_of(ratio.draws - baseline[name].draws) if name in baseline else None,
            )
            for name, ratio in ratios.items()
        }
    return scores, absent
