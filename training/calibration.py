"""Calibrate a network's standard deviation on images it was not trained on.

The map from stated to calibrated standard deviation is fitted by isotonic regression of the squared
error on the stated variance (Barlow et al. 1972; for images, Angelopoulos et al. 2022 use the same
idea): it assumes only that what is stated larger is not smaller. The published fit of HazeMatching,
a line through binned errors, is measured beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.isotonic import IsotonicRegression
from torch import nn

from packages.network_contract import RestorationNetwork, StatesStd
from packages.normalise import normalise
from packages.posterior import KNOTS, Calibration
from training.data import Array, Pair

LEVELS = (0.5, 0.9, 0.95)
"""Shares of pixels that intervals are meant to cover."""

_LONGEST_PX = 512  # of an image's side; posteriors take time
_ENCE_BINS = 30
_LINEAR_BINS = 50
_SMALLEST = 1e-6  # standard deviations below are rounding


@dataclass(frozen=True)
class Errors:
    """Errors and what was stated of them, pixel by pixel.

    Attributes
    ----------
    std
        Stated standard deviation.
    error
        Restored minus true value; both of shape (n,).
    """

    std: NDArray[np.float64]
    error: NDArray[np.float64]


@torch.no_grad()
def collect_errors(network: RestorationNetwork, pairs: Sequence[Pair]) -> Errors:
    """Restore images as a user of the package will, and compare with their truth.

    Parameters
    ----------
    network
        In evaluation mode; its output's first two channels are mean and standard deviation.
    pairs
        At most the upper left 512 pixels a side of each are looked at.

    Returns
    -------
    Errors
        Of all pixels.
    """
    device = next(network.parameters()).device
    stds: list[NDArray[np.float64]] = []
    errors: list[NDArray[np.float64]] = []
    for pair in pairs:
        rows, columns = (min(side, _LONGEST_PX) for side in pair.target.shape)
        image = _filled(normalise(pair.input)[:rows, :columns], network.divisor)
        given = network(torch.from_numpy(image)[None, None].to(device)).double().cpu().numpy()
        mean, std = given[0, :2, :rows, :columns]
        stds.append(std.ravel())
        errors.append((mean - pair.target[:rows, :columns]).ravel())
    return Errors(np.concatenate(stds), np.concatenate(errors))


def calibrate(
    network: StatesStd, calibration: Sequence[Pair], validation: Sequence[Pair]
) -> dict[str, Any]:
    """Fit the network's calibration in place, and measure it on other images.

    Parameters
    ----------
    network
        Whose calibration is fitted.
    calibration
        Images to fit on.
    validation
        Images of other sources, on which before and after are compared.

    Returns
    -------
    dict
        ``interval_factors``: half-widths of intervals in standard deviations, by the share of
        pixels they are to cover, as found on the calibration images; errors are no Gaussians, so
        these are not 0.67, 1.64 and 1.96. ``before``, ``linear`` and ``after``: what `scores`
        returns on the validation images. ``images`` of both kinds.
    """
    module = network.calibration
    module.load_state_dict(Calibration().state_dict())
    seen, unseen = collect_errors(network, calibration), collect_errors(network, validation)
    knots, values = fit_isotonic(seen)
    slope, offset = fit_line(seen)
    module.load_state_dict({"knots": torch.from_numpy(knots), "values": torch.from_numpy(values)})
    factors = interval_factors(Errors(_mapped(module, seen.std), seen.error))
    line = np.maximum(slope * unseen.std + offset, _SMALLEST)
    return {
        "interval_factors": factors,
        "before": scores(unseen),
        "linear": scores(Errors(line, unseen.error)),
        "after": scores(Errors(_mapped(module, unseen.std), unseen.error), factors),
        "images": {"calibration": len(calibration), "validation": len(validation)},
    }


def fit_isotonic(errors: Errors) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit a monotone map of standard deviations.

    Parameters
    ----------
    errors
        To fit on.

    Returns
    -------
    tuple of ndarray
        Knots, strictly increasing, and calibrated values, not decreasing; shape (KNOTS,) each. Each
        knot stands for as many pixels as the next, but for the last ones, which halve them: large
        errors are few.
    """
    share = np.linspace(0, 1, KNOTS - 7)[:-1]
    tail = 1 - (1 - share[-1]) * 0.5 ** np.arange(1, 9)
    order = np.argsort(errors.std, kind="stable")
    edges = np.unique((np.r_[share, tail[:-1], 1] * len(order)).astype(int))
    variance, square = errors.std[order] ** 2, errors.error[order] ** 2
    counts = np.diff(edges)
    stated = np.sqrt(np.add.reduceat(variance, edges[:-1]) / counts)
    found = np.add.reduceat(square, edges[:-1]) / counts
    monotone = IsotonicRegression().fit_transform(stated, found, sample_weight=counts)
    knots, first = np.unique(stated.astype(np.float32), return_index=True)
    values = np.sqrt(np.asarray(monotone)[first])
    # Where pixels or values are few there are fewer bins than knots: go on in proportion.
    beyond = np.arange(1, KNOTS - len(knots) + 1)
    top = max(float(knots[-1]), _SMALLEST)
    knots = np.r_[knots, top * (1 + beyond)]
    values = np.r_[values, values[-1] * (1 + beyond)]
    return knots.astype(np.float32), np.maximum(values, _SMALLEST).astype(np.float32)


