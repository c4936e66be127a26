"""Points that stand beside a line, such as spines beside their dendrite, and control points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import (
    Definition,
    Places,
    Values,
    Volume,
    line_brightness,
    relative,
    vertices_of,
)
from benchmark.objects.control_points import beside_lines, control_points
from imaging.annotations import Annotations
from imaging.extent import Extent

_MARGIN_UM = 1.0  # from the edge of the field


@dataclass(frozen=True)
class Sites:
    """Where one image is looked at: marks, then control points, the same for every package.

    Attributes
    ----------
    places
        Marks, then control points.
    marks
        How many of them are marks.
    names
        (n,), of the mark; of a control point that of the mark as far from the same line.
    line
        (n,), the name of the line.
    lines
        Each (vertices, 3): x and y in µm, and plane.
    """

    places: Places
    marks: int
    names: tuple[str, ...]
    line: tuple[str, ...]
    lines: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Seen:
    """What one image shows at the sites.

    Attributes
    ----------
    brightness
        (n,), of the brightest disc at each: the background is 0, the line beside it 1.
    away_um
        (n,), how far the middle of that disc lies from the site.
    """

    brightness: Values
    away_um: Values


def find_sites(annotations: Annotations, extent: Extent) -> dict[str, Sites]:
    """Return marks and control points by the kind of mark.

    Parameters
    ----------
    annotations
        Of the image.
    extent
        Of the image: no pixel is looked at, so that no package has a say.

    Returns
    -------
    dict
        Of each kind of points that stand beside lines.

    Raises
    ------
    NotApplicable
        No point stands beside a line, or there is no room for control points.
    """
    numbers = {line.object: number for number, line in enumerate(annotations.lines)}
    lines = tuple(vertices_of(line) for line in annotations.lines)
    found: dict[str, Sites] = {}
    every = [point for point in annotations.points if point.on is not None]
    if not every:
        raise NotApplicable("No point stands beside a line: `on` names the line of each.")
    every_x, every_y = (np.array([getattr(p, axis) for p in every]) for axis in ("x_um", "y_um"))
    for kind in dict.fromkeys(point.kind for point in every):
        points = [point for point in every if point.kind == kind]
        on = [numbers[str(point.on)] for point in points]
        marks, distance_um = beside_lines(
            np.array([point.x_um for point in points]),
            np.array([point.y_um for point in points]),
            np.array([point.plane for point in points], dtype=np.intp),
            on,
            lines,
        )
        controls, of = control_points(
            marks,
            distance_um,
            on,
            lines,
            clear_of=np.stack([every_x, every_y], axis=1),
            size_um=(extent.size_um["y"], extent.size_um["x"]),
            margin_um=_MARGIN_UM,
        )
        if not len(controls):
            continue
        names = [point.object for point in points]
        beside = [str(point.on) for point in points]
        found[kind] = Sites(
            places=marks.followed_by(controls),
            marks=len(marks),
            names=(*names, *(names[mark] for mark in of)),
            line=(*beside, *(beside[mark] for mark in of)),
            lines=lines,
        )
    if not found:
        raise NotApplicable(
            "There is no room for control points: marks stand everywhere along the lines."
        )
    return found


def look(sites: Sites, volume: Volume, definition: Definition) -> Seen:
    """Look at an image of the same field at the sites.

    Parameters
    ----------
    sites
        Where.
    volume
        The image.
    definition
        What is looked at.

    Returns
    -------
    Seen
        Relative to lines and background, so that neither gain nor offset matters.

    Raises
    ------
    NotApplicable
        A line is not brighter than the background.
    """
    shaft = line_brightness(volume, sites.lines, definition)[sites.places.vertex]
    brightest = volume.brightest(sites.places, definition)
    return Seen(relative(brightest.value, shaft, volume.background), brightest.away_um)
