"""Motion of the sample while a microscope scans it line by line.

A parameter is a number, or a tensor of shape (batch, 1, 1) with one number per image.
"""

import math

import torch
from torch import Generator, Tensor


def line_displacement_um(
    shape: tuple[int, int],
    line_jitter_um: float | Tensor,
    breathing_um: float | Tensor,
    breathing_period_lines: float | Tensor,
    drift_um: float | Tensor,
    generator: Generator,
) -> Tensor:
    """Draw where the sample has moved to by the time each line is scanned.

    Its mean over the image is taken out, so that image and target stay registered.

    Parameters
    ----------
    shape
        Images, lines.
    line_jitter_um
        Standard deviation of each line's own displacement, along y and along x.
    breathing_um
        Amplitude of a sine of random phase and direction.
    breathing_period_lines
        Its period, in lines.
    drift_um
        Path from the first line to the last, straight, in a random direction.
    generator
        Source of randomness; the result lies on its device.

    Returns
    -------
    Tensor
        (batch, lines, 2), displacement along y and x, µm.
    """
    batch, lines = shape
    device = generator.device
    jitter = torch.randn(batch, lines, 2, generator=generator, device=device)
    angles = torch.rand(3, batch, 1, 1, generator=generator, device=device) * (2 * math.pi)
    phase, breathing_direction, drift_direction = angles
    line = torch.arange(lines, device=device).view(-1, 1)
    breathing = torch.sin(2 * math.pi * line / breathing_period_lines + phase)
    drift = line / max(lines - 1, 1)
    displacement = (
        line_jitter_um * jitter
        + breathing_um * breathing * _unit_vector(breathing_direction)
        + drift_um * drift * _unit_vector(drift_direction)
    )
    return displacement - displacement.mean(dim=1, keepdim=True)


def displace(image: Tensor, displacement_px: Tensor) -> Tensor:
    """Show the sample displaced line by line, by linear interpolation.

    Parameters
    ----------
    image
        (batch, y, x). Its border pixels continue outside.
    displacement_px
        (batch, lines, 2), along y and x, pixels of `image`; `lines` divides its rows, and each
        line moves the rows that belong to it. What lay at p is seen at p + displacement.

    Returns
    -------
    Tensor
        (batch, y, x).
    """
    batch, rows, columns = image.shape
    rows_per_line = rows // displacement_px.shape[1]
    shift = displacement_px.to(image).repeat_interleave(rows_per_line, dim=1)
    index = torch.arange(batch, device=image.device).view(-1, 1)
    start, share_below = _first_source(shift[..., 0])
    row = torch.arange(rows, device=image.device) + start
    above = image[index, row.clamp(0, rows - 1)]
    below = image[index, (row + 1).clamp(0, rows - 1)]
    moved = torch.lerp(above, below, share_below.unsqueeze(-1))
    start, share_right = _first_source(shift[..., 1:])
    column = torch.arange(columns + 1, device=image.device) + start
    moved = moved.gather(2, column.clamp(0, columns - 1))
    return torch.lerp(moved[..., :-1], moved[..., 1:], share_right)


def _first_source(shift: Tensor) -> tuple[Tensor, Tensor]:
    """Split a way back into whole pixels and the share of the pixel after them."""
    whole = (-shift).detach().floor()
    return whole.long(), -shift - whole


def _unit_vector(angle: Tensor) -> Tensor:
    return torch.cat([angle.sin(), angle.cos()], dim=-1)
