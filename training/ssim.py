"""Structural similarity that a network can be trained on: SSIM and its form over several scales.

Images are in normalised intensity, where percentiles of the truth lie at 0 and 1: the data range is
1, although the brightest pixels lie above.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

# Wang et al. 2004: an 11 x 11 Gaussian of σ = 1.5 px; K1 and K2 keep the ratios finite.
_SIGMA = 1.5
_RADIUS = 5
_C1, _C2 = 0.01**2, 0.03**2
# Wang, Simoncelli and Bovik 2003, from the finest scale to the coarsest.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# A fractional power has an infinite slope at 0, and none below: from here on a scale counts as
# dissimilar, and passes no gradient.
_LEAST = 1e-4


def ssim(restored: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of each image.

    Mean of (2μ_x μ_y + C₁)(2σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂)) over all Gaussian
    windows of 11 x 11 pixels, σ = 1.5, that lie inside, population covariance, C₁ = 0.01²,
    C₂ = 0.03². Source: Wang et al. 2004 (doi:10.1109/TIP.2003.819861).

    Parameters
    ----------
    restored, target
        Normalised intensity, shape (batch, 1, y, x), at least 11 pixels a side.

    Returns
    -------
    Tensor
        −1 to 1, shape (batch,).
    """
    luminance, contrast_structure = _factors(restored, target)
    return (luminance * contrast_structure).mean(dim=(1, 2, 3))


def ms_ssim(restored: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of each image over up to five scales.

    Π_j ⟨cs_j⟩^w_j · ⟨l_n⋅cs_n⟩^w_n, with l and cs the luminance and the contrast-structure factors
    of `ssim`, each scale the 2 x 2 mean of the one before. Source: Wang, Simoncelli and Bovik 2003
    (doi:10.1109/ACSSC.2003.1292216), whose weights w are used. Five scales need 176 pixels a side;
    smaller patches have as many of the finest as leave the window its 11 pixels (four from 88,
    three from 44, two from 22), with their weights divided by their sum. An odd side loses its last
    line at the next scale. A mean below 10⁻⁴, as of contrary structures, counts as 10⁻⁴.

    Parameters
    ----------
    restored, target
        Normalised intensity, shape (batch, 1, y, x), at least 11 pixels a side.

    Returns
    -------
    Tensor
        0 to 1, shape (batch,).
    """
    weights = _SCALE_WEIGHTS[: _scales(min(target.shape[-2:]))]
    product = torch.ones_like(target[:, 0, 0, 0])
    for weight in weights[:-1]:
        _, contrast_structure = _factors(restored, target)
        means = contrast_structure.mean(dim=(1, 2, 3))
        product = product * means.clamp(min=_LEAST) ** (weight / sum(weights))
        restored, target = F.avg_pool2d(restored, 2), F.avg_pool2d(target, 2)
    last = ssim(restored, target).clamp(min=_LEAST)
    return product * last ** (weights[-1] / sum(weights))


def _scales(side: int) -> int:
    """Return how many scales an image of so many pixels has."""
    window = 2 * _RADIUS + 1
    fitting = [n for n in range(1, len(_SCALE_WEIGHTS)) if side // 2**n >= window]
    return 1 + len(fitting)


def _factors(restored: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return luminance and contrast-structure, each of shape (batch, 1, y − 10, x − 10)."""
    # The variances are needed in their sum alone, so four moments do.
    power = restored.square() + target.square()
    moments = torch.cat([restored, target, power, restored * target], dim=1)
    mean_x, mean_y, power, product = _window(moments).split(1, dim=1)
    squares, both = mean_x.square() + mean_y.square(), mean_x * mean_y
    luminance = (2 * both + _C1) / (squares + _C1)
    # Of a bright constant the difference is rounding, and may be negative.
    variances = (power - squares).clamp(min=0)
    return luminance, (2 * (product - both) + _C2) / (variances + _C2)


def _window(images: Tensor) -> Tensor:
    """Take Gaussian means along y, then x: channel by channel, last in memory, which is fastest."""
    channels = images.shape[1]
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=images.dtype, device=images.device)
    weights = torch.softmax(-offsets.square() / (2 * _SIGMA**2), dim=0)
    kernel = weights.repeat(channels, 1, 1, 1)
    images = images.contiguous(memory_format=torch.channels_last)
    return F.conv2d(F.conv2d(images, kernel.mT, groups=channels), kernel, groups=channels)
