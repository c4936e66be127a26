"""The summary table of one dataset: means, intervals, and what is best beyond chance."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from benchmark.comparison.comparisons import (
    TRUTH,
    MetricComparison,
    Test,
    best_beyond_chance,
    compare_leads,
)
from benchmark.metrics.columns import COSTS, QUALITY, Column
from imaging.benchmark_run import PackageEntry
from imaging.bootstrap import Estimate, estimate_mean
from imaging.scores import SAMPLE_SUFFIX


@dataclass(frozen=True)
class Entry:
    """One cell of the table.

    Attributes
    ----------
    text, interval
        The mean and its interval.
    footnote
        Number of the note that says why there is no value, or not for every image; 0 for none.
    share
        Of how many images it is the mean, where others have more: "18/20"; else empty.
    hint
        Shown on hovering.
    best
        Whether it is ahead of all others beyond chance, on the images that both have.
    measured
        Whether there is a value.
    """

    text: str
    interval: str = ""
    footnote: int = 0
    share: str = ""
    hint: str = ""
    best: bool = False
    measured: bool = False


@dataclass(frozen=True)
class SummaryRow:
    """A package, its single sample, or a control; `reason` stands for all cells without any."""

    name: str
    title: str
    kind: str
    cells: tuple[Entry, ...]
    reason: str


@dataclass(frozen=True)
class Family:
    """The metrics of one kind, as a table of their own.

    Attributes
    ----------
    title, about
        What they are.
    columns, rows
        Those with a value.
    absent
        Sentences naming the rows without and why.
    """

    title: str
    about: str
    columns: tuple[Column, ...]
    rows: tuple[SummaryRow, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A table with what stands below it.

    Attributes
    ----------
    columns, rows, footnotes
        The table.
    estimates
        Its means, by package and metric.
    measured
        The columns of quality that have a value.
    contests, best, tests
        By metric who was compared and who is ahead of all others beyond chance, and why.
    """

    columns: tuple[Column, ...]
    rows: tuple[SummaryRow, ...]
    footnotes: tuple[str, ...]
    estimates: dict[tuple[str, str], Estimate]
    measured: tuple[Column, ...]
    contests: dict[str, MetricComparison]
    best: dict[str, str]
    tests: tuple[Test, ...]

    @property
    def families(self) -> tuple[Family, ...]:
        """Return one table for each family of metrics that has a value."""
        measured = [column for i, column in enumerate(self.columns) if self._is_measured(i)]
        kinds = list(dict.fromkeys(column.family for column in measured))
        return tuple(self._family(kind, first=kind == kinds[0]) for kind in kinds)

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """Return sentences naming the metrics in which nobody has a value, and why."""
        absent: dict[str, list[str]] = {}
        for i, column in enumerate(self.columns):
            cells = [row.cells[i] for row in self.rows if row.cells]
            if not self._is_measured(i) and any(cell.footnote for cell in cells):
                absent.setdefault(_why(cells), []).append(column.label)
        return _sentences(absent)

    def _is_measured(self, i: int) -> bool:
        return any(row.cells[i].measured for row in self.rows if row.cells)

    def _family(self, kind: str, *, first: bool) -> Family:
        columns = enumerate(self.columns)
        kept = [i for i, column in columns if column.family == kind and self._is_measured(i)]
        rows: list[SummaryRow] = []
        absent: dict[str, list[str]] = {}
        for row in self.rows:
            cells = tuple(row.cells[i] for i in kept) if row.cells else ()
            if any(cell.measured for cell in cells) or (row.reason and first):
                rows.append(replace(row, cells=cells))
            elif cells:
                absent.setdefault(_why(cells), []).append(row.name)
        about = sys.modules.get(f"benchmark.metrics.{kind}")
        return Family(
            kind.capitalize(),
            (about.__doc__ or "").partition("\n")[0] if about else "",
            tuple(self.columns[i] for i in kept),
            tuple(rows),
            _sentences(absent),
        )


