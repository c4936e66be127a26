"""From fluorescence on the target's grid to what falls on the microscope's own pixels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))
_REACH_SIGMAS = 4.5


def blur_fwhm_um(psf_fwhm_um: float, target_fwhm_um: float) -> float:
    """Width of the blur that a target still lacks, as variances of Gaussians add.

    Parameters
    ----------
    psf_fwhm_um, target_fwhm_um
        Full widths at half maximum of the microscope's PSF and of the target's own, µm.

    Returns
    -------
    float
        √(psf² − target²), µm.
    """
    return math.sqrt(psf_fwhm_um**2 - target_fwhm_um**2)


def reach_px(fwhm_px: float) -> int:
    """Pixels beyond which a Gaussian blur is cut off: the context that `blur` needs.

    Parameters
    ----------
    fwhm_px
        Full width at half maximum, pixels.

    Returns
    -------
    int
        Pixels on each side.
    """
    return math.ceil(_REACH_SIGMAS * fwhm_px / FWHM_PER_SIGMA)


def blur(image: Tensor, fwhm_px: float) -> Tensor:
    """Blur with a Gaussian of unit sum.

    Parameters
    ----------
    image
        (..., y, x), floating point. Darkness is assumed outside.
    fwhm_px
        Full width at half maximum, pixels; exact from 2 upwards, where sampling resolves it.

    Returns
    -------
    Tensor
        (..., y, x), same type. The sum is conserved but for what is blurred out of the image.
    """
    reach = reach_px(fwhm_px)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-((offsets * FWHM_PER_SIGMA / fwhm_px) ** 2) / 2)
    kernel = (kernel / kernel.sum()).to(image)
    stack = image.reshape(-1, 1, *image.shape[-2:])
    stack = F.conv2d(stack, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    stack = F.conv2d(stack, kernel.view(1, 1, 1, -1), padding=(0, reach))
    return stack.reshape(image.shape)


def sample(image: Tensor, sampling: int) -> Tensor:
    """Average over the area of coarser pixels.

    Parameters
    ----------
    image
        (..., y, x), sides divisible by `sampling`.
    sampling
        Target pixels along the side of one native pixel.

    Returns
    -------
    Tensor
        (..., y / sampling, x / sampling).
    """
    stack = image.reshape(-1, 1, *image.shape[-2:])
    stack = F.avg_pool2d(stack, sampling)
    return stack.reshape(*image.shape[:-2], *stack.shape[-2:])
