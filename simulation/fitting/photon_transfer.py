"""Photon transfer: how the variance of noise grows with the mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.fft import dctn, idct

Planes = Sequence[NDArray[np.floating]]
Floats = NDArray[np.float64]

ROUNDING_VARIANCE = 1 / 12

_BLOCK_PX = 8
_BINS = 24
_FLATTEST = 0.1  # of the blocks of one brightness: structure adds to the variance of the others

_LEAST_SLOPE = 1e-3  # counts: no detector writes fewer per photon
_LEAST_GROWTH = 0.2  # of the variance, from the darkest parts to the brightest: twice its scatter

_INDEX = np.arange(_BLOCK_PX)
_ORDER = _INDEX[:, None] + _INDEX
_HIGH = (np.minimum(_INDEX[:, None], _INDEX) >= _BLOCK_PX // 2) & (_ORDER >= _BLOCK_PX + 2)
_LOW = (_ORDER > 0) & (_ORDER <= _BLOCK_PX // 2)
_FINE = _ORDER >= _BLOCK_PX
# How much each pixel of a block counts in the mean power of fine coefficients.
_COSINES = np.asarray(idct(np.eye(_BLOCK_PX), axis=1, norm="ortho")) ** 2
_FINE_WEIGHTS = np.einsum("kl,ky,lx->yx", _FINE, _COSINES, _COSINES) / _FINE.sum()


@dataclass(frozen=True)
class Transfer:
    """Mean and variance of the noise, at several levels of brightness.

    Attributes
    ----------
    mean, variance, blocks
        (bins,) counts, counts², and how many blocks were averaged.
    slope
        Counts²/count: gain times excess noise factor.
    dark_variance
        Counts², of the line at the least of the means.
    """

    mean: Floats
    variance: Floats
    blocks: Floats
    slope: float
    dark_variance: float

    @property
    def shows_photons(self) -> bool:
        """Whether the noise grows with brightness as that of photons does."""
        grown = self.slope * np.ptp(self.mean)
        return bool(self.slope > _LEAST_SLOPE and grown > _LEAST_GROWTH * self.dark_variance)


def transfer_of_images(planes: Planes) -> Transfer:
    """Photon transfer from single images.

    The noise of a block is its variance at the highest frequencies of the cosine transform, where
    a microscope's PSF leaves little structure. Of the blocks of one brightness only those with the
    least power at low frequencies are used: the choice looks at other coefficients than the
    variance, so it does not bias it. What structure is still left grows with the brightness
    squared and is told apart by that.

    Parameters
    ----------
    planes
        (y, x) counts each.

    Returns
    -------
    Transfer
        With the slope of the linear part.
    """
    means: list[Floats] = []
    variances: list[Floats] = []
    structures: list[Floats] = []
    for plane in planes:
        blocks = _blocks(np.asarray(plane, np.float64))
        spectra = np.asarray(dctn(blocks, axes=(1, 2), norm="ortho")) ** 2
        means.append(blocks.mean((1, 2)))
        variances.append(spectra[:, _HIGH].mean(1))
        structures.append(spectra[:, _LOW].mean(1))
    return _binned(
        np.concatenate(means), np.concatenate(variances), np.concatenate(structures), _FLATTEST
    )


def transfer_of_repeats(runs: Sequence[NDArray[np.floating]]) -> Transfer:
    """Photon transfer from images of one field, each compared with the next.

    Parameters
    ----------
    runs
        (repeat, y, x) counts, at least two repeats each; one field per run.

    Returns
    -------
    Transfer
        Half the variance of differences at high frequencies.
    """
    means: list[Floats] = []
    variances: list[Floats] = []
    pairs = [pair for run in runs for pair in pairwise(run)]
    for pair in pairs:
        first, second = (_blocks(np.asarray(plane, np.float64)) for plane in pair)
        spectra = np.asarray(dctn(first - second, axes=(1, 2), norm="ortho")) ** 2
        # Fine coefficients weigh the middle of a block more than its edges: so must the mean.
        means.append(((first + second) * _FINE_WEIGHTS).sum((1, 2)) / 2)
        # What moved or bleached in between is smooth.
        variances.append(spectra[:, _FINE].mean(1) / 2)
    mean = np.concatenate(means)
    return _binned(mean, np.concatenate(variances), np.zeros_like(mean), keep=1.0)


def _blocks(plane: Floats) -> Floats:
    """(blocks, side, side), overlapping by half."""
    step = _BLOCK_PX // 2
    windows = np.lib.stride_tricks.sliding_window_view(plane, (_BLOCK_PX, _BLOCK_PX))
    return windows[::step, ::step].reshape(-1, _BLOCK_PX, _BLOCK_PX)


def _binned(mean: Floats, variance: Floats, structure: Floats, keep: float) -> Transfer:
    """Average the flattest blocks of each brightness, a share to keep, and fit the line."""
    order = np.argsort(mean)
    mean, variance, structure = mean[order], variance[order], structure[order]
    # Finer towards the bright end, where there are few blocks of each brightness.
    edges = np.unique(((1 - (1 - np.linspace(0, 1, _BINS + 1)) ** 2) * len(mean)).astype(int))
    means: list[float] = []
    variances: list[float] = []
    blocks: list[float] = []
    for begin, end in pairwise(edges):
        if end - begin < 8:
            continue
        count = max(4, int(keep * (end - begin)))
        flattest = begin + np.argsort(structure[begin:end])[:count]
        means.append(mean[flattest].mean())
        variances.append(variance[flattest].mean())
        blocks.append(float(count))
    return _with_line(np.array(means), np.array(variances), np.array(blocks))


def _with_line(mean: Floats, variance: Floats, blocks: Floats) -> Transfer:
    """Fit variance = a + slope·mean + c·mean² from the least mean on, none of them negative.

    Least squares weighted by the variance's own scatter, which is proportional to it.
    """
    above = mean - mean.min()
    terms = np.stack([np.ones_like(above), above, above**2], axis=1)
    expected = np.maximum(variance, 1e-9)
    solution = np.zeros(3)
    for _ in range(20):
        weights = np.sqrt(blocks) / expected
        solution, _ = optimize.nnls(terms * weights[:, None], variance * weights)
        expected = np.maximum(terms @ solution, 1e-9)
    return Transfer(
        mean,
        variance,
        blocks,
        slope=max(float(solution[1]), _LEAST_SLOPE),
        dark_variance=max(float(solution[0]), ROUNDING_VARIANCE),
    )
