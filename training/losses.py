"""Pixel losses: how far a restored image is from its truth.

Each takes ``(restored, target)``, tensors of shape (batch, 1, y, x) in normalised intensity, where
percentiles of the truth lie at 0 and 1, and returns a scalar. Whatever the precision of the
network, it is computed in float32.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Concatenate, ParamSpec

import torch
from torch import Tensor
from torch.nn import functional as F

from training.ssim import ms_ssim, ssim

P = ParamSpec("P")

_SSIM_WEIGHT = 0.1
_MS_SSIM_WEIGHT = 0.5
_PHASE_WEIGHT = 0.5
_FOURIER_WEIGHT = 0.1
_DISTRIBUTION_WEIGHT = 0.03
# Amplitudes that noise of a standard deviation of a thousandth has: below, a phase is rounding, and
# its gradient, one over the amplitude, without bounds.
_NO_PHASE = 1e-3
# Of the frequency distribution loss. The published 256 projections of patches at every frequency
# cost thirty times a step of a small network.
_PROJECTIONS = 32
_PATCH = 5


def _in_float32(
    loss: Callable[Concatenate[Tensor, Tensor, P], Tensor],
) -> Callable[Concatenate[Tensor, Tensor, P], Tensor]:
    """Compute a loss in float32 (float64 stays) where the network computes in less."""

    @functools.wraps(loss)
    def precise(restored: Tensor, target: Tensor, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        precision = torch.promote_types(restored.dtype, torch.float32)
        with torch.autocast(restored.device.type, enabled=False):
            return loss(restored.to(precision), target.to(precision), *args, **kwargs)

    return precise


@_in_float32
def mean_absolute_error(restored: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error.

    What CARE (Weigert et al. 2018, doi:10.1038/s41592-018-0216-7) and RCAN (Chen et al. 2021,
    doi:10.1038/s41592-021-01155-x) were trained on.
    """
    return F.l1_loss(restored, target)


