"""Two points and two tubes: from which distance on they are seen as two, and whether one is split.

Two are resolved where the profile through both has a peak within a quarter of their distance of
each, and a valley between (`benchmark.trust.plane.peaks`). One is split where the same profile
through it has two peaks: the same rule, so that what resolves more by splitting more is found out.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.trust.curve import fit_half
from benchmark.trust.plane import Floats, Geometry, Outcome, Plane, line, peaks, unit
from benchmark.trust.values import TrustValue, by_distance, share

_REACH_UM = 0.7
"""Half-length of a profile: beyond the peaks of the widest pair."""

_SECTIONS_UM = np.arange(-0.8, 0.81, 0.2)
"""Where tubes are cut across, from their middle."""

_DIRECTIONS = np.pi * np.arange(4) / 4
"""In which a single point is looked at, as it has no direction of its own."""


def see_points(plane: Plane, geometry: Geometry) -> list[Outcome]:
    """Judge pairs of points of one brightness, and single points of the light of two.

    Of the geometry, `pairs` and `points`.

    Returns
    -------
    list of dict
        ``distance_um``, 0 of a single point, and ``seen_as_two``: 0 or 1, for a single point the
        share of four directions.
    """
    outcomes: list[Outcome] = []
    for pair, members in _pairs(geometry, "points"):
        places = members[:, 0]
        middle = places.mean(axis=0)
        if pair["distance_um"] == 0:
            across = np.stack([np.sin(_DIRECTIONS), np.cos(_DIRECTIONS)], axis=1)
        elif pair["brightness_ratio"] == 1:
            across = unit(places[1] - places[0])[None]
        else:
            continue
        if plane.holds([middle + _REACH_UM * across, middle - _REACH_UM * across]):
            seen = [_sees_two(plane, middle, a, pair["distance_um"]) for a in across]
            outcomes.append(_outcome(pair["distance_um"], float(np.mean(seen))))
    return outcomes


def see_tubes(plane: Plane, geometry: Geometry) -> list[Outcome]:
    """Judge pairs of tubes, and single tubes of the light of two.

    Of the geometry, `pairs` and `tubes`.

    Returns
    -------
    list of dict
        ``distance_um``, 0 of a single tube, and ``seen_as_two``: 1 where most of nine
        cross-sections are.
    """
    outcomes: list[Outcome] = []
    for pair, tubes in _pairs(geometry, "tubes"):
        middle = tubes.mean(axis=(0, 1))
        along = unit(tubes[0, 1] - tubes[0, 0])
        across = np.array([along[1], -along[0]])
        if pair["distance_um"]:
            across = unit(tubes[1].mean(axis=0) - tubes[0].mean(axis=0))
        centres = middle + _SECTIONS_UM[:, None] * along
        if plane.holds([centres + _REACH_UM * across, centres - _REACH_UM * across]):
            seen = [_sees_two(plane, centre, across, pair["distance_um"]) for centre in centres]
            outcomes.append(_outcome(pair["distance_um"], float(np.mean(seen) > 0.5)))
    return outcomes


def summarise(outcomes: pd.DataFrame) -> list[TrustValue]:
    """Fit the curve of what is resolved, and count what is split.

    Of outcomes of `see_points` or `see_tubes`, with the column image.

    Returns
    -------
    list of TrustValue
        ``d50_um``, the distance from which on more than half are resolved; ``false_splits``, the
        share of singles; ``resolved_at_...``, the share of pairs by distance.
    """
    pairs, singles = outcomes[outcomes.distance_um > 0], outcomes[outcomes.distance_um == 0]
    return [
        fit_half("d50_um", pairs.distance_um, pairs.seen_as_two, pairs.image),
        share("false_splits", singles.seen_as_two),
        *by_distance("resolved", pairs.distance_um, pairs.seen_as_two),
    ]


def _pairs(geometry: Geometry, kind: str) -> Iterator[tuple[dict[str, Any], Floats]]:
    """Yield each pair with the points (members, n, 2) of its members, if the image has them all."""
    for pair in geometry["pairs"]:
        members = [m["points_um"] for m in geometry[kind] if m["pair"] == pair["pair"]]
        if len(members) == (2 if pair["distance_um"] else 1):
            yield pair, np.array(members, np.float64)


def _sees_two(plane: Plane, middle: Floats, across: Floats, distance_um: float) -> bool:
    """Tell whether a profile has two peaks, near the places of two if there are two."""
    profile = plane.at(line(middle - _REACH_UM * across, middle + _REACH_UM * across))
    found_um = np.linspace(-_REACH_UM, _REACH_UM, len(profile))[peaks(profile)]
    if distance_um == 0:
        return len(found_um) > 1
    missed_um = np.abs(found_um[:, None] - [-distance_um / 2, distance_um / 2])
    return bool((missed_um <= distance_um / 4).any(axis=0).all())


def _outcome(distance_um: float, seen_as_two: float) -> Outcome:
    return {"distance_um": distance_um, "seen_as_two": seen_as_two}
