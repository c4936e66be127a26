"""Labels beside the points of a figure, none on another, none on a point."""

import math
from collections.abc import Iterator, Sequence

from imaging.drawing import INK, LINE, Point, Stroke, line

_FAR = 13.0  # from here on a line leads from a label to its point
_MARK = 6.0  # half the side of what a mark keeps free of labels
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))

Box = tuple[float, float, float, float]  # left, top, right, bottom


def place_labels(points: Sequence[Point], widths: Sequence[float], area: Box) -> list[Point]:
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
    found: list[Point] = []
    for (x, y), width in zip(points, widths, strict=True):
        free = (box for box in _places(x, y, width, area) if not any(_meet(box, b) for b in taken))
        box = next(free, (area[2], y, area[2] + width, y + LINE))
        taken.append(box)
        found.append((box[0], box[3] - 3))
    return found


def leader(place: Point, label: Point, width: float) -> list[str]:
    """Draw a line from a label that had to go away to its point."""
    end_x = min(max(place[0], label[0]), label[0] + width)
    end_y = label[1] - 4
    if math.hypot(end_x - place[0], end_y - place[1]) < _FAR:
        return []
    return [line(place, (end_x, end_y), Stroke(INK, 0.8, 0.5))]


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
