"""Fourier shell correlation in sectors: how well two volumes agree along z, and across it."""

import functools
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal.windows import tukey

from benchmark.metrics.metric import NotApplicable, Volume
from benchmark.metrics.ring_correlation import TAPER, RingCorrelation

Direction = Literal["lateral", "axial"]

_SECTOR_DEG = 20.0
"""Half the opening of the cone along z, and how far the lateral sector rises above the plane."""

_FEWEST_PLANES, _SMALLEST_SIDE = 16, 32
_FEWEST_FREQUENCIES = 20  # of the finest shell; by symmetry half of them are independent
# Stacks have few planes, and with them few shells along z.
_SMOOTHING_SHELLS = 3


def sector_correlation(
    first: Volume, second: Volume, direction: Direction, anisotropy: float
) -> RingCorrelation:
    """Return the Fourier shell correlation of two volumes in the frequencies near one direction.

    Re Σ F₁·F₂* / √(Σ|F₁|² · Σ|F₂|²) over shells of equal frequency in µm⁻¹, of the frequencies
    within 20° of the z axis, or within 20° of the plane across it. F is the transform of a volume
    without its mean under a Tukey window that fades an eighth of each side at both ends. Source:
    the sectioned Fourier shell correlation of Koho et al. 2019 (doi:10.1038/s41467-019-11024-z).
    Two differences: the sector along z is the whole cone, not a wedge of it, and nothing is
    interpolated to cubic voxels, because frequencies are compared in µm⁻¹.

    Parameters
    ----------
    first, second
        Independent volumes of one field, one shape (z, y, x), at least 16 x 32 x 32, and so wide
        that 20 frequencies of the finest shell lie in the sector.
    direction
        "axial" or "lateral".
    anisotropy
        Distance of planes over the side of a pixel.

    Returns
    -------
    RingCorrelation
        Frequencies in cycles per plane (axial) or per pixel (lateral), one Fourier pixel apart
        along that axis; 0 where a shell of either volume is empty.

    Raises
    ------
    NotApplicable
        The volumes are too small, or one is constant.

    Examples
    --------
    >>> volume = np.random.default_rng(0).random((16, 32, 32))
    >>> sector_correlation(volume, 5 * volume + 2, "axial", 1.0).correlation.round(6).min()
    np.float64(1.0)
    """
    if len(first) < _FEWEST_PLANES or min(first.shape[1:]) < _SMALLEST_SIDE:
        raise NotApplicable(
            f"Shell correlation needs at least {_FEWEST_PLANES} planes of {_SMALLEST_SIDE} x "
            f"{_SMALLEST_SIDE} pixels, not {len(first)} of {first.shape[1]} x {first.shape[2]}."
        )
    if any(volume.min() == volume.max() for volume in (first, second)):
        raise NotApplicable("One of the volumes is constant: it has no frequencies to compare.")
    shape = (first.shape[0], first.shape[1], first.shape[2])
    shells, weight = _shells(shape, direction, anisotropy)
    number = (shape[0] if direction == "axial" else min(shape[1:])) // 2

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(shells.ravel(), (values * weight).ravel(), minlength=number + 1)
        return sums[1 : number + 1].astype(np.float64)

    count = total(np.ones(shells.shape))
    if count[-1] < _FEWEST_FREQUENCIES:
        raise NotApplicable(
            f"The field is too small for its depth: {count[-1]:.0f} frequencies of the finest "
            f"shell are {direction}, and {_FEWEST_FREQUENCIES} are needed."
        )
    one, two = _half_spectrum(first), _half_spectrum(second)
    shared = total(one.real * two.real + one.imag * two.imag)
    length = np.sqrt(total(np.abs(one) ** 2) * total(np.abs(two) ** 2))
    correlation = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    frequency = np.arange(1, number + 1) / (shape[0] if direction == "axial" else min(shape[1:]))
    return RingCorrelation(frequency, correlation, count, _SMOOTHING_SHELLS)


@functools.lru_cache(maxsize=2)
def _shells(
    shape: tuple[int, int, int], direction: Direction, anisotropy: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the number of each coefficient's shell, 0 outside the sector, and its weight."""
    z = fft.fftfreq(shape[0])[:, None, None] / anisotropy
    x = fft.rfftfreq(shape[2])
    radius = np.sqrt(z**2 + fft.fftfreq(shape[1])[:, None] ** 2 + x**2)
    if direction == "axial":
        unit = shape[0] * anisotropy
        inside = np.abs(z) >= np.cos(np.deg2rad(_SECTOR_DEG)) * radius
    else:
        unit = min(shape[1:])
        inside = np.abs(z) <= np.sin(np.deg2rad(_SECTOR_DEG)) * radius
    # A half transform holds each pair of conjugates once, but for the columns that are their own.
    weight = np.broadcast_to(np.where((x > 0) & (x < 0.5), 2.0, 1.0), radius.shape)
    return np.where(inside, np.rint(radius * unit), 0).astype(np.intp), weight


def _half_spectrum(volume: Volume) -> NDArray[np.complex128]:
    """Transform a volume without its mean, faded out towards its borders."""
    faded = volume - volume.mean()
    for axis, length in enumerate(volume.shape):
        faded *= np.expand_dims(tukey(length, TAPER), tuple({0, 1, 2} - {axis}))
    return np.asarray(fft.rfftn(faded))
