"""A figure of detectability, and of leads over the input, against how brightness is defined."""

from collections.abc import Sequence
from itertools import groupby

from benchmark.objects.detection import Interval
from benchmark.objects.sensitivity import RELATIVE_TO, Sensitivity
from imaging import drawing
from imaging.scores import INPUT

_SIDE, _HIGH = 176.0, 150.0
_LEFT, _TOP, _BELOW = 54.0, 40.0, 46.0
_APART = 7.0  # between the strokes of two packages
_LABELS = ("Detectability", "Lead over the input")


def draw_sensitivity(found: Sequence[Sensitivity]) -> str:
    """Draw what everyone has by each definition.

    Parameters
    ----------
    found
        Of at least the input.

    Returns
    -------
    str
        An SVG element: a column for each choice, detectability above and leads below, where a
        package but the input has any.
    """
    names = list(dict.fromkeys(one.package for one in found))
    columns = [
        (choice, list(of))
        for choice, of in groupby(
            sorted(found, key=lambda one: _order(found, one.variant.choice)),
            key=lambda one: one.variant.choice,
        )
    ]
    width = len(columns) * (_LEFT + _SIDE) + drawing.RIGHT
    keys = {name: _key(name, number) for number, name in enumerate(names)}
    parts, top = drawing.legend(keys.values(), 4, 0, width)
    for label in _LABELS:
        shown = [_value(one, label) for one in found]
        values = [
            end
            for of in shown
            if of is not None
            for end in ((of.value,) if label == _LABELS[0] else (of.value, of.low, of.high))
            if end is not None
        ]
        if not values:
            continue
        y = drawing.linear_scale(
            [*values, *([0.0] if label == _LABELS[1] else [])], top + _TOP + _HIGH, top + _TOP
        )
        for number, (choice, of) in enumerate(columns):
            left = number * (_LEFT + _SIDE) + _LEFT
            ticks = list(dict.fromkeys(one.variant.value for one in of))
            panel = drawing.Panel(_scale(choice, ticks, left), y)
            parts += panel.axes(choice.capitalize(), label if number == 0 else "")
            if label == _LABELS[1]:
                parts.append(drawing.line((left, y(0)), (left + _SIDE, y(0)), drawing.AXIS))
            for name in names:
                own = [
                    (_place(choice, one.variant.value, ticks), value)
                    for one in of
                    if one.package == name and (value := _value(one, label)) is not None
                ]
                strokes = label == _LABELS[1]  # beside each other, the input having none
                aside = (names.index(name) - len(names) / 2) * _APART if strokes else 0.0
                parts += _series(panel, own, keys[name], aside, strokes=strokes)
        top += _TOP + _HIGH + _BELOW
    return drawing.svg(parts, top, "Detectability by definition", width)


def _order(found: Sequence[Sensitivity], choice: str) -> int:
    return list(dict.fromkeys(one.variant.choice for one in found)).index(choice)


def _value(one: Sensitivity, label: str) -> Interval | None:
    return one.detectability if label == _LABELS[0] else one.lead


def _key(name: str, number: int) -> drawing.Key:
    is_input = name == INPUT
    colour = drawing.INK if is_input else drawing.ACCENT
    stroke = drawing.Stroke(colour, 1.6, dashes=drawing.DASHES[number % len(drawing.DASHES)])
    return drawing.Key(name, stroke, drawing.SHAPES[number % len(drawing.SHAPES)], not is_input)


def _place(choice: str, value: str, ticks: Sequence[str]) -> float:
    return float(ticks.index(value)) if choice == RELATIVE_TO else float(value)


def _scale(choice: str, ticks: Sequence[str], left: float) -> drawing.Scale:
    places = [_place(choice, tick, ticks) for tick in ticks]
    scale = drawing.linear_scale(places, left, left + _SIDE, margin=0.16)
    words = dict(zip(places, ticks, strict=True))
    return drawing.Scale(
        scale.start, scale.stop, tuple(places), scale.position, lambda place: words[place]
    )


def _series(
    panel: drawing.Panel,
    points: Sequence[tuple[float, Interval]],
    key: drawing.Key,
    aside: float,
    *,
    strokes: bool,
) -> list[str]:
    places = [(panel.x(x) + aside, panel.y(of.value)) for x, of in points]
    parts = [drawing.polyline(places, key.stroke)]
    for (x, _), (_, of) in zip(places, points, strict=True):
        if strokes and of.low is not None and of.high is not None:
            ends = ((x, panel.y(of.low)), (x, panel.y(of.high)))
            parts.append(drawing.line(*ends, drawing.Stroke(key.stroke.colour, 1.2, 0.5)))
    return parts + [
        drawing.mark(key.shape, place, key.stroke.colour, f"{key.label}: {of.value:.3f}")
        for place, (_, of) in zip(places, points, strict=True)
    ]
