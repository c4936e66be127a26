"""Strips of every image's score, curves, and planes of two scores, or of cost and quality."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imaging import drawing
from imaging.bootstrap import Estimate
from imaging.labels import leader, place_labels

_ROW, _TOP = 24, 10
_PLANE_LEFT, _PLANE_TOP = 52.0, 26.0
_GOLDEN = 0.618034
_SAME_IMAGE = drawing.Stroke(opacity=0.13)


@dataclass(frozen=True)
class StripRow:
    """What one package or control scored in one metric: finite values by image, and their mean."""

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


@dataclass(frozen=True)
class Point:
    """What one package, sample or control (its `kind`) scored in two metrics, x and y."""

    name: str
    kind: str
    x: Estimate
    y: Estimate


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


def scatter_plot(
    points: Sequence[Point],
    x_label: str,
    y_label: str,
    *,
    logarithmic: bool = False,
    width: float = drawing.WIDTH,
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
    bottom, right = 0.56 * width + _PLANE_TOP, width - drawing.RIGHT
    across = drawing.log_scale if logarithmic else drawing.linear_scale
    panel = drawing.Panel(
        across(_shown([point.x for point in points]), _PLANE_LEFT, right),
        drawing.linear_scale(_shown([point.y for point in points]), bottom, _PLANE_TOP),
    )
    parts = panel.axes(x_label, y_label)
    for point in points:
        parts += _intervals(point, panel)
    places = [panel.place(point.x.mean, point.y.mean) for point in points]
    widths = [
        len(p.name) * (drawing.LETTER if p.kind == "control" else drawing.BOLD_LETTER)
        for p in points
    ]
    labels = place_labels(places, widths, (_PLANE_LEFT, _PLANE_TOP - 12, width, bottom))
    for place, label, wide in zip(places, labels, widths, strict=True):
        parts += leader(place, label, wide)
    for point, place in zip(points, places, strict=True):
        parts.append(
            drawing.mark(
                "square" if point.kind == "control" else "circle",
                place,
                drawing.INK if point.kind == "control" else drawing.ACCENT,
                f"{point.name}: {point.x.mean:.4g}, {point.y.mean:.4g}",
                hollow=point.kind == "sample",
            )
        )
    for point, label in zip(points, labels, strict=True):
        parts.append(drawing.text(label, point.name, bold=point.kind != "control", halo=True))
    return drawing.svg(parts, bottom + 44, f"{y_label} against {x_label}", width)


def _interval(x: drawing.Scale, y: float, estimate: Estimate, stroke: drawing.Stroke) -> list[str]:
    mean = x(estimate.mean)
    parts = [drawing.line((mean, y - 8), (mean, y + 8), stroke)]
    if estimate.low is not None and estimate.high is not None:
        parts.append(drawing.line((x(estimate.low), y), (x(estimate.high), y), stroke))
    return parts


def _shown(estimates: Sequence[Estimate]) -> list[float]:
    values = [value for one in estimates for value in (one.mean, one.low, one.high)]
    return [value for value in values if value is not None]


def _intervals(point: Point, panel: drawing.Panel) -> list[str]:
    stroke = drawing.Stroke(drawing.INK if point.kind == "control" else drawing.ACCENT, 1.2, 0.45)
    x, y = panel.place(point.x.mean, point.y.mean)
    parts: list[str] = []
    if point.x.low is not None and point.x.high is not None:
        parts.append(drawing.line((panel.x(point.x.low), y), (panel.x(point.x.high), y), stroke))
    if point.y.low is not None and point.y.high is not None:
        parts.append(drawing.line((x, panel.y(point.y.low)), (x, panel.y(point.y.high)), stroke))
    return parts