@_in_float32
def squared_error_and_ssim(restored: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error + 0.1 (1 − SSIM).

    DFCAN's: Qiao et al. 2021 (doi:10.1038/s41592-020-01048-5). SSIM as in `training.ssim.ssim`.
    """
    return F.mse_loss(restored, target) + _SSIM_WEIGHT * (1 - ssim(restored, target).mean())


@_in_float32
def ms_ssim_and_absolute_error(restored: Tensor, target: Tensor) -> Tensor:
    """Return 0.5 (1 − MS-SSIM) + 0.5 times the mean absolute error.

    Zhao et al. 2017 (doi:10.1109/TCI.2016.2644865) with the equal weights of SFSRM, Chen et al.
    2023 (doi:10.1038/s41467-023-38452-2). MS-SSIM as in `training.ssim.ms_ssim`, which has fewer
    than five scales in patches below 176 pixels a side. Zhao et al. weight 0.84 to 0.16, widen the
    window instead of halving the image, and weight absolute errors by the widest window.
    """
    dissimilarity = 1 - ms_ssim(restored, target).mean()
    error = F.l1_loss(restored, target)
    return _MS_SSIM_WEIGHT * dissimilarity + (1 - _MS_SSIM_WEIGHT) * error


@_in_float32
def fourier(restored: Tensor, target: Tensor) -> Tensor:
    """Return how far amplitudes and phases of the orthonormal Fourier transforms are apart.

    Mean of ||F(x)| − |F(y)|| + 0.5 (1 − mean of cos(φ_x − φ_y)) over all frequencies. Source:
    Aetesam 2025 (CVIP), of the cascaded up- and down-sampling network. An amplitude below 10⁻³ has
    phase 0. By itself it leaves the intensities adrift; `mean_absolute_error_and_fourier` holds
    them.
    """
    x, y = _spectrum(restored), _spectrum(target)
    amplitudes = (x.abs() - y.abs()).abs()
    x, y = _with_phase(x), _with_phase(y)
    cosines = (x * y.conj()).real / (x.abs() * y.abs())
    # The half of the frequencies that a real image needs: those with a mirror image count twice.
    columns = torch.full_like(amplitudes[0, 0, 0], 2)
    columns[0] = 1
    if target.shape[-1] % 2 == 0:
        columns[-1] = 1
    weights = columns / columns.mean()
    return (weights * amplitudes).mean() + _PHASE_WEIGHT * (1 - (weights * cosines).mean())


@_in_float32
def mean_absolute_error_and_fourier(restored: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error + 0.1 `fourier`."""
    return F.l1_loss(restored, target) + _FOURIER_WEIGHT * fourier(restored, target)


def pixels(image: Tensor) -> Sequence[Tensor]:
    """Return the image itself as its only features."""
    return [image]


@_in_float32
def frequency_distribution(
    restored: Tensor,
    target: Tensor,
    features: Callable[[Tensor], Sequence[Tensor]] = pixels,
) -> Tensor:
    """Return how far the distributions of amplitudes and of phases are apart: FDL.

    For each map of features, sliced Wasserstein distances of amplitudes and of phases of its
    Fourier transform, summed: patches of 5 x 5 frequencies are projected on random directions,
    and the mean absolute difference of sorted projections is taken. Source: Ni et al. 2024
    (arXiv:2402.18192).

    Differences: 32 fixed directions and patches side by side instead of 256 and at every frequency,
    which takes less than a hundredth of the time; orthonormal transforms, of which the half is
    taken that a real image needs; an amplitude below 10⁻³ has phase 0.

    Parameters
    ----------
    restored, target
        Normalised intensity, shape (batch, 1, y, x), at least 10 pixels a side.
    features
        Maps of shape (batch, channels, y, x) of an image. The published ones are those of a network
        trained on photographs, which the caller supplies. The default are the pixels, where the
        loss hardly tells images apart whose frequencies are exchanged: no network learns from it
        alone, see `mean_absolute_error_and_frequency_distribution`.

    Returns
    -------
    Tensor
        A scalar.
    """
    distance = restored.new_zeros(())
    for of_restored, of_target in zip(features(restored), features(target), strict=True):
        x, y = _spectrum(of_restored), _spectrum(of_target)
        distance = distance + _sliced_distance(x.abs(), y.abs())
        distance = distance + _sliced_distance(_with_phase(x).angle(), _with_phase(y).angle())
    return distance


@_in_float32
def mean_absolute_error_and_frequency_distribution(restored: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error + 0.03 `frequency_distribution` of pixels."""
    distance = frequency_distribution(restored, target)
    return F.l1_loss(restored, target) + _DISTRIBUTION_WEIGHT * distance


def _sliced_distance(x: Tensor, y: Tensor) -> Tensor:
    """Return the sliced Wasserstein distance of patches, on directions that are always the same."""
    seeded = torch.Generator().manual_seed(0)
    directions = torch.randn(_PROJECTIONS, x.shape[1], _PATCH, _PATCH, generator=seeded)
    directions = (directions / directions.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()).to(x)
    projected = F.conv2d(torch.cat([x, y]), directions, stride=_PATCH).flatten(2).contiguous()
    of_x, of_y = projected.sort(dim=-1).values.chunk(2)
    return F.l1_loss(of_x, of_y)


def _spectrum(maps: Tensor) -> Tensor:
    return torch.fft.rfft2(maps, norm="ortho")


def _with_phase(spectrum: Tensor) -> Tensor:
    """Return 1 in place of amplitudes that are too small to have a phase."""
    return torch.where(spectrum.abs() > _NO_PHASE, spectrum, torch.ones_like(spectrum))


@dataclass(frozen=True)
class PixelLoss:
    """A loss that is known by its name.

    Attributes
    ----------
    title
        As it goes into the model card.
    function
        ``function(restored, target)``: a scalar, from tensors of shape (batch, 1, y, x).
    """

    title: str
    function: Callable[[Tensor, Tensor], Tensor]


LOSSES: Mapping[str, PixelLoss] = MappingProxyType(
    {
        "mae": PixelLoss("mean absolute error", mean_absolute_error),
        "mse-ssim": PixelLoss("mean squared error + 0.1 (1 − SSIM)", squared_error_and_ssim),
        "ms-ssim-l1": PixelLoss(
            "0.5 (1 − MS-SSIM) + 0.5 mean absolute error", ms_ssim_and_absolute_error
        ),
        "l1-fourier": PixelLoss(
            "mean absolute error + 0.1 error of Fourier amplitudes and phases",
            mean_absolute_error_and_fourier,
        ),
        "fdl": PixelLoss(
            "mean absolute error + 0.03 frequency distribution loss of pixels",
            mean_absolute_error_and_frequency_distribution,
        ),
    }
)
"""By the names that users give."""
