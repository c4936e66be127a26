"""The figures of one dataset, by the name of their file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from benchmark.comparison.comparisons import TRUTH
from benchmark.comparison.reliability import Reliability
from benchmark.comparison.ring_curves import measure_ring_curve
from benchmark.comparison.summary import Summary
from benchmark.metrics.columns import CHOOSING, COSTS, PERCEPTION, Column
from benchmark.page.plots import Curve, StripRow, curve_plot, strip_plot
from benchmark.page.reliability_figure import coverage_plot, error_plot
from benchmark.page.scatter import Point, scatter_plot
from benchmark.running.cell_files import CellFiles
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.bootstrap import estimate_mean
from imaging.scores import SAMPLE_SUFFIX

_PLANE_WIDTH = 620.0
_RING_CURVES = (
    ("truth", 1 / 2, "Correlation with the truth"),
    ("repeat", 1 / 7, "Correlation of two recordings"),
)


def draw_strips(
    summary: Summary, table: pd.DataFrame, sources: Mapping[str, str]
) -> dict[str, str]:
    """Draw every image's score, a figure per metric.

    Parameters
    ----------
    summary, table
        Of the dataset.
    sources
        By image, the specimen or file it was cut from.

    Returns
    -------
    dict
        SVG elements by metric; without the truth, which is perfect by definition.
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

    Parameters
    ----------
    summary
        Of the dataset.

    Returns
    -------
    str
        An SVG element of whoever has both scores, without the truth; empty where nobody has.
    """
    points = _points(summary, CHOOSING, PERCEPTION)
    if not points:
        return ""
    return scatter_plot(points, CHOOSING.axis, PERCEPTION.axis, width=_PLANE_WIDTH)


def draw_costs(summary: Summary) -> dict[str, str]:
    """Draw quality against each cost.

    Parameters
    ----------
    summary
        Of the dataset.

    Returns
    -------
    dict
        SVG elements by name.
    """
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

    Parameters
    ----------
    dataset, packages
        Of the run.
    results
        Where the restored images are.

    Returns
    -------
    dict
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
    """Draw found against stated coverage and errors.

    Parameters
    ----------
    found
        Of the packages that state a standard deviation.

    Returns
    -------
    dict
        SVG elements by name; none without such packages.
    """
    if not found:
        return {}
    return {"coverage": coverage_plot(found), "errors": error_plot(found)}


def _points(summary: Summary, x: Column, y: Column) -> list[Point]:
    points: list[Point] = []
    for row in summary.rows:
        found = [summary.estimates.get((row.name, column.metric)) for column in (x, y)]
        finite = [estimate for estimate in found if estimate and math.isfinite(estimate.mean)]
        if row.kind != TRUTH and len(finite) == 2:
            kind = "sample" if row.name.endswith(SAMPLE_SUFFIX) else row.kind
            points.append(Point(row.name, kind, *finite))
    return points
