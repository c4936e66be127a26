"""Rings of equal spatial frequency in the Fourier transform of a real image."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal.windows import tukey

from benchmark.metrics.metric import Image

Spectrum = NDArray[np.complex128]


@dataclass(frozen=True)
class Rings:
    """The rings of images of one shape, one Fourier pixel of the shorter side wide.

    Attributes
    ----------
    frequency
        (rings,): the middle of each ring in cycles per pixel, from one period per shorter side to
        at most 0.5 (Nyquist). The zero frequency belongs to no ring, nor do the corners.
    count
        (rings,): coefficients of the full transform in each ring; by Hermitian symmetry half of
        them are independent.
    """

    frequency: NDArray[np.float64]
    count: NDArray[np.float64]
    _index: NDArray[np.intp]
    _weight: NDArray[np.float64]

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over each ring of the full transform.

        Parameters
        ----------
        values
            (y, x // 2 + 1): a real function of a half transform, as `half_spectrum` returns it.

        Returns
        -------
        ndarray
            (rings,).
        """
        sums = np.bincount(self._index, (values * self._weight).ravel())
        return sums[1 : len(self.frequency) + 1].astype(np.float64)

    def matrix(self) -> NDArray[np.float32]:
        """Return the sum over rings as a matrix, for many small transforms at once.

        Returns
        -------
        ndarray
            (coefficients of a half transform, rings).
        """
        inside = np.arange(1, len(self.frequency) + 1) == self._index[:, None]
        return (inside * self._weight.reshape(-1, 1)).astype(np.float32)


@functools.lru_cache(maxsize=4)
def rings(shape: tuple[int, int]) -> Rings:
    """Return the rings of images of a shape (y, x).

    Examples
    --------
    >>> rings((8, 6)).frequency.round(3)
    array([0.167, 0.333, 0.5  ])
    >>> rings((5, 5)).count
    array([ 8., 12.])
    """
    side = min(shape)
    columns = fft.rfftfreq(shape[1])
    radius = np.hypot(fft.fftfreq(shape[0])[:, None], columns)
    index = np.rint(radius * side).astype(np.intp).ravel()
    # A half transform holds each pair of conjugates once, but for the columns that are their own.
    twice = (columns > 0) & (columns < 0.5)
    weight = np.broadcast_to(np.where(twice, 2.0, 1.0), radius.shape)
    number = side // 2
    count = np.bincount(index, weight.ravel())[1 : number + 1].astype(np.float64)
    return Rings(np.arange(1, number + 1) / side, count, index, weight)


def half_spectrum(image: Image, taper: float) -> Spectrum:
    """Transform an image without its mean, faded out towards its borders.

    Parameters
    ----------
    image
        (y, x).
    taper
        The share of each side over which a Tukey window fades, both ends together. Without it, the
        jump between opposite borders lights up a cross of all frequencies.

    Returns
    -------
    ndarray
        (y, x // 2 + 1), complex.
    """
    rows, columns = (tukey(side, taper) for side in image.shape)
    return np.asarray(fft.rfft2((image - image.mean()) * rows[:, None] * columns))
