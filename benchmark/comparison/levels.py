"""Scores at each level of light, and on all of them, under a protocol."""

from collections.abc import Iterator, Mapping

import pandas as pd

from benchmark.comparison.summary import Summary
from imaging.benchmark_run import DatasetEntry
from imaging.bootstrap import Estimate, estimate_mean

COLUMNS = (
    *("protocol", "version", "structure", "level"),
    *("package", "kind", "metric", "unit", "direction", "mean", "low", "high", "images", "sources"),
)

Means = dict[tuple[str, str], Estimate]
"""With their intervals, by package and metric."""
Levels = dict[int, Means]
"""The means at each level."""


def measure_levels(dataset: DatasetEntry, table: pd.DataFrame) -> Levels:
    """Average the scores at each level of light.

    Parameters
    ----------
    dataset
        Of the run; images without a level are left out.
    table
        Its scores: columns `imaging.scores.COLUMNS`.

    Returns
    -------
    dict
        From the least light to the most; empty where no image states its level.
    """
    sources = {image.name: image.source for image in dataset.images}
    level_of = {image.name: image.level for image in dataset.images if image.level is not None}
    found: Levels = {}
    for level in sorted(set(level_of.values())):
        names = [name for name, of in level_of.items() if of == level]
        found[level] = estimate_means(table[table["image"].isin(names)], sources)
    return found


def estimate_means(table: pd.DataFrame, sources: Mapping[str, str]) -> Means:
    """Average scores over images, with intervals over sources.

    Parameters
    ----------
    table
        Scores on one dataset: columns `imaging.scores.COLUMNS`.
    sources
        By image, the specimen or file it was cut from.

    Returns
    -------
    dict
        By package and metric.
    """
    return {
        (str(package), str(metric)): estimate_mean(
            rows["value"], [sources[str(image)] for image in rows["image"]]
        )
        for (package, metric), rows in table.groupby(["package", "metric"])
    }


def tabulate_levels(dataset: DatasetEntry, summary: Summary, levels: Levels) -> pd.DataFrame:
    """Arrange means and intervals so that each row says under which protocol it was measured.

    Columns `COLUMNS`: level is empty for the mean over all images, as protocol, version and
    structure are where none is stated. No rows where neither protocol nor levels are stated.
    """
    stated = dataset.protocol
    rows: list[tuple[object, ...]] = []
    if stated or levels:
        under = (stated.name, stated.version, stated.structure) if stated else (None, None, None)
        for level, estimates in [(None, summary.estimates), *levels.items()]:
            rows += [(*under, level, *row) for row in _rows(summary, estimates)]
    counts = dict.fromkeys(("version", "level"), "Int64")
    numbers = dict.fromkeys(("mean", "low", "high"), "float64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(counts | numbers)


def _rows(summary: Summary, estimates: Means) -> Iterator[tuple[object, ...]]:
    for row in summary.rows:
        for column in summary.columns:
            of = estimates.get((row.name, column.metric))
            if of is not None:
                what = (row.name, row.kind, column.metric, column.unit, column.direction)
                yield (*what, of.mean, of.low, of.high, of.images, of.sources)
