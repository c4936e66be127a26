"""Stated against found uncertainty, a panel for each package, before and after calibration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmark.drawing import ACCENT, LINE, Position, svg
from benchmark.reliability import LEVELS, Reliability, Stage

_COLUMNS = 3
_SIDE, _LEFT, _TOP, _BELOW, _GAP = 158.0, 54.0, 26.0, 40.0, 4.0
_INSET = 8.0
_RANGE = 1e-3  # of the largest error; what is smaller lies at the edge
_LEGEND = 2 * LINE + 10
# From the least to the most important, as they are drawn: label, colour, width, dashes.
_STYLES = (
    ("network alone, before its calibration", "currentColor", 1.3, "2 3"),
    ("fitted anew on other specimens here", "currentColor", 1.3, "7 3"),
    ("as delivered", ACCENT, 2.2, "none"),
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Panel:
    """One package: a line for each of `_STYLES` it has, rings beside them, and a remark."""

    name: str
    lines: tuple[Points, ...]
    rings: Points
    remark: str


@dataclass(frozen=True)
class _Axis:
    """Both axes of all panels: from a value to its distance from the lower left corner."""

    along: Position
    ends: tuple[float, float]
    ticks: Sequence[float]
    label: str


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
    panels = [
        _Panel(
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
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    axis = _Axis(lambda v: _INSET + v * (_SIDE - 2 * _INSET), (0.0, 1.0), ticks, "coverage")
    return _multiples(panels, axis)


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
    span = math.log(high / low) or 1.0

    def along(value: float) -> float:
        return _INSET + math.log(max(value, low) / low) / span * (_SIDE - 2 * _INSET)

    panels = [
        _Panel(one.name, tuple(stage.bins if stage else () for stage in of), (), _ence(of))
        for one, of in zip(found, stages, strict=True)
    ]
    return _multiples(panels, _Axis(along, (low, high), _ticks(low, high), "error"))


def _stages(one: Reliability) -> tuple[Stage | None, ...]:
    """Return the stages in the order of `_STYLES`."""
    return one.network, one.refitted, one.delivered


def _ence(stages: Sequence[Stage | None]) -> str:
    """Write the pooled ENCE of the network alone, where it is known, and as delivered."""
    alone, _, delivered = stages
    return "ENCE " + " → ".join(f"{stage.pooled_ence:.3f}" for stage in (alone, delivered) if stage)


def _ticks(low: float, high: float) -> list[float]:
    """Return 1 and 3 of each decade, or its 1 alone where these would be many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 3) if len(decades) < 5 else (1,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def _multiples(panels: Sequence[_Panel], axis: _Axis) -> str:
    across = min(_COLUMNS, len(panels))
    width = max(across * (_LEFT + _SIDE + _GAP), 400.0)
    rows = math.ceil(len(panels) / _COLUMNS)
    parts = _legend(panels)
    for i, panel in enumerate(panels):
        left = (i % _COLUMNS) * (_LEFT + _SIDE + _GAP) + _LEFT
        top = _LEGEND + (i // _COLUMNS) * (_TOP + _SIDE + _BELOW) + _TOP
        parts += _draw(panel, axis, left, top)
    height = _LEGEND + rows * (_TOP + _SIDE + _BELOW) + 8
    return svg(parts, height, f"Found against stated {axis.label}, by package", width)


def _legend(panels: Sequence[_Panel]) -> list[str]:
    """Name what is drawn, the most important first."""
    parts: list[str] = []
    x, y = 4.0, LINE
    for column, (label, colour, weight, dashes) in reversed(list(enumerate(_STYLES))):
        if not any(panel.lines[column] for panel in panels):
            continue
        if column == 0:
            x, y = 4.0, 2 * LINE + 3
        parts.append(
            f'<line x1="{x:.1f}" x2="{x + 34:.1f}" y1="{y - 4:.1f}" y2="{y - 4:.1f}" '
            f'style="stroke:{colour}" stroke-width="{weight}" stroke-dasharray="{dashes}"/>'
            f'<text x="{x + 40:.1f}" y="{y:.1f}">{label}</text>'
        )
        x += 130
    return parts


def _draw(panel: _Panel, axis: _Axis, left: float, top: float) -> list[str]:
    bottom, right = top + _SIDE, left + _SIDE
    middle_x, middle_y = left + _SIDE / 2, top + _SIDE / 2
    first, last = (axis.along(end) for end in axis.ends)
    label_x = left - 42
    parts = [
        f'<text x="{left:.1f}" y="{top - 8:.1f}" font-weight="600">{escape(panel.name)}</text>',
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{_SIDE:g}" height="{_SIDE:g}" fill="none" '
        'stroke="currentColor" stroke-opacity="0.25"/>',
        f'<line x1="{left + first:.1f}" y1="{bottom - first:.1f}" x2="{left + last:.1f}" '
        f'y2="{bottom - last:.1f}" stroke="currentColor" stroke-opacity="0.4"/>',
        f'<text x="{middle_x:.1f}" y="{bottom + 29:.1f}" text-anchor="middle">'
        f"Stated {axis.label}</text>",
        f'<text x="{label_x:.1f}" y="{middle_y:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 {label_x:.1f} {middle_y:.1f})">Found {axis.label}</text>',
        f'<text x="{right - 6:.1f}" y="{bottom - 8:.1f}" text-anchor="end">{panel.remark}</text>',
    ]
    for tick in axis.ticks:
        place = axis.along(tick)
        parts.append(
            f'<text x="{left + place:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{tick:g}'
            f'</text><text x="{left - 5:.1f}" y="{bottom - place + 4:.1f}" text-anchor="end">'
            f"{tick:g}</text>"
        )
    for (_, colour, weight, dashes), line in zip(_STYLES, panel.lines, strict=True):
        if line:
            drawn = " ".join(
                f"{left + axis.along(stated):.1f},{bottom - axis.along(seen):.1f}"
                for stated, seen in line
            )
            parts.append(
                f'<polyline points="{drawn}" fill="none" style="stroke:{colour}" '
                f'stroke-width="{weight}" stroke-dasharray="{dashes}"/>'
            )
    parts += [
        f'<circle cx="{left + axis.along(stated):.1f}" cy="{bottom - axis.along(seen):.1f}" r="5" '
        f'fill="none" style="stroke:{ACCENT}" stroke-width="2"/>'
        for stated, seen in panel.rings
    ]
    return parts
