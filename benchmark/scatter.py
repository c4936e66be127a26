"""Packages in a plane of two scores, or of cost and quality."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from matplotlib.ticker import LogLocator

from benchmark.drawing import (
    ACCENT,
    BOLD_LETTER,
    HALO,
    LETTER,
    RIGHT,
    WIDTH,
    Position,
    leader,
    mark,
    place_labels,
    scale,
    svg,
    x_axis,
)
from packages.bootstrap import Estimate

_LEFT, _TOP = 52.0, 26.0
_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(range(1, 10)))  # ticks of a decade


@dataclass(frozen=True)
class Point:
    """What one package, sample or control scored in two metrics.

    Attributes
    ----------
    name
        Its label.
    kind
        "package", "sample" or "control": the shape of its mark.
    x, y
        Its means with their intervals.
    """

    name: str
    kind: str
    x: Estimate
    y: Estimate


def scatter_plot(
    points: Sequence[Point],
    x_label: str,
    y_label: str,
    *,
    logarithmic: bool = False,
    width: float = WIDTH,
) -> str:
    """Draw packages in a plane, with 95 % intervals as thin strokes.

    Parameters
    ----------
    points
        At least one; on a logarithmic axis x is above 0.
    x_label, y_label
        What the axes say.
    logarithmic
        Whether x is.
    width
        Of the figure.

    Returns
    -------
    str
        An SVG element; kinds differ in shape, and every point carries its name.
    """
    bottom, right = 0.56 * width + _TOP, width - RIGHT
    y_ticks, y = scale(_shown([point.y for point in points]), bottom, _TOP)
    xs = _shown([point.x for point in points])
    room = 0.4 * max(map(_width, points))
    across = _logarithmic if logarithmic else scale
    x_ticks, x = across(xs, _LEFT + 12, right - room)

    parts = x_axis(x_ticks, x, bottom, _LEFT, x_label, right)
    parts.append(f'<text x="4" y="13">{escape(y_label)}</text>')
    for tick in y_ticks:
        parts.append(
            f'<line x1="{_LEFT:g}" x2="{right:g}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" '
            'stroke="currentColor" stroke-opacity="0.12"/>'
            f'<text x="{_LEFT - 7:g}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for point in points:
        parts += _strokes(point, x, y)
    places = [(x(point.x.mean), y(point.y.mean)) for point in points]
    widths = [_width(point) for point in points]
    labels = place_labels(places, widths, (_LEFT, _TOP - 12, width, bottom))
    for place, label, wide in zip(places, labels, widths, strict=True):
        parts += leader(place, label, wide)
    for point, place in zip(points, places, strict=True):
        title = f"{point.name}: {point.x.mean:.4g}, {point.y.mean:.4g}"
        parts.append(mark(point.kind, *place, title))
    for point, label in zip(points, labels, strict=True):
        weight = "" if point.kind == "control" else ' font-weight="600"'
        parts.append(
            f'<text x="{label[0]:.1f}" y="{label[1]:.1f}"{weight} {HALO}>'
            f"{escape(point.name)}</text>"
        )
    return svg(parts, bottom + 44, f"{y_label} against {x_label}", width)


def _width(point: Point) -> float:
    return len(point.name) * (LETTER if point.kind == "control" else BOLD_LETTER)


def _shown(estimates: Sequence[Estimate]) -> list[float]:
    values = [value for one in estimates for value in (one.mean, one.low, one.high)]
    return [value for value in values if value is not None]


def _logarithmic(
    values: Sequence[float], start: float, stop: float
) -> tuple[list[float], Callable[[float], float]]:
    low, high = math.log10(min(values) / 1.6), math.log10(max(values) * 1.6)

    def position(value: float) -> float:
        return start + (math.log10(value) - low) / (high - low) * (stop - start)

    # As many ticks as have room for their numbers.
    choices = [LogLocator(10, subs=steps).tick_values(10**low, 10**high) for steps in _STEPS]
    inside = [[float(t) for t in ticks if low <= math.log10(t) <= high] for ticks in choices]
    fitting = [ticks for ticks in inside if _fit(ticks, position)]
    return max(fitting, key=len), position


def _fit(ticks: Sequence[float], position: Position) -> bool:
    """Tell whether the numbers at ticks leave each other room."""
    return all(
        position(right) - position(left) > LETTER * max(len(f"{t:g}") for t in (left, right)) + 6
        for left, right in pairwise(ticks)
    )


def _strokes(point: Point, x: Position, y: Position) -> list[str]:
    """Draw the intervals of a point."""
    colour = "currentColor" if point.kind == "control" else ACCENT
    style = f'style="stroke:{colour}" stroke-width="1.2" stroke-opacity="0.45"'
    here_x, here_y = x(point.x.mean), y(point.y.mean)
    parts: list[str] = []
    if point.x.low is not None and point.x.high is not None:
        parts.append(
            f'<line x1="{x(point.x.low):.1f}" x2="{x(point.x.high):.1f}" y1="{here_y:.1f}" '
            f'y2="{here_y:.1f}" {style}/>'
        )
    if point.y.low is not None and point.y.high is not None:
        parts.append(
            f'<line x1="{here_x:.1f}" x2="{here_x:.1f}" y1="{y(point.y.low):.1f}" '
            f'y2="{y(point.y.high):.1f}" {style}/>'
        )
    return parts
