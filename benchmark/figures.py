"""Figures as SVG, written by hand so that a page can colour them for light, dark and print.

Text and axes take the colour around them; packages take ``--accent``, where a page defines it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from matplotlib.ticker import LogLocator, MaxNLocator

from benchmark.statistics import Estimate

_ACCENT = "var(--accent, #0b6e99)"
_HALO = 'style="stroke:var(--paper, #fff);stroke-width:4px;paint-order:stroke"'
_WIDTH = 380
_RIGHT = 14
_ROW = 24
_LETTER = 6.4  # mean width of a letter at 11 px
_GOLDEN = 0.618034
_DASHES = ("none", "7 3", "2 3", "9 3 2 3")


@dataclass(frozen=True)
class Row:
    """What one package or control scored in one metric.

    Attributes
    ----------
    name
        Its label.
    is_package
        Packages stand out from controls.
    values
        By image; finite.
    estimate
        Their mean with its interval.
    """

    name: str
    is_package: bool
    values: dict[str, float]
    estimate: Estimate


@dataclass(frozen=True)
class Point:
    """A package or control in the plane of cost and quality."""

    name: str
    is_package: bool
    cost: float
    quality: Estimate


@dataclass(frozen=True)
class Line:
    """What was found against what was stated, from left to right; rings stand beside the line."""

    name: str
    points: tuple[tuple[float, float], ...]
    rings: tuple[tuple[float, float], ...] = ()


def strip_plot(rows: Sequence[Row], axis: str) -> str:
    """Draw the score of every image, one row per package, with means and intervals.

    Thin lines join the scores of one image, as packages are compared image by image.

    Parameters
    ----------
    rows
        From top to bottom; at least one value among them.
    axis
        What is under the horizontal axis.

    Returns
    -------
    str
        An SVG element.
    """
    left = 16 + _LETTER * max(len(row.name) for row in rows)
    height = 10 + _ROW * len(rows) + 44
    bottom = 10 + _ROW * len(rows)
    shown = [value for row in rows for value in row.values.values()]
    ticks, x = _scale(shown, left, _WIDTH - _RIGHT)
    order = {image: i for i, image in enumerate(sorted({i for row in rows for i in row.values}))}
    offset = {image: ((i * _GOLDEN) % 1 - 0.5) * 11 for image, i in order.items()}
    middle = [10 + _ROW * (i + 0.5) for i in range(len(rows))]

    parts = _x_axis(ticks, x, bottom, left, axis)
    for image in order:
        line = " ".join(
            f"{x(row.values[image]):.1f},{y + offset[image]:.1f}"
            for row, y in zip(rows, middle, strict=True)
            if image in row.values
        )
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-opacity="0.13"/>'
        )
    for row, y in zip(rows, middle, strict=True):
        colour = _ACCENT if row.is_package else "currentColor"
        weight = ' font-weight="600"' if row.is_package else ""
        parts.append(
            f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end"{weight}>'
            f"{escape(row.name)}</text>"
        )
        parts += [
            f'<circle cx="{x(value):.1f}" cy="{y + offset[image]:.1f}" r="2.6" '
            f'style="fill:{colour}" fill-opacity="0.55">'
            f"<title>{escape(f'{row.name}, {image}: {value:.4g}')}</title></circle>"
            for image, value in row.values.items()
        ]
        if row.values:
            parts += _interval(x, y, row.estimate, colour)
    return _svg(parts, height, f"{axis}: every image, by package")


def cost_plot(points: Sequence[Point], x_axis: str, y_axis: str) -> str:
    """Draw what quality costs.

    Parameters
    ----------
    points
        At least one; costs above 0.
    x_axis, y_axis
        What the axes say.

    Returns
    -------
    str
        An SVG element; the cost is on a logarithmic axis.
    """
    left, top, bottom = 52.0, 26.0, 236.0
    shown = [
        value
        for point in points
        for value in (point.quality.mean, point.quality.low, point.quality.high)
        if value is not None
    ]
    y_ticks, y = _scale(shown, bottom, top)
    costs = [point.cost for point in points]
    low, high = math.log10(min(costs) / 1.6), math.log10(max(costs) * 1.6)
    room = _LETTER * max(len(point.name) for point in points) + 12

    def x(cost: float) -> float:
        return left + (math.log10(cost) - low) / (high - low) * (_WIDTH - _RIGHT - room - left)

    decades = LogLocator(10, subs=(1.0, 2.0, 5.0)).tick_values(10**low, 10**high)
    x_ticks = [float(tick) for tick in decades if low <= math.log10(tick) <= high]
    parts = _x_axis(x_ticks, x, bottom, left, x_axis)
    parts.append(f'<text x="4" y="13">{escape(y_axis)}</text>')
    for tick in y_ticks:
        parts.append(
            f'<line x1="{left}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" '
            'stroke="currentColor" stroke-opacity="0.12"/>'
            f'<text x="{left - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    label_y = math.inf
    for point in sorted(points, key=lambda point: point.quality.mean):
        colour = _ACCENT if point.is_package else "currentColor"
        weight = ' font-weight="600"' if point.is_package else ""
        here_x, here_y = x(point.cost), y(point.quality.mean)
        label_y = min(here_y + 4, label_y - 13)  # labels do not sit on each other
        if point.quality.low is not None and point.quality.high is not None:
            parts.append(
                f'<line x1="{here_x:.1f}" x2="{here_x:.1f}" y1="{y(point.quality.low):.1f}" '
                f'y2="{y(point.quality.high):.1f}" style="stroke:{colour}" stroke-width="1.5"/>'
            )
        parts.append(
            f'<circle cx="{here_x:.1f}" cy="{here_y:.1f}" r="4.5" style="fill:{colour}"/>'
            f'<text x="{here_x + 9:.1f}" y="{label_y:.1f}"{weight} {_HALO}>'
            f"{escape(point.name)}</text>"
        )
    return _svg(parts, bottom + 44, f"{y_axis} against {x_axis}")


def reliability_plot(lines: Sequence[Line], x_axis: str, y_axis: str) -> str:
    """Draw what was found against what was stated, beside the diagonal on which both agree.

    Parameters
    ----------
    lines
        One for each package; at least one.
    x_axis, y_axis
        What the axes say.

    Returns
    -------
    str
        An SVG element; packages differ in dashes and carry their names, not colours alone.
    """
    left, top, bottom = 52.0, 26.0, 286.0
    right = _WIDTH - _RIGHT - _LETTER * max(len(line.name) for line in lines) - 10
    shown = [value for line in lines for p in (*line.points, *line.rings) for value in p]
    y_ticks, y = _scale([0.0, *shown], bottom, top, intervals=6)
    x_ticks, x = _scale([0.0, *shown], left, right, intervals=6)
    parts = _x_axis(x_ticks, x, bottom, left, x_axis)
    parts.append(f'<text x="4" y="13">{escape(y_axis)}</text>')
    parts += [
        f'<text x="{left - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in y_ticks
    ]
    highest = max(shown)
    parts.append(
        f'<line x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(highest):.1f}" y2="{y(highest):.1f}" '
        'stroke="currentColor" stroke-opacity="0.5"/>'
    )
    label_y = math.inf
    for i, line in sorted(enumerate(lines), key=lambda pair: pair[1].points[-1][1]):
        drawn = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line.points)
        dashes = _DASHES[i % len(_DASHES)]
        end_x, end_y = x(line.points[-1][0]), y(line.points[-1][1])
        label_y = min(end_y + 4, label_y - 13)
        parts.append(
            f'<polyline points="{drawn}" fill="none" style="stroke:{_ACCENT}" stroke-width="2" '
            f'stroke-dasharray="{dashes}"/>'
            f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="3" style="fill:{_ACCENT}"/>'
            + "".join(
                f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="5" fill="none" '
                f'style="stroke:{_ACCENT}" stroke-width="2" stroke-dasharray="{dashes}">'
                f"<title>{escape(line.name)}</title></circle>"
                for a, b in line.rings
            )
            + f'<text x="{end_x + 7:.1f}" y="{label_y:.1f}" font-weight="600" {_HALO}>'
            f"{escape(line.name)}</text>"
        )
    return _svg(parts, bottom + 44, f"{y_axis} against {x_axis}")


def _scale(
    values: Sequence[float], start: float, stop: float, intervals: int = 5
) -> tuple[list[float], Callable[[float], float]]:
    """Return ticks, and the map from values to positions between start and stop."""
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.5
    low, high = low - margin, high + margin
    ticks = map(float, MaxNLocator(intervals, steps=[1, 2, 5, 10]).tick_values(low, high))

    def position(value: float) -> float:
        return start + (value - low) / (high - low) * (stop - start)

    return [tick for tick in ticks if low <= tick <= high], position


def _x_axis(
    ticks: Sequence[float],
    x: Callable[[float], float],
    bottom: float,
    left: float,
    label: str,
) -> list[str]:
    parts = [
        f'<line x1="{left:.1f}" x2="{_WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}" '
        'stroke="currentColor" stroke-opacity="0.5"/>'
    ]
    for tick in ticks:
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="10" y2="{bottom}" '
            'stroke="currentColor" stroke-opacity="0.12"/>'
            f'<text x="{x(tick):.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>'
        )
    middle = (left + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle:.1f}" y="{bottom + 34}" text-anchor="middle">{escape(label)}</text>'
    )
    return parts


def _interval(x: Callable[[float], float], y: float, estimate: Estimate, colour: str) -> list[str]:
    mean = x(estimate.mean)
    parts = [
        f'<line x1="{mean:.1f}" x2="{mean:.1f}" y1="{y - 8:.1f}" y2="{y + 8:.1f}" '
        f'style="stroke:{colour}" stroke-width="2.5"/>'
    ]
    if estimate.low is not None and estimate.high is not None:
        parts.append(
            f'<line x1="{x(estimate.low):.1f}" x2="{x(estimate.high):.1f}" y1="{y:.1f}" '
            f'y2="{y:.1f}" style="stroke:{colour}" stroke-width="2.5"/>'
        )
    return parts


def _svg(parts: Sequence[str], height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img" '
        'font-family="system-ui, sans-serif" font-size="11" fill="currentColor">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
