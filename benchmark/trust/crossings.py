"""Whether as many tubes are seen as there are, where two cross, or approach and part.

They are cut across at five places. One tube is to be seen where they run within a pixel of each
other, two where they lie farther apart than the width of the PSF; between, nothing is asked.
"""

import numpy as np
import pandas as pd

from benchmark.trust.plane import Geometry, Outcome, Plane, line, peaks, unit
from benchmark.trust.values import TrustValue, mean

_SECTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Where along the tubes they are cut, from end to end."""

_BEYOND_UM = 0.4


def count(plane: Plane, geometry: Geometry, psf_fwhm_um: float) -> list[Outcome]:
    """Count tubes at each crossing.

    Of the geometry, `crossings` and `tubes`; the tubes of a crossing have as many points.

    Returns
    -------
    list of dict
        ``crosses``, 0 or 1, and ``right``, the share of sections with the right number.
    """
    outcomes: list[Outcome] = []
    for crossing in geometry["crossings"]:
        number = crossing["crossing"]
        tubes = [t["points_um"] for t in geometry["tubes"] if t["crossing"] == number]
        if len(tubes) != 2:
            continue
        one, other = np.array(tubes, np.float64)
        across = unit(other[0] - one[0])
        right: list[bool] = []
        for place in np.round(np.multiply(_SECTIONS, len(one) - 1)).astype(int):
            apart_um = float(np.linalg.norm(other[place] - one[place]))
            if plane.pixel_um < apart_um < psf_fwhm_um:
                continue
            middle = (one[place] + other[place]) / 2
            reach = (apart_um / 2 + _BEYOND_UM) * across
            if not plane.holds([middle - reach, middle + reach]):
                continue
            seen = len(peaks(plane.at(line(middle - reach, middle + reach))))
            right.append(seen == (1 if apart_um <= plane.pixel_um else 2))
        if right:
            share = float(np.mean(right))
            outcomes.append({"crosses": float(crossing["crosses"]), "right": share})
    return outcomes


def summarise(outcomes: pd.DataFrame) -> list[TrustValue]:
    """Average outcomes of `count`, with the column image, over crossings.

    Returns
    -------
    list of TrustValue
        ``count_accuracy``, the mean share of sections with the right number of tubes, and the same
        of tubes that cross and of tubes that pass.
    """
    kinds = {
        "count_accuracy": outcomes,
        "count_accuracy_crossing": outcomes[outcomes.crosses == 1],
        "count_accuracy_passing": outcomes[outcomes.crosses == 0],
    }
    return [
        mean(name, o.right, o.image) if len(o) else TrustValue(name, None, 0)
        for name, o in kinds.items()
    ]
