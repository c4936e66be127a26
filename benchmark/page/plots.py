"""Strips of every image's score, and curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imaging import drawing
from imaging.bootstrap import Estimate

_ROW, _TOP = 24, 10
_GOLDEN = 0.618034
_SAME_IMAGE = drawing.Stroke(opacity=0.13)


@dataclass(frozen=True)
class StripRow:
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


def strip_plot(rows: Sequence[StripRow], axis: str) -> str:
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
    left = 16 + drawing.BOLD_LETTER * max(len(row.name) for row in rows)
    bottom = _TOP + _ROW * len(rows)
    x = drawing.linear_scale(
        [v for row in rows for v in row.values.values()], left, drawing.WIDTH - drawing.RIGHT
    )
    order = sorted({image for row in rows for image in row.values})
    offset = {image: ((i * _GOLDEN) % 1 - 0.5) * 11 for i, image in enumerate(order)}
    middle = [_TOP + _ROW * (i + 0.5) for i in range(len(rows))]
    places = [
        {image: (x(value), y + offset[image]) for image, value in row.values.items()}
        for row, y in zip(rows, middle, strict=True)
    ]

    parts = drawing.x_axis(x, _TOP, bottom, axis)
    for image in order:
        parts.append(drawing.polyline([of[image] for of in places if image in of], _SAME_IMAGE))
    for row, y, of in zip(rows, middle, places, strict=True):
        colour = drawing.ACCENT if row.is_package else drawing.INK
        parts.append(drawing.text((left - 8, y + 4), row.name, anchor="end", bold=row.is_package))
        if of:
            parts.append(drawing.dots(of.values(), colour))
            parts += _interval(x, y, row.estimate, drawing.Stroke(colour, 2.5))
    return drawing.svg(parts, bottom + 44, f"{axis}: every image, by package")


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
    top = 26.0
    names = (
        width - drawing.RIGHT - 40 - drawing.BOLD_LETTER * max(len(curve.name) for curve in curves)
    )
    bottom = top + max(200.0, (drawing.LINE + 2) * len(curves))
    panel = drawing.Panel(
        drawing.linear_scale([a for a, _ in curves[0].points], 52.0, names - 62),
        drawing.linear_scale(
            [0.0, 1.0, *(b for curve in curves for _, b in curve.points)], bottom, top
        ),
    )
    at_threshold, ends = panel.y(threshold), width - drawing.RIGHT
    parts = panel.axes(x_label, y_label)
    parts.append(
        drawing.line((panel.x.start, at_threshold), (panel.x.stop, at_threshold), drawing.AXIS)
    )
    parts.append(drawing.text((ends, 13), f"below {threshold:.2g} from", anchor="end"))
    y = top + drawing.LINE / 2  # names, the farthest reaching first
    for i, curve in sorted(enumerate(curves), key=lambda pair: -pair[1].falls_at):
        colour, weight = (drawing.ACCENT, 2.0) if curve.is_package else (drawing.INK, 1.2)
        stroke = drawing.Stroke(colour, weight, dashes=drawing.DASHES[i % len(drawing.DASHES)])
        falls_at = "never" if math.isinf(curve.falls_at) else f"{curve.falls_at:.3f}"
        parts += [
            panel.curve(curve.points, stroke),
            drawing.polyline([(names - 48, y), (names - 8, y)], stroke),
            drawing.text((names, y + 4), curve.name, bold=curve.is_package),
            drawing.text((ends, y + 4), falls_at, anchor="end"),
        ]
        y += drawing.LINE + 2
    return drawing.svg(parts, bottom + 44, f"{y_label} against {x_label}", width)


def _interval(x: drawing.Scale, y: float, estimate: Estimate, stroke: drawing.Stroke) -> list[str]:
    mean = x(estimate.mean)
    parts = [drawing.line((mean, y - 8), (mean, y + 8), stroke)]
    if estimate.low is not None and estimate.high is not None:
        parts.append(drawing.line((x(estimate.low), y), (x(estimate.high), y), stroke))
    return parts
