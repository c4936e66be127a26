"""Stated against found uncertainty, a panel for each package, before and after calibration."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmark.comparison.reliability import LEVELS, Reliability, Stage
from imaging import drawing

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


def coverage_plot(found: Sequence[Reliability]) -> str:
    """Draw which share of pixels Gaussian intervals hold, and rings for a package's own intervals.

    Parameters
    ----------
    found
        Of the packages that state a standard deviation; at least one.

    Returns
    -------
    str
        An SVG element; stages differ in dashes and weight, not by colour alone.
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

    def axis(start: float, stop: float) -> drawing.Scale:
        return drawing.linear_scale((0.0, 1.0), start, stop)

    return _multiples(packages, axis, (0.0, 1.0), "coverage")


def error_plot(found: Sequence[Reliability]) -> str:
    """Draw found against stated root mean square error.

    Parameters
    ----------
    found
        Of the packages that state a standard deviation; at least one.

    Returns
    -------
    str
        An SVG element as that of `coverage_plot`, with logarithmic axes: relative errors count.
    """
    stages = [_stages(one) for one in found]
    shown = [v for of in stages for stage in of if stage for bin_ in stage.bins for v in bin_]
    high = max(shown)
    low = max(min(shown), high * _RANGE)

    def axis(start: float, stop: float) -> drawing.Scale:
        return drawing.log_scale((low, high), start, stop, factor=1.3)

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
