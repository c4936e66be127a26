"""Shapes, scales and panels: what all figures are drawn with, as SVG.

Figures are in the colours of paper, so that they are files as they are. A page gives each colour
that is named here one of its own for light, dark and print: see `imaging/page/style.css`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from matplotlib.ticker import MaxNLocator

INK, PAPER = "currentColor", "white"
ACCENT, CONTRAST = "#0b6591", "#c2570a"
WIDTH = 380.0
RIGHT = 14.0
LETTER, BOLD_LETTER = 6.4, 7.2  # mean width of a letter at 11 px
LINE = 13.0  # from one line of text to the next
DASHES = ("none", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2 1 2", "4 6", "14 3 4 3")
_SHAPES = {
    "circle": "m-3.6,0a3.6,3.6 0 1,0 7.2,0a3.6,3.6 0 1,0 -7.2,0",
    "square": "m-3.2,-3.2h6.4v6.4h-6.4z",
    "triangle": "m0,-4l3.8,6.9h-7.6z",
    "diamond": "m0,-4.5l3.8,4.5l-3.8,4.5l-3.8,-4.5z",
    "plus": "m-3.8,0h7.6m-3.8,-3.8v7.6",
    "cross": "m-3.1,-3.1l6.2,6.2m0,-6.2l-6.2,6.2",
}
SHAPES = tuple(_SHAPES)
_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(range(1, 10)))  # ticks of a decade
_LARGEST_ZOOM = 1.4  # on a page, so that letters stay letters
_SAMPLE = 34.0  # length of a line in a legend

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """How a line is drawn; `dashes` are lengths of ink and gaps."""

    colour: str = INK
    width: float = 1.0
    opacity: float = 1.0
    dashes: str = "none"


AXIS, GRID = Stroke(opacity=0.5), Stroke(opacity=0.12)


@dataclass(frozen=True)
class Scale:
    """One axis of a figure.

    Attributes
    ----------
    start, stop
        Positions of its ends.
    ticks
        Values to write.
    position
        From a value to its position.
    words
        How a tick is written.
    """

    start: float
    stop: float
    ticks: tuple[float, ...]
    position: Callable[[float], float]
    words: Callable[[float], str]

    def __call__(self, value: float) -> float:
        """Return the position of a value."""
        return self.position(value)


def number(value: float) -> str:
    """Write a tick.

    Examples
    --------
    >>> number(-0.25), number(20000), number(1e6), number(3e-7)
    ('−0.25', '20000', '10⁶', '3·10⁻⁷')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:g}".replace("-", "−")
    digits, _, power = f"{value:e}".partition("e")
    digits = f"{float(digits):g}·".replace("-", "−")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{'' if digits == '1·' else digits}10{raised}"


def linear_scale(
    values: Iterable[float],
    start: float,
    stop: float,
    *,
    margin: float = 0.04,
    intervals: int = 6,
    words: Callable[[float], str] = number,
) -> Scale:
    """Make an axis of equal steps.

    Parameters
    ----------
    values
        All that is to be shown.
    start, stop
        Positions of the ends; of a vertical axis the lower one, which is larger, comes first.
    margin
        Beyond the lowest and the highest, as share of their distance.
    intervals
        Between ticks, at most.
    words
        How ticks are written.

    Returns
    -------
    Scale
        The axis.
    """
    shown = list(values)
    low, high = min(shown), max(shown)
    beyond = margin * (high - low) if high > low else 0.5
    low, high = low - beyond, high + beyond

    def position(value: float) -> float:
        return start + (value - low) / (high - low) * (stop - start)

    return Scale(start, stop, _round_steps(low, high, intervals), position, words)


