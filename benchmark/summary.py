"""The summary table of one dataset: means, intervals, and what is best beyond chance."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from benchmark.columns import COSTS, QUALITY, Column
from benchmark.scores import SAMPLE_SUFFIX
from benchmark.statistics import (
    SIGNIFICANT,
    Comparison,
    Estimate,
    compare,
    estimate_mean,
    holm,
)

TRUTH = "truth"


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
        Whether it is ahead of all others beyond chance.
    measured
        Whether there is a value.
    """

    text: str
    interval: str = ""
    footnote: int = 0
    hint: str = ""
    best: bool = False
    measured: bool = False


@dataclass(frozen=True)
class Row:
    """A package, its single sample, or a control; `reason` stands for all cells without any."""

    name: str
    title: str
    kind: str
    cells: tuple[Entry, ...]
    reason: str


@dataclass(frozen=True)
class Test:
    """How far the leader in a metric is ahead of another, and whether that may be chance.

    Attributes
    ----------
    column, leader, other
        Who leads whom in what.
    comparison
        Of their losses, image by image.
    p
        Corrected for all tests of the dataset (Holm).
    """

    column: Column
    leader: str
    other: str
    comparison: Comparison
    p: float


@dataclass(frozen=True)
class Family:
    """The metrics of one kind, as a table of their own.

    Attributes
    ----------
    title, about
        What they are.
    columns, rows
        The rows with a value among them.
    absent
        Sentences naming who has none and why.
    """

    title: str
    about: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A table with what stands below it."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...]
    best: dict[str, str]
    measured: tuple[Column, ...]
    tests: tuple[Test, ...]

    @property
    def families(self) -> tuple[Family, ...]:
        """Return one table for each family of metrics that has a value."""
        kinds = list(dict.fromkeys(column.family for column in self.columns))
        families = [self._family(kind, first=kind == kinds[0]) for kind in kinds]
        return tuple(family for family in families if family.rows)

    def _family(self, kind: str, *, first: bool) -> Family:
        places = [i for i, column in enumerate(self.columns) if column.family == kind]
        rows: list[Row] = []
        absent: dict[str, list[str]] = {}
        for row in self.rows:
            cells = tuple(row.cells[i] for i in places) if row.cells else ()
            if any(cell.measured for cell in cells) or (row.reason and first):
                rows.append(replace(row, cells=cells))
            elif cells:
                why = next((cell.hint for cell in cells if cell.footnote), cells[0].hint)
                absent.setdefault(why, []).append(row.name)
        about = sys.modules.get(f"benchmark.metrics.{kind}")
        return Family(
            kind.capitalize(),
            (about.__doc__ or "").partition("\n")[0] if about else "",
            tuple(self.columns[i] for i in places),
            tuple(rows),
            tuple(f"{', '.join(names)}: {reason}" for reason, names in absent.items()),
        )


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
        Controls first, then packages, each with its sample, the truth last. Without any score of
        quality the columns of quality are left out; `measured` are those with a value.
    """
    order = {True: 0, False: 1}
    methods = sorted(methods, key=lambda m: (m["name"] == TRUTH, order[m["control"]]))
    methods = [row for method in methods for row in (method, *_sample_of(method, table))]
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
    contested = [c for c in columns if c not in COSTS and c.direction != "neither"]
    tests = _test_leads(contested, scores, sources)
    best = _best(tests)
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
            measured=True,
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
    return Summary(columns, tuple(rows), tuple(footnotes), best, measured, tests)


def _sample_of(method: Mapping[str, Any], table: pd.DataFrame) -> list[dict[str, Any]]:
    name = method["name"] + SAMPLE_SUFFIX
    if name not in set(table["package"]):
        return []
    return [{**method, "name": name, "title": f"One sample of {method['title']}"}]


def _test_leads(
    columns: Sequence[Column],
    scores: Mapping[tuple[str, str], "pd.Series[float]"],
    sources: Mapping[str, str],
) -> tuple[Test, ...]:
    """Compare whose mean loss is lowest with every other one, metric by metric.

    The truth does not take part, as it is perfect by definition, nor does the input where it would
    be compared with itself; nor who has no score on some of the images, as means over different
    images do not compare.
    """
    found: list[tuple[Column, str, str, Comparison]] = []
    for column in columns:
        losses = {
            name: column.losses(values)
            for (name, metric), values in scores.items()
            if metric == column.metric and name != TRUTH and name not in column.needs
        }
        if not losses:
            continue
        everything = max(len(values) for values in losses.values())
        losses = {name: values for name, values in losses.items() if len(values) == everything}
        leader, *others = sorted(losses, key=lambda name: losses[name].mean())
        of_source = [sources[str(image)] for image in losses[leader].index]
        found += [
            (column, leader, other, compare(losses[leader], losses[other], of_source))
            for other in others
        ]
    corrected = holm([comparison.p for *_, comparison in found])
    return tuple(Test(*test, float(p)) for test, p in zip(found, corrected, strict=True))


def _best(tests: Sequence[Test]) -> dict[str, str]:
    """Return by metric who is ahead of all others beyond chance."""
    ahead: dict[str, list[Test]] = {}
    for test in tests:
        ahead.setdefault(test.column.metric, []).append(test)
    return {
        metric: of_metric[0].leader
        for metric, of_metric in ahead.items()
        if all(t.p < SIGNIFICANT and t.comparison.effect > 0 for t in of_metric)
    }


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