def summarise(
    packages: Sequence[PackageEntry],
    table: pd.DataFrame,
    not_applicable: pd.DataFrame,
    sources: Mapping[str, str],
) -> Summary:
    """Summarise the scores on one dataset.

    Parameters
    ----------
    packages
        Of the run.
    table, not_applicable
        The rows of this dataset; see `imaging.results.Scores`.
    sources
        By image, the specimen or file it was cut from.

    Returns
    -------
    Summary
        Controls first, then packages, each with its sample, the truth last. Without any score of
        quality the columns of quality are left out; `measured` are those with a value.
    """
    order = {True: 0, False: 1}
    ordered = sorted(packages, key=lambda of: (of.name == TRUTH, order[of.control]))
    named = [row for package in ordered for row in (package, *_sample_of(package, table))]
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
    contests = {
        column.metric: contest
        for column in columns
        if column not in COSTS and column.direction != "neither"
        if (contest := MetricComparison.of(column, scores, sources)) is not None
    }
    tests = compare_leads(contests.values())
    best = best_beyond_chance(tests)
    imaged = table[table["package"] != TRUTH].groupby("metric")["image"].nunique()
    estimates = {
        key: estimate_mean(values, [sources[str(image)] for image in values.index])
        for key, values in scores.items()
    }
    footnotes: list[str] = []

    def entry(name: str, column: Column) -> Entry:
        estimate = estimates.get((name, column.metric))
        missing = reasons.get((name, column.metric), [])
        notes = [_reason(missing)] if missing else []
        if estimate is None:
            return Entry(
                "n/a" if missing else "–",
                footnote=_footnote(notes, footnotes),
                hint=missing[0] if missing else "failed",
            )
        images = int(imaged.get(column.metric, 0))
        partial = estimate.images < images
        if partial:
            of_images = f"{estimate.images} of {images} images"
            notes.insert(0, f"{of_images}: this mean does not compare with means over others.")
        return Entry(
            column.format(estimate.mean),
            _interval(estimate, column),
            _footnote(notes, footnotes),
            f"{estimate.images}/{images}" if partial else "",
            _hint(estimate),
            best.get(column.metric) == name,
            measured=True,
        )

    rows: list[SummaryRow] = []
    for package in named:
        name = package.name
        kind = TRUTH if name == TRUTH else "control" if package.control else "package"
        reason = ""
        if not any((name, column.metric) in scores for column in columns):
            of_all = [why for c in columns for why in reasons.get((name, c.metric), [])]
            reason = of_all[0] if of_all else "Every image failed; see Failures."
        cells = () if reason else tuple(entry(name, column) for column in columns)
        rows.append(SummaryRow(name, package.title, kind, cells, reason))
    return Summary(
        columns, tuple(rows), tuple(footnotes), estimates, measured, contests, best, tests
    )


def _sample_of(package: PackageEntry, table: pd.DataFrame) -> list[PackageEntry]:
    name = package.name + SAMPLE_SUFFIX
    if name not in set(table["package"]):
        return []
    return [replace(package, name=name, title=f"One sample of {package.title}")]


def _sentences(absent: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Write who or what is absent, by the reason."""
    return tuple(f"{', '.join(names)}: {reason}" for reason, names in absent.items())


def _why(cells: Sequence[Entry]) -> str:
    """Say why none of these has a value."""
    return next((cell.hint for cell in cells if cell.footnote), cells[0].hint)


def _reason(reasons: Sequence[str]) -> str:
    distinct = sorted(set(reasons))
    others = f" (And {len(distinct) - 1} like it, on other images.)" if distinct[1:] else ""
    return distinct[0] + others


def _footnote(notes: Sequence[str], footnotes: list[str]) -> int:
    """Return the number of the footnote that holds these notes; 0 for none."""
    text = " ".join(notes)
    if not text:
        return 0
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