def log_scale(
    values: Iterable[float],
    start: float,
    stop: float,
    *,
    factor: float = 1.6,
    ticks: Sequence[float] = (),
) -> Scale:
    """Make an axis of equal factors.

    Parameters
    ----------
    values
        All that is to be shown, above 0.
    start, stop
        Positions of the ends; of a vertical axis the lower one, which is larger, comes first.
    factor
        Beyond the lowest and the highest.
    ticks
        Values to write; else as many as have room.

    Returns
    -------
    Scale
        The axis.
    """
    shown = list(values)
    low, high = min(shown) / factor, max(shown) * factor
    span = math.log(high / low) or 1.0

    def position(value: float) -> float:
        return start + math.log(value / low) / span * (stop - start)

    def has_room(found: Sequence[float]) -> bool:
        wide = [2 * LINE if start > stop else LETTER * len(number(t)) + 6 for t in found]
        between = [abs(position(b) - position(a)) for a, b in pairwise(found)]
        return all(gap > max(both) for gap, both in zip(between, pairwise(wide), strict=True))

    if not ticks:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        choices = [[step * 10.0**d for d in decades for step in steps] for steps in _STEPS]
        choices = [*([10.0**d for d in decades[::every]] for every in (5, 3, 2)), *choices]
        found = [[tick for tick in some if low <= tick <= high] for some in choices]
        if len(found[-1]) < 2:  # which say nothing of the distance between
            found.append(list(_round_steps(low, high, 4)))
        ticks = max(filter(has_room, found), key=len, default=())
    return Scale(start, stop, tuple(ticks), position, number)


@dataclass(frozen=True)
class Panel:
    """A rectangle between two axes, in whose units it draws."""

    x: Scale
    y: Scale

    def axes(self, x_label: str, y_label: str, title: str = "") -> list[str]:
        """Draw both axes with their names, and a title above."""
        top = self.y.stop - 9
        return [
            *x_axis(self.x, self.y.stop, self.y.start, x_label),
            *y_axis(self.y, self.x.start, self.x.stop, y_label),
            text((self.x.start, top - LINE * bool(y_label)), title, bold=True),
        ]

    def place(self, x: float, y: float) -> Point:
        """Return where a point lies on the drawing."""
        return self.x(x), self.y(y)

    def curve(self, points: Iterable[Point], stroke: Stroke, title: str = "") -> str:
        """Join points by a line."""
        return polyline([self.place(x, y) for x, y in points], stroke, title)


def x_axis(x: Scale, top: float, bottom: float, label: str) -> list[str]:
    """Draw a horizontal axis at the bottom, with lines that rise from its ticks to the top."""
    parts = [line((x.start, bottom), (x.stop, bottom), AXIS)]
    for tick in x.ticks:
        parts.append(line((x(tick), top), (x(tick), bottom), GRID))
        parts.append(text((x(tick), bottom + 15), x.words(tick), anchor="middle"))
    middle = ((x.start + x.stop) / 2, bottom + 34)
    return [*parts, text(middle, label, anchor="middle")]


def y_axis(y: Scale, left: float, right: float, label: str) -> list[str]:
    """Draw lines at the ticks of a vertical axis, with its name above."""
    parts = [text((left, y.stop - 9), label)]
    for tick in y.ticks:
        parts.append(line((left, y(tick)), (right, y(tick)), GRID))
        parts.append(text((left - 7, y(tick) + 4), y.words(tick), anchor="end"))
    return parts


@dataclass(frozen=True)
class Key:
    """An entry of a legend: a line, of width 0 where there is none, and a mark on it."""

    label: str
    stroke: Stroke
    shape: str = ""
    bold: bool = False


def legend(keys: Iterable[Key], left: float, top: float, width: float) -> tuple[list[str], float]:
    """Say what lines and marks stand for, in as many rows as it takes.

    Returns
    -------
    tuple
        SVG elements, and where the next thing below may begin.
    """
    parts: list[str] = []
    x, y = left, top
    for key in keys:
        wide = _SAMPLE + 6 + (BOLD_LETTER if key.bold else LETTER) * len(key.label)
        if left < x and left + width < x + wide:
            x, y = left, y + LINE + 3
        middle = y + LINE / 2
        parts.append(line((x, middle), (x + _SAMPLE, middle), key.stroke))
        if key.shape:
            parts.append(mark(key.shape, (x + _SAMPLE / 2, middle), key.stroke.colour, key.label))
        parts.append(text((x + _SAMPLE + 6, middle + 4), key.label, bold=key.bold))
        x += wide + 16
    return parts, y + LINE + 3


