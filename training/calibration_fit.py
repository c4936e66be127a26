"""Calibrate a network's standard deviation on images it was not trained on.

The map from predicted to calibrated standard deviation is fitted by isotonic regression of the
squared error on the predicted variance (Barlow et al. 1972; for images, Angelopoulos et al. 2022
use the same idea): it assumes only that errors do not shrink as it grows. The published fit of
HazeMatching, a line through binned errors, is measured beside it. Fits are of the pixels of all
images together; scores are means over images, as the benchmark's are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from imaging.calibration import (
    coverage,
    ence,
    fit_isotonic,
    fit_line,
    gaussian_factor,
    gaussian_nll,
    interval_factor,
    mean_z_squared,
    standardise,
)
from packages.network_contract import RestorationNetwork, StatesStd
from packages.posterior import KNOTS, Calibration
from training.data import Array, Pair

LEVELS = (0.5, 0.9, 0.95)
"""Shares of pixels that intervals are meant to cover."""

_LONGEST_PX = 512  # of an image's side; posteriors take time


@dataclass(frozen=True)
class Errors:
    """Errors and their predicted standard deviation, pixel by pixel.

    Attributes
    ----------
    std
        Predicted standard deviation.
    error
        Restored minus true value; both of shape (n,).
    """

    std: NDArray[np.float64]
    error: NDArray[np.float64]


@torch.no_grad()
def collect_errors(network: RestorationNetwork, pairs: Sequence[Pair]) -> list[Errors]:
    """Restore images as a user of the package will, and compare with their truth.

    Parameters
    ----------
    network
        In evaluation mode; its output's first two channels are mean and standard deviation.
    pairs
        At most the upper left 512 pixels a side of each are looked at.

    Returns
    -------
    list of Errors
        One of each image.
    """
    device = next(network.parameters()).device
    found: list[Errors] = []
    for pair in pairs:
        rows, columns = (min(side, _LONGEST_PX) for side in pair.target.shape)
        image = _filled(pair.normalised_input[:rows, :columns], network.divisor)
        given = network(torch.from_numpy(image)[None, None].to(device)).double().cpu().numpy()
        mean, std = given[0, :2, :rows, :columns]
        error = mean - pair.target[:rows, :columns]
        found.append(Errors(std.flatten(), error.flatten()))
    return found


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
    seen, unseen = pool(collect_errors(network, calibration)), collect_errors(network, validation)
    knots, values = fit_isotonic(seen.error, seen.std, KNOTS)
    slope, offset = fit_line(seen.error, seen.std)
    module.load_state_dict({"knots": torch.from_numpy(knots), "values": torch.from_numpy(values)})
    factors = interval_factors(Errors(_mapped(module, seen.std), seen.error))
    line = [Errors(slope * of.std + offset, of.error) for of in unseen]
    mapped = [Errors(_mapped(module, of.std), of.error) for of in unseen]
    return {
        "interval_factors": factors,
        "before": scores(unseen),
        "linear": scores(line),
        "after": scores(mapped, factors),
        "images": {"calibration": len(calibration), "validation": len(validation)},
    }


def pool(images: Sequence[Errors]) -> Errors:
    """Return the pixels of several images together, to fit on."""
    return Errors(
        np.concatenate([image.std for image in images]),
        np.concatenate([image.error for image in images]),
    )


def interval_factors(errors: Errors) -> dict[str, float]:
    """Return how many calibrated standard deviations to either side cover a share of the pixels.

    By share, as text: "0.5", "0.9", "0.95".
    """
    z, _ = standardise(errors.error, errors.std)
    return {f"{level:g}": interval_factor(z, level) for level in LEVELS}


def scores(images: Sequence[Errors], factors: dict[str, float] | None = None) -> dict[str, float]:
    """Measure how well predicted standard deviations tell the errors, as the benchmark does.

    Parameters
    ----------
    images
        Errors of images that nothing was fitted on.
    factors
        Half-widths of the intervals in standard deviations; a Gaussian's when omitted.

    Returns
    -------
    dict
        Means over images of: ``coverage_0.5``, ``coverage_0.9``, ``coverage_0.95``, shares of
        pixels inside the intervals; ``nll``, negative log-likelihood of a Gaussian; ``ence``,
        expected normalised calibration error; ``mean_z2``, 1 when calibrated.
    """
    factors = factors or {f"{level:g}": gaussian_factor(level) for level in LEVELS}
    of_images = [_scores(image, factors) for image in images]
    return {name: float(np.mean([of[name] for of in of_images])) for name in of_images[0]}


def _scores(image: Errors, factors: dict[str, float]) -> dict[str, float]:
    z, sigma = standardise(image.error, image.std)
    return {f"coverage_{level}": coverage(z, factor) for level, factor in factors.items()} | {
        "nll": gaussian_nll(z, sigma),
        "ence": ence(z, sigma),
        "mean_z2": mean_z_squared(z),
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
