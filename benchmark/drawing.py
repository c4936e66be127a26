"""What the figures share: scales, axes, marks, and labels that do not sit on each other.

SVG is written by hand so that a page can colour it for light, dark and print. Text and axes take
the colour around them; packages take ``--accent``, where a page defines it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from matplotlib.ticker import MaxNLocator

ACCENT = "var(--accent, #0b6e99)"
PAPER = "var(--paper, #fff)"
HALO = f'style="stroke:{PAPER};stroke-width:4px;paint-order:stroke"'
WIDTH = 380.0
RIGHT = 14.0
LETTER, BOLD_LETTER = 6.4, 7.2  # mean width of a letter at 11 px
LINE = 13.0  # from one line of text to the next
_LARGEST_ZOOM = 1.4  # on a page, so that letters stay letters
_FAR = 13.0  # from here on a line leads from a label to its point
_MARK = 6.0  # half the side of what a mark keeps free of labels
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))

Box = tuple[float, float, float, float]  # left, top, right, bottom
Position = Callable[[float], float]


def scale(
    values: Sequence[float], start: float, stop: float, intervals: int = 5
) -> tuple[list[float], Position]:
    """Choose ticks, and the map from values to positions.

    Parameters
    ----------
    values
        All that is to be shown.
    start, stop
        Positions of the lowest and the highest, a margin within.
    intervals
        Between ticks, at most.

    Returns
    -------
    tuple
        Ticks, and a function of a value.
    """
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.5
    low, high = low - margin, high + margin
    ticks = map(float, MaxNLocator(intervals, steps=[1, 2, 5, 10]).tick_values(low, high))

    def position(value: float) -> float:
        return start + (value - low) / (high - low) * (stop - start)

    return [tick for tick in ticks if low <= tick <= high], position


def x_axis(
    ticks: Sequence[float],
    x: Position,
    bottom: float,
    left: float,
    label: str,
    right: float = WIDTH - RIGHT,
) -> list[str]:
    """Draw a horizontal axis with the lines that rise from its ticks."""
    parts = [
        f'<line x1="{left:.1f}" x2="{right:g}" y1="{bottom:g}" y2="{bottom:g}" '
        'stroke="currentColor" stroke-opacity="0.5"/>'
    ]
    for tick in ticks:
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="10" y2="{bottom:g}" '
            'stroke="currentColor" stroke-opacity="0.12"/>'
            f'<text x="{x(tick):.1f}" y="{bottom + 15:g}" text-anchor="middle">{tick:g}</text>'
        )
    middle = (left + right) / 2
    parts.append(
        f'<text x="{middle:.1f}" y="{bottom + 34:g}" text-anchor="middle">{escape(label)}</text>'
    )
    return parts


def mark(kind: str, x: float, y: float, title: str = "") -> str:
    """Draw a disc for a package, a ring for one sample of it, a square for a control.

    Parameters
    ----------
    kind
        "package", "sample" or "control".
    x, y
        Its middle.
    title
        Shown on hovering.

    Returns
    -------
    str
        An SVG element.
    """
    said = f"<title>{escape(title)}</title>"
    if kind == "control":
        return f'<rect x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2">{said}</rect>'
    fill = PAPER if kind == "sample" else ACCENT
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" style="fill:{fill};stroke:{ACCENT}" '
        f'stroke-width="2">{said}</circle>'
    )


def place_labels(
    points: Sequence[tuple[float, float]], widths: Sequence[float], area: Box
) -> list[tuple[float, float]]:
    """Find a place near each point where its name covers neither a name nor a point.

    Parameters
    ----------
    points
        Positions of the marks.
    widths
        Of the names.
    area
        In which the labels stay.

    Returns
    -------
    list of tuple
        Left end and baseline of each name.
    """
    taken: list[Box] = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in points]
    found: list[tuple[float, float]] = []
    for (x, y), width in zip(points, widths, strict=True):
        free = (box for box in _places(x, y, width, area) if not any(_meet(box, b) for b in taken))
        box = next(free, (area[2], y, area[2] + width, y + LINE))
        taken.append(box)
        found.append((box[0], box[3] - 3))
    return found


def leader(place: tuple[float, float], label: tuple[float, float], width: float) -> list[str]:
    """Draw a line from a label that had to go away to its point."""
    end_x = min(max(place[0], label[0]), label[0] + width)
    end_y = label[1] - 4
    if math.hypot(end_x - place[0], end_y - place[1]) < _FAR:
        return []
    return [
        f'<line x1="{place[0]:.1f}" y1="{place[1]:.1f}" x2="{end_x:.1f}" y2="{end_y:.1f}" '
        'stroke="currentColor" stroke-opacity="0.5" stroke-width="0.8"/>'
    ]


def svg(parts: Sequence[str], height: float, title: str, width: float = WIDTH) -> str:
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
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _places(x: float, y: float, width: float, area: Box) -> Iterator[Box]:
    """Go around a point in growing circles."""
    reach = math.hypot(area[2] - area[0], area[3] - area[1])
    distance = 9.0
    while distance < reach:
        for across, down in _DIRECTIONS:
            middle_x = x + across * (distance + width / 2)
            middle_y = y + down * (distance + LINE / 2 - 2)
            left, top = middle_x - width / 2, middle_y - LINE / 2
            box = (left, top, left + width, top + LINE)
            inside = area[0] <= box[0] and area[1] <= box[1]
            if inside and box[2] <= area[2] and box[3] <= area[3]:
                yield box
        distance += LINE / 2


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
