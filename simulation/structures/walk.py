"""Curved axes: walks whose direction diffuses."""

import numpy as np

from simulation.structures.grid import FloatArray


def direction(azimuth: float | FloatArray, elevation: float | FloatArray, axes: int) -> FloatArray:
    """Return the unit vectors of a direction.

    Parameters
    ----------
    azimuth
        Angle in the plane from x towards y, radians.
    elevation
        Angle out of the plane, radians; without meaning in an image.
    axes
        2 for (y, x), 3 for (z, y, x).

    Returns
    -------
    numpy.ndarray
        (..., axes).
    """
    if axes == 2:
        return np.stack([np.sin(azimuth), np.cos(azimuth)], -1)
    flat = np.cos(elevation)
    return np.stack([np.sin(elevation), flat * np.sin(azimuth), flat * np.cos(azimuth)], -1)


def persistent_walk(
    rng: np.random.Generator,
    start_um: FloatArray,
    azimuth: float,
    elevation: float,
    length_um: float,
    persistence_um: float,
    step_um: float,
) -> FloatArray:
    """Walk with a direction that diffuses (worm-like chain).

    Parameters
    ----------
    rng
        Source of randomness.
    start_um
        (axes,), (y, x) or (z, y, x), µm.
    azimuth, elevation
        Direction at the start, radians. In a volume the elevation diffuses an eighth as much,
        so that what starts along the plane stays near it.
    length_um
        Length along the walk, µm; two steps at least.
    persistence_um
        Length over which the azimuth diffuses by one radian, µm.
    step_um
        Length of a step, µm.

    Returns
    -------
    numpy.ndarray
        Points (n, axes), µm, the first one step from the start.
    """
    axes = len(start_um)
    steps = max(round(length_um / step_um), 2)
    turn = np.sqrt(step_um / persistence_um)
    azimuths = azimuth + np.cumsum(rng.normal(0, turn, steps))
    elevations: float | FloatArray = elevation
    if axes == 3:
        elevations = elevation + np.cumsum(rng.normal(0, turn / 8, steps))
    return start_um + step_um * np.cumsum(direction(azimuths, elevations, axes), 0)
