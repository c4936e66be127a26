"""The summary table of one dataset: means, intervals, and what is best beyond chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.scores import MEMORY, SECONDS
from benchmark.statistics import Estimate, differs, estimate_mean

TRUTH = "truth"
_PERFECT_DB = 100  # beyond lies the rounding of float32


@dataclass(frozen=True)
class Column:
    """A metric as a table needs it."""

    metric: str
    label: str
    direction: str
    unit: str
    summary: str

    @property
    def arrow(self) -> str:
        """Return where better values lie."""
        return "↑" if self.direction == "higher" else "↓"

    @property
    def axis(self) -> str:
        """Return the label of an axis."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.label}{unit}, {self.direction} is better {self.arrow}"

    def format(self, value: float) -> str:
        """Write a value with the digits that mean something."""
        if self.unit == "dB" and value > _PERFECT_DB:
            return f"> {_PERFECT_DB}"
        if self.metric in (SECONDS, MEMORY):
            return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        return f"{value:.2f}".replace("-", "−") if self.unit == "dB" else f"{value:.3f}"


COSTS = (
    Column(SECONDS, "Time", "lower", "s/MP", "Seconds per megapixel, without loading the model."),
    Column(
        MEMORY, "Peak memory", "lower", "MiB/MP", "Memory per megapixel beyond the loaded model."
    ),
)
QUALITY = tuple(
    Column(metric.name, metric.label, metric.direction, metric.unit, metric.summary)
    for metric in METRICS.values()
)


@dataclass(frozen=True)
class Entry:
    """One cell of the table.

    Attributes
    ----------
    text, interval
        The mean and its interval.
    footnote
        Number of the note that says why there is no value, or not for every image; 0 for none.
    hint
        Shown on hovering.
    best
        Whether it is better than the next best beyond chance.
    """

    text: str
    interval: str = ""
    footnote: int = 0
    hint: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A package or control; `reason` stands for all cells when it has none."""

    name: str
    title: str
    kind: str
    cells: tuple[Entry, ...]
    reason: str


@dataclass(frozen=True)
class Summary:
    """A table with what stands below it."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...]
    best: dict[str, str]
    measured: tuple[Column, ...]


def summarise(
    methods: Sequence[Mapping[str, Any]],
    table: pd.DataFrame,
    not_applicable: pd.DataFrame,
    sources: Mapping[str, str],
) -> Summary:
    """Summarise the scores on one dataset.

    Parameters
    ----------
    methods
        The entries "packages" of run.json.
    table, not_applicable
        The rows of this dataset; see `benchmark.scores.Scores`.
    sources
        By image, the specimen or file it was cut from.

    Returns
    -------
    Summary
        Controls first, then packages, the truth last. Without any score of quality, as without
        truth, the columns of quality are left out; `measured` are those with a value.
    """
    order = {True: 0, False: 1}
    methods = sorted(methods, key=lambda m: (m["name"] == TRUTH, order[m["control"]]))
    present = set(table["metric"])
    measured = tuple(c for c in QUALITY if c.metric in present)
    columns = (QUALITY if measured else ()) + COSTS
    scores = {
        (str(package), str(metric)): rows.set_index("image")["value"].sort_index()
        for (package, metric), rows in table.groupby(["package", "metric"])
    }
    reasons = {
        (str(package), str(metric)): [str(reason) for reason in rows["reason"]]
        for (package, metric), rows in not_applicable.groupby(["package", "metric"])
    }
    best = {
        column.metric: name
        for column in columns
        if column not in COSTS and (name := _best(column, scores, sources))
    }
    footnotes: list[str] = []

    def entry(name: str, column: Column) -> Entry:
        values = scores.get((name, column.metric))
        missing = reasons.get((name, column.metric), [])
        footnote = _footnote(missing, footnotes) if missing else 0
        if values is None:
            return Entry(
                "n/a" if missing else "–", "", footnote, missing[0] if missing else "failed"
            )
        estimate = estimate_mean(values, [sources[str(image)] for image in values.index])
        return Entry(
            column.format(estimate.mean),
            _interval(estimate, column),
            footnote,
            _hint(estimate),
            best.get(column.metric) == name,
        )

    rows: list[Row] = []
    for method in methods:
        name = method["name"]
        kind = TRUTH if name == TRUTH else "control" if method["control"] else "package"
        reason = ""
        if not any((name, column.metric) in scores for column in columns):
            of_all = [why for c in columns for why in reasons.get((name, c.metric), [])]
            reason = of_all[0] if of_all else "Every image failed; see Failures."
        cells = () if reason else tuple(entry(name, column) for column in columns)
        rows.append(Row(name, method["title"], kind, cells, reason))
    return Summary(columns, tuple(rows), tuple(footnotes), best, measured)


def _best(
    column: Column, scores: Mapping[tuple[str, str], "pd.Series[float]"], sources: Mapping[str, str]
) -> str | None:
    """Return whose mean is best, if its paired difference to the next best excludes 0.

    The truth does not take part: it is perfect by definition.
    """
    sign = 1 if column.direction == "higher" else -1
    taking_part = {n: v for (n, m), v in scores.items() if m == column.metric and n != TRUTH}
    ranked = sorted(taking_part, key=lambda name: -sign * taking_part[name].mean())
    if len(ranked) < 2:
        return None
    first, second = taking_part[ranked[0]], taking_part[ranked[1]]
    common = first.index.intersection(second.index)
    if len(common) < max(len(first), len(second)):  # means over different images do not compare
        return None
    of_source = [sources[str(image)] for image in common]
    return ranked[0] if differs(first[common], second[common], of_source) else None


def _footnote(reasons: Sequence[str], footnotes: list[str]) -> int:
    distinct = sorted(set(reasons))
    text = distinct[0]
    if len(distinct) > 1:
        text += f" (And {len(distinct) - 1} like it, on other images.)"
    if text not in footnotes:
        footnotes.append(text)
    return footnotes.index(text) + 1


def _interval(estimate: Estimate, column: Column) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = column.format(estimate.low), column.format(estimate.high)
    return f"{low} – {high}" if not low.startswith(">") else ""


def _hint(estimate: Estimate) -> str:
    counted = f"Mean of {estimate.images} images from {estimate.sources} sources"
    if estimate.sources < 2:
        return f"{counted}: one source leaves no interval."
    return f"{counted}; below, its 95 % interval." if estimate.low is not None else f"{counted}."
