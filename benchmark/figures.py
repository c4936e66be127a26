"""Strips of every image's score, and curves."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from benchmark.drawing import (
    ACCENT,
    BOLD_LETTER,
    LINE,
    RIGHT,
    WIDTH,
    scale,
    svg,
    x_axis,
)
from packages.bootstrap import Estimate

_ROW = 24
_GOLDEN = 0.618034
_DASHES = ("none", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2 1 2", "4 6", "14 3 4 3")


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
class Curve:
    """A curve of a package or control, and where it falls through the threshold, or infinity."""

    name: str
    is_package: bool
    points: tuple[tuple[float, float], ...]
    falls_at: float


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
    left = 16 + BOLD_LETTER * max(len(row.name) for row in rows)
    height = 10 + _ROW * len(rows) + 44
    bottom = 10 + _ROW * len(rows)
    shown = [value for row in rows for value in row.values.values()]
    ticks, x = scale(shown, left, WIDTH - RIGHT)
    order = {image: i for i, image in enumerate(sorted({i for row in rows for i in row.values}))}
    offset = {image: ((i * _GOLDEN) % 1 - 0.5) * 11 for image, i in order.items()}
    middle = [10 + _ROW * (i + 0.5) for i in range(len(rows))]

    parts = x_axis(ticks, x, bottom, left, axis)
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
        colour = ACCENT if row.is_package else "currentColor"
        weight = ' font-weight="600"' if row.is_package else ""
        parts.append(
            f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end"{weight}>'
            f"{escape(row.name)}</text>"
        )
        # One path of all points: a page has many thousands of them.
        points = "".join(
            f"M{x(value):.1f},{y + offset[image]:.1f}h0" for image, value in row.values.items()
        )
        parts.append(
            f'<path d="{points}" style="stroke:{colour}" stroke-opacity="0.55" stroke-width="5.2" '
            'stroke-linecap="round"/>'
        )
        if row.values:
            parts += _interval(x, y, row.estimate, colour)
    return svg(parts, height, f"{axis}: every image, by package")


def curve_plot(
    curves: Sequence[Curve], threshold: float, x_label: str, y_label: str, width: float
) -> str:
    """Draw curves that fall through a threshold, with the place where each does.

    Parameters
    ----------
    curves
        At least one; all at the same places, and nowhere above 1.
    threshold
        Drawn as a line of its own.
    x_label, y_label
        What the axes say.
    width
        Of the figure.

    Returns
    -------
    str
        An SVG element; packages differ from controls by colour and weight, and in dashes.
    """
    left, top = 52.0, 26.0
    names = width - RIGHT - 40 - BOLD_LETTER * max(len(curve.name) for curve in curves)
    right = names - 62
    bottom = top + max(200.0, (LINE + 2) * len(curves))
    values = [b for curve in curves for _, b in curve.points]
    y_ticks, y = scale([0.0, 1.0, *values], bottom, top)
    x_ticks, x = scale([a for a, _ in curves[0].points], left, right)
    parts = x_axis(x_ticks, x, bottom, left, x_label, right)
    parts.append(f'<text x="4" y="13">{escape(y_label)}</text>')
    parts += [
        f'<text x="{left - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in y_ticks
    ]
    parts.append(
        f'<line x1="{left:g}" x2="{right:g}" y1="{y(threshold):.1f}" y2="{y(threshold):.1f}" '
        'stroke="currentColor" stroke-opacity="0.5"/>'
    )
    parts.append(
        f'<text x="{width - RIGHT:g}" y="13" text-anchor="end">below {threshold:.2g} from</text>'
    )
    row_y = top + LINE / 2  # names, the farthest reaching first
    for i, curve in sorted(enumerate(curves), key=lambda pair: -pair[1].falls_at):
        colour, weight = (ACCENT, 2) if curve.is_package else ("currentColor", 1.2)
        bold = ' font-weight="600"' if curve.is_package else ""
        drawn = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in curve.points)
        sample = f"{names - 48:.1f},{row_y:.1f} {names - 8:.1f},{row_y:.1f}"
        parts += [
            f'<polyline points="{points}" fill="none" style="stroke:{colour}" '
            f'stroke-width="{weight}" stroke-dasharray="{_DASHES[i % len(_DASHES)]}"/>'
            for points in (drawn, sample)
        ]
        parts.append(
            f'<text x="{names:.1f}" y="{row_y + 4:.1f}"{bold}>{escape(curve.name)}</text>'
            f'<text x="{width - RIGHT:g}" y="{row_y + 4:.1f}" text-anchor="end">'
            f"{'never' if math.isinf(curve.falls_at) else format(curve.falls_at, '.3f')}</text>"
        )
        row_y += LINE + 2
    return svg(parts, bottom + 44, f"{y_label} against {x_label}", width)


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
