"""Figures of scores against depth: how well planes of volumes are restored, top to bottom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.comparison.comparisons import TRUTH
from benchmark.metrics.columns import QUALITY
from imaging import drawing
from imaging.benchmark_run import PackageEntry
from imaging.bootstrap import Estimate, estimate_mean
from imaging.scores import INPUT, SAMPLE_SUFFIX

_WIDTH, _LEFT, _HIGH, _TOP, _BELOW = 620.0, 52.0, 220.0, 30.0, 44.0
_BAND = 0.13


@dataclass(frozen=True)
class _Line:
    """What one package or control scored at each depth."""

    name: str
    is_package: bool
    at: list[tuple[float, Estimate]]


def draw_by_depth(
    planes: pd.DataFrame, packages: Sequence[PackageEntry], sources: Mapping[str, str]
) -> dict[str, str]:
    """Draw scores of planes against their depth.

    Parameters
    ----------
    planes
        Of one dataset; columns `imaging.scores.PLANE_COLUMNS`.
    packages
        Of the run. The truth, which is perfect, is left out.
    sources
        By image, the specimen or file it was cut from.

    Returns
    -------
    dict
        SVG elements by name, one for each metric that was kept plane by plane; none without
        volumes. Depths are in µm where the distance of planes is known of all volumes, else planes
        are counted.
    """
    is_known = bool(planes["depth_um"].notna().all())
    at = planes["depth_um"].round(3) if is_known else planes["plane"].astype(float)
    of = planes.assign(at=at)[np.isfinite(planes["value"].astype(float))]
    rows = [
        (name, not package.control)
        for package in sorted(packages, key=lambda package: not package.control)
        if package.name != TRUTH
        for name in (package.name, package.name + SAMPLE_SUFFIX)
    ]
    figures: dict[str, str] = {}
    for column in QUALITY:
        of_metric = of[of["metric"] == column.metric]
        lines = [
            _Line(name, is_package, _estimates(own, sources))
            for name, is_package in rows
            if len(own := of_metric[of_metric["package"] == name])
        ]
        if lines:
            label = "Depth (µm)" if is_known else "Plane, from 0"
            figures[f"depth-{column.metric}"] = _draw(lines, label, column.axis)
    return figures


def _estimates(rows: pd.DataFrame, sources: Mapping[str, str]) -> list[tuple[float, Estimate]]:
    return [
        (
            float(str(depth)),
            estimate_mean(at["value"].to_numpy(), [sources[str(i)] for i in at["image"]]),
        )
        for depth, at in rows.groupby("at")
    ]


def _draw(lines: Sequence[_Line], x_label: str, y_label: str) -> str:
    strokes = [
        drawing.Stroke(
            drawing.ACCENT if line.is_package else drawing.INK,
            2.0 if line.is_package else 1.3,
            dashes=drawing.DASHES[i % len(drawing.DASHES)],
        )
        for i, line in enumerate(lines)
    ]
    keys = [
        drawing.Key(line.name, stroke, bold=line.is_package)
        for line, stroke in zip(lines, strokes, strict=True)
    ]
    parts, top = drawing.legend(keys, 4, 0, _WIDTH)
    top += _TOP
    shown = [
        end
        for line in lines
        for _, of in line.at
        for end in (of.mean, of.low, of.high)
        if end is not None
    ]
    panel = drawing.Panel(
        drawing.linear_scale(
            [depth for line in lines for depth, _ in line.at], _LEFT, _WIDTH - drawing.RIGHT
        ),
        drawing.linear_scale(shown, top + _HIGH, top),
    )
    parts += panel.axes(x_label, y_label)
    parts += [
        _band(panel, line, stroke.colour)
        for line, stroke in zip(lines, strokes, strict=True)
        if line.is_package or line.name == INPUT  # bands of all would hide each other
    ]
    for line, stroke in zip(lines, strokes, strict=True):
        points = [(depth, of.mean) for depth, of in line.at]
        parts.append(panel.curve(points, stroke, line.name))
    return drawing.svg(parts, top + _HIGH + _BELOW, f"{y_label} against {x_label}", _WIDTH)


def _band(panel: drawing.Panel, line: _Line, colour: str) -> str:
    """Draw the 95 % intervals as a band; nothing with fewer than two sources."""
    ends = [
        (depth, of.low, of.high)
        for depth, of in line.at
        if of.low is not None and of.high is not None
    ]
    if not ends:
        return ""
    around = [(d, low) for d, low, _ in ends] + [(d, high) for d, _, high in reversed(ends)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (panel.place(*place) for place in around))
    return drawing.element("polygon", points=points, fill=colour, fill_opacity=_BAND)