def element(tag: str, content: str = "", /, **attributes: str | float) -> str:
    """Write an SVG element: numbers to a hundredth, ``_`` in names as ``-``, content as it is."""
    said = "".join(
        f' {name.replace("_", "-")}="'
        f'{escape(value) if isinstance(value, str) else format(round(value, 2) + 0.0, "g")}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{said}>{content}</{tag}>" if content else f"<{tag}{said}/>"


def line(start: Point, stop: Point, stroke: Stroke) -> str:
    """Draw a straight line."""
    ends = {"x1": start[0], "y1": start[1], "x2": stop[0], "y2": stop[1]}
    return element("line", **ends, **_drawn(stroke))


def polyline(points: Iterable[Point], stroke: Stroke, title: str = "") -> str:
    """Draw a line through points; the title is shown on hovering."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return element("polyline", _titled(title), points=joined, fill="none", **_drawn(stroke))


def mark(
    shape: str, place: Point, colour: str = INK, title: str = "", *, hollow: bool = False
) -> str:
    """Draw one of `SHAPES`; the title is shown on hovering."""
    path = f"M{place[0]:.1f},{place[1]:.1f}{_SHAPES[shape]}"
    fill = PAPER if hollow else colour
    return element("path", _titled(title), d=path, fill=fill, stroke=colour, stroke_width=1.6)


def dots(points: Iterable[Point], colour: str, size: float = 5.2) -> str:
    """Draw many points as one element, for a page has many thousands of them."""
    path = "".join(f"M{x:.1f},{y:.1f}h0" for x, y in points)
    stroke = _drawn(Stroke(colour, size, 0.55))
    return element("path", d=path, fill="none", stroke_linecap="round", **stroke)


def text(
    place: Point,
    words: str,
    *,
    anchor: str = "start",
    bold: bool = False,
    halo: bool = False,
    colour: str = "",
) -> str:
    """Write words on a baseline; a halo of paper keeps lines off them."""
    if not words:
        return ""
    looks: dict[str, str | float] = {"text_anchor": anchor} if anchor != "start" else {}
    looks |= {"font_weight": 600} if bold else {}
    looks |= {"fill": colour} if colour else {}
    looks |= {"stroke": PAPER, "stroke_width": 4, "paint_order": "stroke"} if halo else {}
    return element("text", escape(words), x=place[0], y=place[1], **looks)


def picture(source: str, place: Point, width: float, height: float) -> str:
    """Show a picture, such as a data URI, with its pixels as squares."""
    box = {"x": place[0], "y": place[1], "width": width, "height": height}
    look = {"image_rendering": "optimizeSpeed", "preserveAspectRatio": "none"}
    return element("image", href=source, **box, **look)


def svg(parts: Iterable[str], height: float, title: str, width: float = WIDTH) -> str:
    """Wrap a drawing up.

    Parameters
    ----------
    parts
        SVG elements.
    height, width
        Of the drawing.
    title
        What it shows, for who cannot see it.

    Returns
    -------
    str
        An SVG element.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'style="max-width:{_LARGEST_ZOOM * width:g}px" '
        'font-family="system-ui, sans-serif" font-size="11" fill="currentColor">'
        f"{_titled(title)}{''.join(parts)}</svg>"
    )


def _round_steps(low: float, high: float, intervals: int) -> tuple[float, ...]:
    slack = 1e-9 * (high - low)
    found = map(float, MaxNLocator(intervals, steps=[1, 2, 5, 10]).tick_values(low, high))
    # Rounding puts a tick at an end beside it.
    return tuple(min(max(tick, low), high) for tick in found if low - slack <= tick <= high + slack)


def _drawn(stroke: Stroke) -> dict[str, str | float]:
    looks: dict[str, str | float] = {"stroke": stroke.colour}
    looks |= {"stroke_width": stroke.width} if stroke.width != 1 else {}
    looks |= {"stroke_opacity": stroke.opacity} if stroke.opacity != 1 else {}
    looks |= {"stroke_dasharray": stroke.dashes} if stroke.dashes != "none" else {}
    return looks


def _titled(title: str) -> str:
    return f"<title>{escape(title)}</title>" if title else ""
