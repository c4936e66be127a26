"""Packages that are seeds of one method: trained alike but for the random numbers.

How far their scores lie apart says how much of a lead over another method may be luck of training;
the interval over images of one package says nothing of that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.comparison.comparisons import MetricComparison
from benchmark.comparison.unchanged import training_of
from benchmark.metrics.columns import Column
from imaging.benchmark_run import PackageEntry
from imaging.bootstrap import Estimate, estimate_mean

# What differs between two seeds, or says nothing of what was trained: the best weights of one come
# from an earlier step than those of another.
_OF_ONE_RUN = ("seed", "training_duration", "training_epochs", "training_steps", "versions")


@dataclass(frozen=True)
class Spread:
    """One metric of a method that was trained several times.

    Attributes
    ----------
    column
        The metric.
    estimate
        Mean over seeds and images; its interval is that between images.
    between_seeds
        Standard deviation of the means of the seeds.
    """

    column: Column
    estimate: Estimate
    between_seeds: float


def find_seeds(packages: Sequence[PackageEntry]) -> list[tuple[str, ...]]:
    """Find the packages that were trained alike with different seeds.

    Parameters
    ----------
    packages
        Of the run. Those that moved or changed since, or that do not say how they were trained,
        are left out.

    Returns
    -------
    list of tuple
        The names of the seeds of each method that has more than one.
    """
    groups: dict[str, dict[Any, str]] = {}
    for package in packages:
        trained = training_of(package)
        if "seed" in trained:
            alike = {key: value for key, value in trained.items() if key not in _OF_ONE_RUN}
            groups.setdefault(repr(alike), {}).setdefault(trained["seed"], package.name)
    return [tuple(seeds.values()) for seeds in groups.values() if len(seeds) > 1]


def measure_spread(
    names: Sequence[str], contests: Mapping[str, MetricComparison], table: pd.DataFrame
) -> list[Spread]:
    """Summarise the scores of several seeds.

    Parameters
    ----------
    names
        Of the packages.
    contests
        By metric who has a score on every image; metrics in which a seed has not are left out.
    table
        Rows of the dataset; see `imaging.results.Scores`.

    Returns
    -------
    list of Spread
        One for each metric.
    """
    scores = table[table["package"].isin(names)]
    found: list[Spread] = []
    for metric, contest in contests.items():
        if not contest.losses.keys() >= set(names):
            continue
        of_metric = scores[scores["metric"] == metric]
        values = of_metric.pivot_table(index="image", columns="package", values="value").to_numpy()
        if np.isfinite(values).all():
            estimate = estimate_mean(values.mean(axis=1), contest.sources)
            spread = float(values.mean(axis=0).std(ddof=1))
            found.append(Spread(contest.column, estimate, spread))
    return found
