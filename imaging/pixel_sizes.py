"""Pixel sizes compared: which are the same, and which differ by a mistake of units."""

import math

# Pixel sizes that differ by less are the same: calibrations are no better.
_SAME = 0.02
# Files that programs save again keep the number and lose or change the unit.
_SLIPS = {
    1e3: "nm written as µm, or µm as mm",
    1e4: "Å written as µm, or µm as cm",
    25.4e3: "µm written as inches",
    1e6: "µm written as m",
    25.4: "mm written as inches",
    1 / 25.4: "inches written as mm",
    1e-3: "mm written as µm, or µm as nm",
    1e-4: "cm written as µm, or µm as Å",
    1 / 25.4e3: "inches written as µm",
    1e-6: "m written as µm",
}


def are_unlike(one_um: float, other_um: float) -> bool:
    """Tell whether two pixel sizes are not the same, within what calibrations are good for."""
    return abs(other_um / one_um - 1) > _SAME


def slip_of_units(ratio: float, tolerance: float) -> str | None:
    """Name the mistake that explains a ratio of pixel sizes.

    Parameters
    ----------
    ratio
        The stated pixel size over the expected one.
    tolerance
        Factor by which the ratio may differ from that of the mistake.

    Returns
    -------
    str or None
        For example "mm written as inches"; None if no mistake comes so close.

    Examples
    --------
    >>> slip_of_units(80 / 0.065, tolerance=2)
    'nm written as µm, or µm as mm'
    """
    distances = {factor: abs(math.log(ratio / factor)) for factor in _SLIPS}
    nearest = min(distances, key=distances.__getitem__)
    return _SLIPS[nearest] if distances[nearest] <= math.log(tolerance) else None
