"""Whether brightness ratios of two points are kept."""

import numpy as np
import pandas as pd

from benchmark.trust.plane import Floats, Geometry, Outcome, Plane
from benchmark.trust.values import TrustValue, bootstrapped, redrawn, share

_RADIUS_UM = 0.3
_LIMIT = 50.0
"""Ratios beyond are those of a point that is gone."""

_LOST = 4.0
"""A dim point is lost where the ratio is so many times too large."""


def compare(plane: Plane, geometry: Geometry, psf_fwhm_um: float) -> list[Outcome]:
    """Measure the light of both points of each pair that lies apart enough.

    Of the geometry, `pairs` and `points`: those at least 1.5 times the width of the PSF apart.

    Returns
    -------
    list of dict
        ``ratio`` of brightness, above 1, and ``restored``, that of the light above the ground
        within 0.3 µm, or half of the distance if that is less.
    """
    outcomes: list[Outcome] = []
    for pair in geometry["pairs"]:
        if pair["distance_um"] < 1.5 * psf_fwhm_um or pair["brightness_ratio"] == 1:
            continue
        members = [p for p in geometry["points"] if p["pair"] == pair["pair"]]
        places = np.array([m["points_um"][0] for m in members], np.float64)
        radius_um = min(_RADIUS_UM, pair["distance_um"] / 2)
        if len(places) != 2 or not plane.holds([places - radius_um, places + radius_um]):
            continue
        bright, dim = (_light(plane, place, radius_um) for place in places)
        restored = bright / dim if dim > bright / _LIMIT else _LIMIT
        outcomes.append(
            {
                "ratio": pair["brightness_ratio"],
                "restored": float(np.clip(restored, 1 / _LIMIT, _LIMIT)),
            }
        )
    return outcomes


def summarise(outcomes: pd.DataFrame) -> list[TrustValue]:
    """Fit restored = ratio^γ to outcomes of `compare`, with the column image.

    Returns
    -------
    list of TrustValue
        ``ratio_exponent``, γ by least squares of the logarithms: 1 keeps ratios, less evens them
        out, more dims the dim; and ``dim_lost``, the share of dim points that are next to gone.
    """
    if outcomes.empty:
        return [TrustValue("ratio_exponent", None, 0), TrustValue("dim_lost", None, 0)]
    true, restored = np.log(outcomes.ratio.to_numpy()), np.log(outcomes.restored.to_numpy())
    entering = redrawn(outcomes.image)
    exponents = entering @ (true * restored) / (entering @ true**2)
    return [
        bootstrapped("ratio_exponent", exponents, len(outcomes)),
        share("dim_lost", outcomes.restored > _LOST * outcomes.ratio),
    ]


def _light(plane: Plane, place_um: Floats, radius_um: float) -> float:
    """Add up what lies above the ground within a radius."""
    y, x = ((np.arange(n) + 0.5) * plane.pixel_um for n in plane.image.shape)
    within = np.hypot(y[:, None] - place_um[0], x[None] - place_um[1]) <= radius_um
    return float((plane.image[within] - plane.ground).sum())
