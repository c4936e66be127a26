"""Radiality of a single frame: where an image has ridges and spots.

It is the spatial half of SRRF (Gustafsson et al., Nature Communications 2016,
https://doi.org/10.1038/ncomms12471). Around a pixel lies a ring of points. At each, the line along
the gradient passes the pixel at a distance d ≤ r, r being the ring's radius. Where all lines pass
close, and all gradients point inwards, the pixel is the middle of something: radiality is the mean
of ±(1 - d / r)² over the ring, positive where the gradient points to the pixel's side of its point.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RING_POINTS = 12
RING_RADIUS_PX = 0.5
"""Both as in SRRF."""
FLAT = 1e-3
"""Gradient of a normalised image, per pixel, below which it says nothing. A gradient has a
direction however small it is, and rounding alone would decide what a black area shows."""
_REACH = 3  # pixels that a gradient on the ring depends on


class Radiality(nn.Module):
    """Radiality of each pixel, negative values (valleys) set to 0.

    A gradient on the ring is one of central differences, interpolated by Catmull-Rom splines: a
    convolution with a kernel of its own for each point.
    """

    def __init__(self) -> None:
        super().__init__()
        kernels: list[Tensor] = []
        inwards: list[tuple[float, float]] = []
        for i in range(RING_POINTS):
            angle = 2 * math.pi * i / RING_POINTS
            y, x = RING_RADIUS_PX * math.sin(angle), RING_RADIUS_PX * math.cos(angle)
            kernels.append(torch.outer(_slope(y), _value(x)))
            kernels.append(torch.outer(_value(y), _slope(x)))
            inwards.append((-y, -x))
        self.register_buffer("kernels", torch.stack(kernels)[:, None].float(), persistent=False)
        self.register_buffer("inwards", torch.tensor(inwards).T[..., None, None], persistent=False)
        self.kernels: Tensor
        self.inwards: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Return the radiality.

        Parameters
        ----------
        image
            Normalised, shape (batch, 1, y, x).

        Returns
        -------
        Tensor
            Between 0 and 1, of the same shape.
        """
        padded = F.pad(image, (_REACH, _REACH, _REACH, _REACH), mode="replicate")
        gradients = F.conv2d(padded, self.kernels)
        along_y, along_x = gradients[:, 0::2], gradients[:, 1::2]
        to_y, to_x = self.inwards
        squared = along_y.square() + along_x.square()
        length = (squared + torch.finfo(torch.float32).tiny).sqrt()
        passing = (along_y * to_x - along_x * to_y).abs() / length
        approaching = torch.sign(along_y * to_y + along_x * to_x)
        seen = squared / (squared + FLAT**2)
        close = (1 - passing / RING_RADIUS_PX).square()
        return (seen * approaching * close).mean(dim=1, keepdim=True).relu()


def _value(at: float) -> Tensor:
    """Return the weights of 7 pixels, the fourth at 0, in the value at a place on their line."""
    distance = (torch.arange(-_REACH, _REACH + 1, dtype=torch.float64) - at).abs()
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))


def _slope(at: float) -> Tensor:
    """Return the same for the slope there, of central differences."""
    value = _value(at)
    slope = torch.zeros_like(value)
    slope[1:] += value[:-1] / 2
    slope[:-1] -= value[1:] / 2
    return slope
