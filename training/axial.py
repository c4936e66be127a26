"""What is recorded along the optical axis is more blurred than planes are, and coarsely sampled.

Along the axis the PSF is wider. Taken for Gaussian, it is the lateral one blurred once more by a
Gaussian whose variance is the difference of the two: planes blurred by that along one of their
axes look as slices along the optical axis do (Weigert et al. 2018). How wide it is, is known from
the microscope's optics or from beads, or is measured on stacks themselves: if structure is alike in
all directions, neighbouring planes correlate as such blurred planes do at the same distance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.fitting.photon_transfer import Transfer

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))
_REACH = 3.0  # standard deviations of the blur beyond which it is nothing
_WIDEST_PX = 512  # of planes that blur is measured on
_SHARE_OF_SIDE = 0.5  # the farthest distance at which pixels are compared
_PRECISION_PX = 1e-3


@dataclass(frozen=True)
class AxialDegradation:
    """Makes of the rows of a plane what a microscope would record of them along its axis.

    Attributes
    ----------
    sigma_px
        Standard deviation of the blur, in rows.
    factor
        Rows from one that is recorded to the next.
    noise
        Of the planes, which has a share in what they become; as much is added as it takes to make
        the whole what a recorded pixel has.
    """

    sigma_px: float
    factor: int
    noise: Transfer

    @property
    def margin_px(self) -> int:
        """Rows on each side that light comes from."""
        return math.ceil(_REACH * self.sigma_px)

    def weights(self, rows: int) -> Array:
        """Return how much of each row goes into each that is recorded.

        Parameters
        ----------
        rows
            Of the plane without margins, a multiple of `factor`.

        Returns
        -------
        ndarray
            Shape (rows / factor, rows + 2 margins), sums of 1. Recorded rows lie in the middle of
            as many as `factor` says.
        """
        places = (np.arange(rows // self.factor)[:, None] + 0.5) * self.factor - 0.5
        distances = np.arange(rows + 2 * self.margin_px) - self.margin_px - places
        weights = np.exp(-0.5 * (distances / self.sigma_px) ** 2)
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

    def record(self, plane: Array, rng: np.random.Generator) -> Array:
        """Blur a plane along its rows, sample it and add noise.

        Parameters
        ----------
        plane
            Counts with margins, shape (rows + 2 margins, x).
        rng
            Source of the noise, which is Gaussian.

        Returns
        -------
        ndarray
            Shape (rows / factor, x).
        """
        weights = self.weights(len(plane) - 2 * self.margin_px)
        recorded = weights @ plane
        light = np.maximum(recorded - self.noise.mean.min(), 0)
        whole = self.noise.dark_variance + self.noise.slope * light
        kept = (weights**2).sum(axis=1, keepdims=True)
        missing = np.sqrt(whole * np.maximum(1 - kept, 0)).astype(np.float32)
        return recorded + missing * rng.standard_normal(recorded.shape, np.float32)


def sigma_between(lateral_fwhm_um: float, axial_fwhm_um: float) -> float:
    """Return the standard deviation, µm, of the blur that lies between two widths of a PSF.

    Parameters
    ----------
    lateral_fwhm_um, axial_fwhm_um
        Full widths at half maximum; the axial one is the larger.
    """
    return math.sqrt(axial_fwhm_um**2 - lateral_fwhm_um**2) / FWHM_PER_SIGMA


def measure_sigma_px(stacks: Sequence[NDArray[np.generic]], distance_px: float) -> float | None:
    """Measure how much more stacks are blurred along z than in their planes.

    Parameters
    ----------
    stacks
        Intensities, shape (z, y, x) each.
    distance_px
        Of neighbouring planes, in pixels.

    Returns
    -------
    float or None
        Standard deviation of the Gaussian, in pixels, that planes would have to be blurred by along
        one axis for their pixels, as far apart as planes are, to correlate as neighbouring planes
        do. None where planes correlate less than that without any blur, or more than with any
        that planes of this size could show.
    """
    of_stacks = [_covariances(np.asarray(_middle(stack), np.float64)) for stack in stacks]
    lags = min(len(lateral) for lateral, _ in of_stacks)
    lateral = sum((lateral[:lags] for lateral, _ in of_stacks), np.zeros(lags))
    if lateral[0] <= 0:  # noise alone, or nothing
        return None
    wanted = sum(axial for _, axial in of_stacks) / lateral[0]
    lowest, highest = 0.0, (lags - 1 - distance_px) / (2 * _REACH)
    if highest <= 0 or not (
        _correlation(lateral, distance_px, _PRECISION_PX)
        < wanted
        < _correlation(lateral, distance_px, highest)
    ):
        return None
    while highest - lowest > _PRECISION_PX:
        middle = (lowest + highest) / 2
        if _correlation(lateral, distance_px, middle) < wanted:
            lowest = middle
        else:
            highest = middle
    return highest


def _middle(stack: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the middle of the planes of a stack where these are wide."""
    starts = [max(0, (side - _WIDEST_PX) // 2) for side in stack.shape[1:]]
    return stack[:, *(slice(start, start + _WIDEST_PX) for start in starts)]


def _covariances(stack: Floats) -> tuple[Floats, float]:
    """Return the covariance of pixels some distances apart in planes, and that of planes.

    The first of the distances is 0, with the variance that there would be without noise: noise of
    neighbouring pixels is independent, and the curve is a parabola at its top.
    """
    deviations = stack - stack.mean(axis=(1, 2), keepdims=True)
    lags = int(_SHARE_OF_SIDE * min(stack.shape[1:]))
    along = [_along_last(deviations, lags), _along_last(deviations.swapaxes(1, 2), lags)]
    lateral = np.mean(along, axis=0)
    lateral[0] = (4 * lateral[1] - lateral[2]) / 3
    return lateral, float((deviations[1:] * deviations[:-1]).mean())


def _along_last(deviations: Floats, lags: int) -> Floats:
    length = deviations.shape[-1]
    power = np.zeros(length + 1)
    for plane in deviations:
        power += (np.abs(np.fft.rfft(plane, 2 * length, axis=-1)) ** 2).mean(axis=0)
    total = np.fft.irfft(power / len(deviations))[:lags]
    return total / (length - np.arange(lags))


def _correlation(lateral: Floats, distance_px: float, sigma_px: float) -> float:
    """Return the correlation of pixels some distance apart, once planes are blurred."""
    lags = np.arange(1 - len(lateral), len(lateral))
    covariance = lateral[np.abs(lags)]
    variance = 2 * sigma_px**2  # of a blur applied to both pixels

    def blurred(distance: float) -> float:
        # Narrower than a pixel it would miss the lags: linear interpolation there.
        if variance < 0.25:
            return float(np.interp(distance, lags, covariance))
        weights = np.exp(-((lags - distance) ** 2) / (2 * variance))
        return float(weights @ covariance / weights.sum())

    return blurred(distance_px) / blurred(0.0)
