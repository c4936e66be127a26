"""How far scan lines are displaced against their neighbours."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.fitting.measurement import Z90, Measurement
from simulation.fitting.noise import DetectorFit

Floats = NDArray[np.float64]

_GRADIENT_SIGMA_PX = 1.0


def line_jitter(planes: NDArray[np.floating], detector: DetectorFit) -> Measurement:
    """Compare each line with the mean of its neighbours.

    To first order the difference is the gradient along the line times the displacement, which
    linear regression gives line by line. Curved structure and noise give displacements, too;
    columns, which are not scanned one by one, tell how large these are.

    Parameters
    ----------
    planes
        (plane, y, x) counts; lines run along x.
    detector
        Its noise weighs lines.

    Returns
    -------
    Measurement
        Standard deviation of the displacement of lines along themselves, pixels; zero where rows
        move no more than columns.
    """
    rows = np.concatenate([_squared_displacements(plane, detector) for plane in planes])
    columns = np.concatenate([_squared_displacements(plane.T, detector) for plane in planes])
    # A line is compared with the mean of two others: 1 + 1/2 of its own variance.
    excess = (np.average(rows[:, 0], weights=rows[:, 1])
              - np.average(columns[:, 0], weights=columns[:, 1])) / 1.5  # fmt: skip
    error = np.hypot(_error_of_mean(rows), _error_of_mean(columns)) / 1.5
    ends = (excess, excess - Z90 * error, excess + Z90 * error)
    return Measurement(*(float(np.sqrt(max(variance, 0))) for variance in ends))


def _squared_displacements(plane: NDArray[np.floating], detector: DetectorFit) -> Floats:
    """(lines, 2): squared displacement in pixels less what noise gives, and its weight."""
    image = plane.astype(np.float64)
    around = (image[:-2] + image[2:]) / 2
    gradient = ndimage.gaussian_filter1d(around, _GRADIENT_SIGMA_PX, axis=1, order=1)
    difference = image[1:-1] - around
    energy = (gradient**2).sum(1)
    informative = energy > 0
    gradient, difference, energy = (part[informative] for part in (gradient, difference, energy))
    shift = (gradient * difference).sum(1) / energy
    noise = 1.5 * detector.variance(float(image.mean())) / energy
    return np.stack([shift**2 - noise, energy**2], 1)


def _error_of_mean(values: Floats) -> float:
    weights = values[:, 1] / values[:, 1].sum()
    mean = float(weights @ values[:, 0])
    return float(np.sqrt((weights**2) @ (values[:, 0] - mean) ** 2))
