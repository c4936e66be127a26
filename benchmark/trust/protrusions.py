"""Whether the heads of spines are told from the empty places across their shaft."""

import numpy as np
import pandas as pd

from benchmark.trust.plane import Floats, Geometry, Outcome, Plane, unit
from benchmark.trust.values import TrustValue, bootstrapped, by_distance, redrawn, share

FALSE_POSITIVES = 0.05
_SEARCH_UM = 0.2
_STEP_UM = 0.05
_DIM = 0.2
"""Spines less bright than this beside their shaft are dim."""


def look(plane: Plane, geometry: Geometry) -> list[Outcome]:
    """Look at the head of each spine, and as far away on the other side of its shaft.

    Of the geometry, `spines` and `shafts`.

    Returns
    -------
    list of dict
        ``brightness`` of the spine and ``distance_um`` of its outline from the shaft's; ``spine``
        and ``opposite``, the brightest place within 0.2 µm of either, relative to the middle of the
        shaft. Shafts that are not brighter than the ground are left out.
    """
    reach = np.arange(-_SEARCH_UM, _SEARCH_UM + _STEP_UM / 2, _STEP_UM)
    around = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
    around = around[np.hypot(*around.T) <= _SEARCH_UM + 1e-9]
    outcomes: list[Outcome] = []
    for spine, shaft in zip(geometry["spines"], geometry["shafts"], strict=True):
        head = np.array(spine["points_um"][0], np.float64)
        ends = np.array(shaft["points_um"], np.float64)
        ahead = unit(ends[1] - ends[0])
        foot = ends[0] + ((head - ends[0]) @ ahead) * ahead
        opposite = 2 * foot - head
        if not plane.holds(np.concatenate([head + around, opposite + around, ends])):
            continue
        middle = float(np.median(plane.at(np.linspace(ends[0], ends[1], 41)[5:-5])))
        if middle <= 0:
            continue
        outcomes.append(
            {
                "brightness": spine["brightness"],
                "distance_um": spine["distance_um"],
                "spine": float(plane.at(head + around).max()) / middle,
                "opposite": float(plane.at(opposite + around).max()) / middle,
            }
        )
    return outcomes


def summarise(outcomes: pd.DataFrame) -> list[TrustValue]:
    """Tell how well spines are told from empty places, of outcomes of `look` with column image.

    Returns
    -------
    list of TrustValue
        ``spine_auc``, the probability that a spine is brighter than an empty place;
        ``spines_shown``, the share that is brighter than 95 % of the empty places, also by distance
        from the shaft, and ``dim_spines_shown``, that of spines of less than a fifth of the
        brightness of their shaft.
    """
    if outcomes.empty:
        return [TrustValue("spine_auc", None, 0), TrustValue("spines_shown", None, 0)]
    spine, opposite = outcomes.spine.to_numpy(), outcomes.opposite.to_numpy()
    shown = outcomes.spine > np.quantile(opposite, 1 - FALSE_POSITIVES)
    return [
        bootstrapped("spine_auc", _auc(spine, opposite, outcomes.image), len(outcomes)),
        share("spines_shown", shown),
        share("dim_spines_shown", shown[outcomes.brightness < _DIM]),
        *by_distance("spines_shown_at", outcomes.distance_um, shown),
    ]


def _auc(spine: Floats, opposite: Floats, images: pd.Series) -> Floats:
    """Compute the area under the ROC curve, as it is and of images drawn with replacement."""
    entering = redrawn(images)
    wins = (spine[:, None] > opposite) + 0.5 * (spine[:, None] == opposite)
    return np.einsum("di,ij,dj->d", entering, wins, entering, optimize=True) / (
        entering.sum(axis=1) ** 2
    )
