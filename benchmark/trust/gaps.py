"""Gaps in tubes: which are bridged, and which whole tubes are broken.

A tube is followed along its known axis. It is open where the profile falls below half of the
brightness that it has elsewhere. A gap narrower than the PSF is not shown by the microscope, so
bridges are counted among wider ones.
"""

import numpy as np
import pandas as pd

from benchmark.trust.curve import fit_half
from benchmark.trust.plane import Floats, Geometry, Outcome, Plane, line, unit
from benchmark.trust.values import TrustValue, by_distance, share

_OPEN = 0.5
_END_UM = 0.25
"""Near its ends and near a gap a tube's brightness is not its own."""

_SIDEWAYS_UM = 0.08
"""How far beside its axis a tube is still followed, as its skeleton would be."""


def follow(plane: Plane, geometry: Geometry) -> list[Outcome]:
    """Judge tubes with a gap and whole ones: `gaps` and `tubes` of the geometry.

    Returns
    -------
    list of dict
        ``length_um`` of the gap, 0 of a whole tube, and ``open``, 0 or 1.
    """
    outcomes: list[Outcome] = []
    for gap in geometry["gaps"]:
        tubes = [t["points_um"] for t in geometry["tubes"] if t["gap"] == gap["gap"]]
        whole = len(tubes) == 1 and gap["length_um"] == 0
        if not (whole or len(tubes) == 2) or not plane.holds(tubes):
            continue
        pieces = [np.array(tube, np.float64) for tube in tubes]
        elsewhere = np.concatenate([_inside(plane, *piece) for piece in pieces])
        within = elsewhere if whole else ridge(plane, *np.array(gap["points_um"], np.float64))
        is_open = within.min() < _OPEN * np.median(elsewhere) or np.median(elsewhere) <= 0
        outcomes.append({"length_um": gap["length_um"], "open": float(is_open)})
    return outcomes


def ridge(plane: Plane, start_um: Floats, end_um: Floats) -> Floats:
    """Look at what is brightest on a line or close beside it, (n,)."""
    along = unit(end_um - start_um)
    aside = _SIDEWAYS_UM * np.array([along[1], -along[0]])
    places = line(start_um, end_um)
    return plane.at([places - aside, places, places + aside]).max(axis=0)


def summarise(outcomes: pd.DataFrame, psf_fwhm_um: float) -> list[TrustValue]:
    """Count bridges and breaks among outcomes of `follow`, with the column image.

    Gaps at least as long as the PSF is wide can be seen.

    Returns
    -------
    list of TrustValue
        ``false_bridges`` and ``false_breaks``, shares; ``balanced_accuracy``, one less the mean of
        both; ``gap50_um``, the length from which on more than half of the gaps are shown; and
        ``shown_open`` by length.
    """
    gaps, wholes = outcomes[outcomes.length_um > 0], outcomes[outcomes.length_um == 0]
    bridges = share("false_bridges", 1 - gaps.open[gaps.length_um >= psf_fwhm_um])
    breaks = share("false_breaks", wholes.open)
    accuracy = None
    if bridges.value is not None and breaks.value is not None:
        accuracy = 1 - (bridges.value + breaks.value) / 2
    return [
        bridges,
        breaks,
        TrustValue("balanced_accuracy", accuracy, bridges.n + breaks.n),
        fit_half("gap50_um", gaps.length_um, gaps.open, gaps.image, longest_um=1.0),
        *by_distance("shown_open", gaps.length_um, gaps.open),
    ]


def _inside(plane: Plane, start_um: Floats, end_um: Floats) -> Floats:
    """Look at a piece of a tube away from its ends; nothing of a short one."""
    if np.linalg.norm(end_um - start_um) <= 2 * _END_UM:
        return np.empty(0)
    inward = _END_UM * unit(end_um - start_um)
    return ridge(plane, start_um + inward, end_um - inward)