def fit_line(errors: Errors) -> tuple[float, float]:
    """Fit a line as HazeMatching's paper does: through 50 bins of equal width, unweighted.

    Parameters
    ----------
    errors
        To fit on.

    Returns
    -------
    tuple of float
        Slope and offset of root mean square error against root mean variance.
    """
    edges = np.linspace(errors.std.min(), errors.std.max(), _LINEAR_BINS + 1)
    place = np.clip(np.digitize(errors.std, edges) - 1, 0, _LINEAR_BINS - 1)
    counts = np.bincount(place, minlength=_LINEAR_BINS)
    full = counts > 0
    if full.sum() < 2:
        return 1.0, 0.0
    stated = np.sqrt(np.bincount(place, errors.std**2, _LINEAR_BINS)[full] / counts[full])
    found = np.sqrt(np.bincount(place, errors.error**2, _LINEAR_BINS)[full] / counts[full])
    slope, offset = np.polyfit(stated, found, 1)
    return float(slope), float(offset)


def interval_factors(errors: Errors) -> dict[str, float]:
    """Return how many standard deviations to either side cover a share of the pixels.

    Parameters
    ----------
    errors
        With calibrated standard deviations.

    Returns
    -------
    dict
        By share, as text: "0.5", "0.9", "0.95".
    """
    ratio = np.abs(errors.error) / np.maximum(errors.std, _SMALLEST)
    return {f"{level:g}": float(np.quantile(ratio, level)) for level in LEVELS}


def scores(errors: Errors, factors: dict[str, float] | None = None) -> dict[str, float]:
    """Measure how well stated standard deviations tell the errors.

    Parameters
    ----------
    errors
        Of images that nothing was fitted on.
    factors
        Half-widths of the intervals in standard deviations; a Gaussian's when omitted.

    Returns
    -------
    dict
        ``coverage_0.5``, ``coverage_0.9``, ``coverage_0.95``: shares of pixels inside the
        intervals; ``nll``: mean negative log-likelihood of a Gaussian; ``ence``: mean over 30
        quantile bins of |RMSE − RMV| / RMV (Levi et al. 2022); ``mean_z2``: 1 when calibrated.
    """
    std = np.maximum(errors.std, _SMALLEST)
    z2 = (errors.error / std) ** 2
    factors = factors or {f"{level:g}": float(ndtri((1 + level) / 2)) for level in LEVELS}
    order = np.array_split(np.argsort(std, kind="stable"), _ENCE_BINS)
    rmv = np.array([np.sqrt(np.mean(std[bin_] ** 2)) for bin_ in order if len(bin_)])
    rmse = np.array([np.sqrt(np.mean(errors.error[bin_] ** 2)) for bin_ in order if len(bin_)])
    return {f"coverage_{level}": float((z2 <= f**2).mean()) for level, f in factors.items()} | {
        "nll": float(np.mean(0.5 * (z2 + np.log(2 * np.pi * std**2)))),
        "ence": float(np.mean(np.abs(rmse - rmv) / rmv)),
        "mean_z2": float(z2.mean()),
    }


def _mapped(calibration: nn.Module, std: NDArray[np.float64]) -> NDArray[np.float64]:
    device = next(calibration.buffers()).device
    with torch.no_grad():
        mapped = calibration(torch.from_numpy(std).float().to(device))
    return mapped.double().cpu().numpy()


def _filled(image: Array, divisor: int) -> Array:
    """Reflect an image up to the next size that the network takes."""
    missing = [(0, -side % divisor) for side in image.shape]
    return np.pad(image, missing, mode="symmetric")
