"""From fluorescence on the target's grid to what falls on the microscope's own pixels."""

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor


def focus(fluorescence: Tensor, kernel: Tensor, *, periodic: bool = False) -> Tensor:
    """Convolve with a PSF; the planes of a volume add up to one image.

    Parameters
    ----------
    fluorescence
        (batch, y, x) or (batch, z, y, x), floating point.
    kernel
        (batch or 1, K, K) or (z, K, K), K odd.
    periodic
        Let the light that leaves an image enter at the other side: faster, and the same where a
        margin is cut off. Otherwise darkness is assumed outside.

    Returns
    -------
    Tensor
        (batch, y, x), same type. Light is conserved but for what leaves the image for good.
    """
    rows, columns = fluorescence.shape[-2:]
    reach = kernel.shape[-1] // 2
    if periodic:
        shape = [rows, columns]
    else:
        shape = [next_fast_len(side + 2 * reach, real=True) for side in (rows, columns)]
    spectrum = torch.fft.rfft2(fluorescence, s=shape) * torch.fft.rfft2(kernel, s=shape)
    if fluorescence.ndim == 4:
        spectrum = spectrum.sum(1)
    image = torch.fft.irfft2(spectrum, s=shape)
    if periodic:
        return image.roll((-reach, -reach), (-2, -1))
    return image[..., reach : reach + rows, reach : reach + columns]


def sample(image: Tensor, sampling: int) -> Tensor:
    """Average over the area of coarser pixels.

    Parameters
    ----------
    image
        (batch, y, x), sides divisible by `sampling`.
    sampling
        Target pixels along the side of one native pixel.

    Returns
    -------
    Tensor
        (batch, y / sampling, x / sampling).
    """
    return F.avg_pool2d(image[:, None], sampling)[:, 0]
