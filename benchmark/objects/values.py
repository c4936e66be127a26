"""What was measured on annotated objects as tidy tables."""

from collections.abc import Iterator

import pandas as pd

from benchmark.objects.detection import Interval
from benchmark.objects.judged import Judged
from benchmark.objects.marked_points import COLUMNS as PLACE_COLUMNS
from benchmark.objects.marked_points import Objects
from benchmark.objects.measure import Measured

COLUMNS = (
    *("dataset", "shape", "kind", "package", "measure", "value", "low", "high"),
    *("lead", "lead_low", "lead_high", "images", "objects", "clusters"),
)
SENSITIVITY_COLUMNS = (
    *("kind", "package", "choice", "is", "detectability", "low", "high"),
    *("lead", "lead_low", "lead_high"),
)
_OF_DETECTION = ("detectability", "contrast", "kept", "false")
_Ends = tuple[float | None, float | None, float | None]


def summary_table(dataset: str, measured: Measured) -> pd.DataFrame:
    """Arrange every measure of every package, a row each.

    Columns `COLUMNS`: low and high are the value's 95 % interval, the lead is that over the input;
    `objects` are marks, lines or objects of a mask, and intervals are over `clusters`. Shares are
    of 1, positions µm, and breaks per 100 µm.
    """
    rows = [row for points in measured.points for row in _of_points(points)]
    rows += [row for judged in measured.judged for row in _of_judged(judged)]
    return pd.DataFrame([(dataset, *row) for row in rows], columns=list(COLUMNS))


def sensitivity_table(measured: Measured) -> pd.DataFrame:
    """Arrange detectability by definition: columns `SENSITIVITY_COLUMNS`."""
    rows = [
        (
            points.kind,
            one.package,
            one.variant.choice,
            one.variant.value,
            *_ends(one.detectability),
            *_ends(one.lead),
        )
        for points in measured.points
        for one in points.sensitivity
    ]
    return pd.DataFrame(rows, columns=list(SENSITIVITY_COLUMNS))


def place_table(measured: Measured) -> pd.DataFrame:
    """Arrange every mark and control point: columns `benchmark.objects.marked_points.COLUMNS`."""
    tables = [points.table for points in measured.points]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PLACE_COLUMNS)


def _of_points(points: Objects) -> Iterator[tuple[object, ...]]:
    counts = (points.images, points.marks, points.lines)
    for one in points.found:
        for name in _OF_DETECTION:
            lead: Interval | None = getattr(one.lead, name) if one.lead else None
            value = _ends(getattr(one.detection, name))
            yield "points", points.kind, one.name, name, *value, *_ends(lead), *counts
        away = (one.away_um, None, None, *_ends(None))
        yield "points", points.kind, one.name, "position", *away, *counts


def _of_judged(judged: Judged) -> Iterator[tuple[object, ...]]:
    counts = (judged.images, judged.objects, judged.clusters)
    for package, scores in judged.scores.items():
        for name, one in scores.items():
            ends = (*_ends(one.value), *_ends(one.lead))
            yield judged.shape, judged.kind, package, name, *ends, *counts


def _ends(of: Interval | None) -> _Ends:
    return (of.value, of.low, of.high) if of else (None, None, None)
