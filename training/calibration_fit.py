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
from packages.network_contract import StatesStd
from packages.posterior import KNOTS
from training.restored import Restored

LEVELS = (0.5, 0.9, 0.95)
"""Shares of pixels that intervals are meant to cover."""


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


def errors_of(image: Restored) -> Errors:
    """Compare a restored image that has a standard deviation with its truth."""
    mean, std = image.channels.astype(np.float64)
    return Errors(std.ravel(), (mean - image.truth).ravel())


def calibrate(
    network: StatesStd, calibration: Sequence[Restored], validation: Sequence[Restored]
) -> dict[str, Any]:
    """Fit the network's calibration in place, and measure it on other images.

    Parameters
    ----------
    network
        Whose calibration is fitted.
    calibration
        Images to fit on, restored by the network before it was calibrated.
    validation
        Likewise, of other sources, on which before and after are compared.

    Returns
    -------
    dict
        ``interval_factors``: half-widths of intervals in standard deviations, by the share of
        pixels they are to cover, as found on the calibration images; errors are no Gaussians, so
        these are not 0.67, 1.64 and 1.96. ``before``, ``linear`` and ``after``: what `scores`
        returns on the validation images. ``images`` of both kinds.
    """
    module = network.calibration
    seen = pool([errors_of(image) for image in calibration])
    unseen = [errors_of(image) for image in validation]
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
