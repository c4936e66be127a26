"""The figures of one dataset, by the name of their file."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from benchmark.comparison.comparisons import TRUTH
from benchmark.comparison.reliability import LEVELS, Reliability, Stage
from benchmark.comparison.ring_curves import measure_ring_curve
from benchmark.comparison.summary import Summary
from benchmark.metrics.columns import CHOOSING, COSTS, PERCEPTION, Column
from benchmark.page.plots import Curve, Point, StripRow, curve_plot, scatter_plot, strip_plot
from benchmark.running.cell import CellFiles
from imaging import drawing
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.bootstrap import estimate_mean
from imaging.scores import SAMPLE_SUFFIX

_PLANE_WIDTH = 620.0
_RING_CURVES = (
    ("truth", 1 / 2, "Correlation with the truth"),
    ("repeat", 1 / 7, "Correlation of two recordings"),
)
_COLUMNS = 3
_SIDE, _LEFT, _TOP, _BELOW = 158.0, 54.0, 40.0, 42.0
_RANGE = 1e-3  # of the largest error; what is smaller lies at the edge
_DIAGONAL = drawing.Stroke(opacity=0.4)
# From the least to the most important, as they are drawn.
_STYLES = (
    ("network alone, before its calibration", drawing.Stroke(drawing.INK, 1.3, dashes="2 3")),
    ("fitted anew on other specimens here", drawing.Stroke(drawing.INK, 1.3, dashes="7 3")),
    ("as delivered", drawing.Stroke(drawing.ACCENT, 2.2)),
)


@dataclass(frozen=True)
class _Package:
    """A line for each of `_STYLES` that a package has, rings beside them, and a remark."""

    name: str
    lines: tuple[Sequence[drawing.Point], ...]
    rings: Sequence[drawing.Point]
    remark: str


def draw_strips(
    summary: Summary, table: pd.DataFrame, sources: Mapping[str, str]
) -> dict[str, str]:
    """Draw every image's score, a figure per metric.

    SVG elements by metric; without the truth, which is perfect by definition. Images are cut from
    `sources`: specimens or files.
    """
    scores = {
        (str(package), str(metric)): dict(zip(rows["image"], rows["value"], strict=True))
        for (package, metric), rows in table.groupby(["package", "metric"])
    }
    figures: dict[str, str] = {}
    for column in summary.columns:
        rows: list[StripRow] = []
        for row in summary.rows:
            here = scores.get((row.name, column.metric), {})
            values = {image: value for image, value in here.items() if math.isfinite(value)}
            if row.kind != TRUTH and values:
                of = [sources[image] for image in values]
                estimate = estimate_mean(list(values.values()), of)
                rows.append(StripRow(row.name, row.kind == "package", values, estimate))
        if column not in COSTS and rows:
            figures[column.metric] = strip_plot(rows, column.axis)
    return figures


def draw_plane(summary: Summary) -> str:
    """Draw distortion against perception (Blau and Michaeli 2018).

    Of whoever has both scores, without the truth; empty where nobody has.
    """
    points = _points(summary, CHOOSING, PERCEPTION)
    if not points:
        return ""
    return scatter_plot(points, CHOOSING.axis, PERCEPTION.axis, width=_PLANE_WIDTH)


def draw_costs(summary: Summary) -> dict[str, str]:
    """Draw quality against each cost: SVG elements by name."""
    figures: dict[str, str] = {}
    for cost in COSTS:
        points = [
            replace(point, x=replace(point.x, low=None, high=None))
            for point in _points(summary, cost, CHOOSING)
            if point.x.mean > 0
        ]
        if points:
            figures[f"{CHOOSING.metric}-against-{cost.metric}"] = scatter_plot(
                points,
                f"{cost.label} ({cost.unit})",
                f"{CHOOSING.label} ({CHOOSING.unit})",
                logarithmic=True,
            )
    return figures


def draw_ring_curves(
    dataset: DatasetEntry, packages: Sequence[PackageEntry], results: CellFiles
) -> dict[str, str]:
    """Draw Fourier ring correlation over frequency, with the truth and between repeats.

    SVG elements by name, without those for which the dataset has nothing.
    """
    figures: dict[str, str] = {}
    has = {
        "truth": any(image.target for image in dataset.images),
        "repeat": any(image.repeat for image in dataset.images),
    }
    for reference, threshold, label in _RING_CURVES:
        if not has[reference]:
            continue
        curves = [
            Curve(
                found.name,
                not package.control,
                tuple(zip(found.frequency.tolist(), found.correlation.tolist(), strict=True)),
                found.crossing(threshold),
            )
            for package in packages
            if package.name != TRUTH
            and (found := measure_ring_curve(dataset, package, results, reference))
        ]
        if curves:
            figures[f"frc-{reference}"] = curve_plot(
                curves, threshold, "Cycles per pixel", label, _PLANE_WIDTH
            )
    return figures


def draw_reliability(found: Sequence[Reliability]) -> dict[str, str]:
    """Draw found against stated coverage and errors: SVG elements by name, none without any."""
    return {"coverage": coverage_plot(found), "errors": error_plot(found)} if found else {}


def coverage_plot(found: Sequence[Reliability]) -> str:
    """Draw which share of pixels Gaussian intervals hold, and rings for a package's own intervals.

    Of at least one package; stages differ in dashes and weight, not by colour alone.
    """
    packages = [
        _Package(
            one.name,
            tuple(
                list(zip(LEVELS, stage.curve, strict=True)) if stage else []
                for stage in _stages(one)
            ),
            one.own,
            "",
        )
        for one in found
    ]
    axis = partial(drawing.linear_scale, (0.0, 1.0))
    return _multiples(packages, axis, (0.0, 1.0), "coverage")


def error_plot(found: Sequence[Reliability]) -> str:
    """Draw found against stated root mean square error, as `coverage_plot`.

    Axes are logarithmic: relative errors count.
    """
    stages = [_stages(one) for one in found]
    shown = [v for of in stages for stage in of if stage for bin_ in stage.bins for v in bin_]
    high = max(shown)
    low = max(min(shown), high * _RANGE)
    axis = partial(drawing.log_scale, (low, high), factor=1.3)
    packages = [
        _Package(
            one.name,
            tuple(
                [(max(x, low), max(y, low)) for x, y in stage.bins] if stage else [] for stage in of
            ),
            (),
            _ence(of),
        )
        for one, of in zip(found, stages, strict=True)
    ]
    return _multiples(packages, axis, (low, high), "error")


def _points(summary: Summary, x: Column, y: Column) -> list[Point]:
    points: list[Point] = []
    for row in summary.rows:
        found = [summary.estimates.get((row.name, column.metric)) for column in (x, y)]
        finite = [estimate for estimate in found if estimate and math.isfinite(estimate.mean)]
        if row.kind != TRUTH and len(finite) == 2:
            kind = "sample" if row.name.endswith(SAMPLE_SUFFIX) else row.kind
            points.append(Point(row.name, kind, *finite))
    return points


def _stages(one: Reliability) -> tuple[Stage | None, ...]:
    """Return the stages in the order of `_STYLES`."""
    return one.network, one.refitted, one.delivered


def _ence(stages: Sequence[Stage | None]) -> str:
    """Write the pooled ENCE of the network alone, where it is known, and as delivered."""
    alone, _, delivered = stages
    return "ENCE " + " → ".join(f"{stage.pooled_ence:.3f}" for stage in (alone, delivered) if stage)


def _multiples(
    packages: Sequence[_Package],
    axis: Callable[[float, float], drawing.Scale],
    ends: drawing.Point,
    label: str,
) -> str:
    width = max(min(_COLUMNS, len(packages)) * (_LEFT + _SIDE) + 14, 400.0)
    keys = [
        drawing.Key(words, stroke)
        for i, (words, stroke) in enumerate(_STYLES)
        if any(package.lines[i] for package in packages)
    ]
    parts, below = drawing.legend(reversed(keys), 4, 0, width)
    for i, package in enumerate(packages):
        left = (i % _COLUMNS) * (_LEFT + _SIDE) + _LEFT
        top = below + (i // _COLUMNS) * (_TOP + _SIDE + _BELOW) + _TOP
        x = axis(left, left + _SIDE)
        panel = drawing.Panel(x, replace(axis(top + _SIDE, top), ticks=x.ticks))
        parts += panel.axes(f"Stated {label}", f"Found {label}", package.name)
        parts.append(
            drawing.line(panel.place(ends[0], ends[0]), panel.place(ends[1], ends[1]), _DIAGONAL)
        )
        corner = (left + _SIDE - 6, top + _SIDE - 8)
        parts.append(drawing.text(corner, package.remark, anchor="end"))
        for (_, stroke), points in zip(_STYLES, package.lines, strict=True):
            if points:
                parts.append(panel.curve(points, stroke))
        parts += [
            drawing.mark("circle", panel.place(*place), drawing.ACCENT, hollow=True)
            for place in package.rings
        ]
    rows = math.ceil(len(packages) / _COLUMNS)
    height = below + rows * (_TOP + _SIDE + _BELOW)
    return drawing.svg(parts, height, f"Found against stated {label}, by package", width)
