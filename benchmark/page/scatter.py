"""Packages in a plane of two scores, or of cost and quality."""

from collections.abc import Sequence
from dataclasses import dataclass

from imaging import drawing
from imaging.bootstrap import Estimate
from imaging.labels import leader, place_labels

_LEFT, _TOP = 52.0, 26.0


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
    bottom, right = 0.56 * width + _TOP, width - drawing.RIGHT
    across = drawing.log_scale if logarithmic else drawing.linear_scale
    panel = drawing.Panel(
        across(_shown([point.x for point in points]), _LEFT, right),
        drawing.linear_scale(_shown([point.y for point in points]), bottom, _TOP),
    )
    parts = panel.axes(x_label, y_label)
    for point in points:
        parts += _intervals(point, panel)
    places = [panel.place(point.x.mean, point.y.mean) for point in points]
    widths = [
        len(p.name) * (drawing.LETTER if p.kind == "control" else drawing.BOLD_LETTER)
        for p in points
    ]
    labels = place_labels(places, widths, (_LEFT, _TOP - 12, width, bottom))
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
