"""Two above each other: from which distance along z on they are seen as two, and one is split.

Points above each other, and tubes that cross at different depth, are looked at along z. Two are
resolved, and one is split, by the rule of `benchmark.trust.separation`.
"""

import numpy as np
import pandas as pd

from benchmark.trust.curve import fit_half
from benchmark.trust.plane import Geometry, Outcome, line, peaks
from benchmark.trust.values import TrustValue, by_distance, share
from benchmark.trust.volume import Volume

LONGEST_UM = 4.0
"""The longest distance along z of a pair."""

BIN_UM = 0.5
"""Width of the bins of distances along z."""

_REACH_UM = LONGEST_UM / 2 + 2.0
"""Half-length of a profile: beyond the peaks of the widest pair."""


def see(volume: Volume, geometry: Geometry) -> list[Outcome]:
    """Judge pairs above each other, and what lies alone or in one plane.

    Of the geometry, `pairs`, each at its middle.

    Returns
    -------
    list of dict
        ``distance_um``, 0 of what is one along z, and ``seen_as_two``, 0 or 1. Pairs too near the
        border are left out.
    """
    outcomes: list[Outcome] = []
    for pair in geometry["pairs"]:
        middle, distance_um = np.array(pair["points_um"][0], np.float64), pair["distance_um"]
        reach = np.array([_REACH_UM, 0.0, 0.0])
        ends = middle - reach, middle + reach
        if volume.holds(ends):
            profile = volume.at(line(*ends))
            found_um = np.linspace(-_REACH_UM, _REACH_UM, len(profile))[peaks(profile)]
            seen = _are_two(found_um, distance_um)
            outcomes.append({"distance_um": distance_um, "seen_as_two": float(seen)})
    return outcomes


def summarise(outcomes: pd.DataFrame) -> list[TrustValue]:
    """Fit the curve of what is resolved, and count what is split.

    Of outcomes of `see`, with the column image.

    Returns
    -------
    list of TrustValue
        As of `benchmark.trust.separation.summarise`.
    """
    pairs, singles = outcomes[outcomes.distance_um > 0], outcomes[outcomes.distance_um == 0]
    return [
        fit_half("d50_um", pairs.distance_um, pairs.seen_as_two, pairs.image, LONGEST_UM),
        share("false_splits", singles.seen_as_two),
        *by_distance("resolved", pairs.distance_um, pairs.seen_as_two, BIN_UM),
    ]


def _are_two(found_um: np.ndarray, distance_um: float) -> bool:
    if distance_um == 0:
        return len(found_um) > 1
    missed_um = np.abs(found_um[:, None] - [-distance_um / 2, distance_um / 2])
    return bool((missed_um <= distance_um / 4).any(axis=0).all())
