"""What the sample does to the light: labels, background, and what dims it on the way.

Images are (batch, y, x) float tensors; a parameter is a number, or a tensor of shape (batch, 1, 1)
with one number per image. All randomness comes from a generator on the tensors' device.
"""

import math

import torch
from torch import Generator, Tensor

_WAVES = 32
_MOST_LABELS = 1e8  # per µm²: their noise is too small to be seen


def labelled(
    brightness: Tensor,
    labels_per_um2: float | Tensor,
    pixel_size_um: float,
    generator: Generator,
    *,
    normal: bool = False,
) -> Tensor:
    """Make the structure out of a finite number of fluorophores (Poisson).

    Parameters
    ----------
    brightness
        (batch, y, x): 0 is background, 1 bright structure; not negative.
    labels_per_um2
        Fluorophores per µm² of brightness 1; above 0, infinity included.
    pixel_size_um
        Side of a pixel, µm.
    generator
        Source of randomness.
    normal
        Draw from normal distributions instead, which is several times faster. Single pixels may
        fall below 0, but after a blur over many of them the two are alike.

    Returns
    -------
    Tensor
        Same shape; mean `brightness`, variance brightness / fluorophores per pixel.
    """
    labels = torch.as_tensor(labels_per_um2, dtype=brightness.dtype, device=brightness.device)
    labels_per_pixel = labels.clamp(max=_MOST_LABELS) * pixel_size_um**2
    if normal:
        noise = torch.empty_like(brightness).normal_(generator=generator)
        return brightness + noise * (brightness / labels_per_pixel).sqrt()
    return torch.poisson(brightness * labels_per_pixel, generator=generator) / labels_per_pixel


def smooth_field(
    shape: tuple[int, int, int], correlation_px: float | Tensor, generator: Generator
) -> Tensor:
    """Draw a smooth random field, the same everywhere in its statistics.

    The field is a sum of plane waves of random phase whose wave vectors are normal with standard
    deviation 1/L, which gives the covariance exp(−d²/(2L²)) at distance d exactly (random Fourier
    features, Rahimi and Recht 2007). The waves are products of functions of y and of x, so that
    the sum is a matrix product.

    Parameters
    ----------
    shape
        Images, rows, columns.
    correlation_px
        L, pixels.
    generator
        Source of randomness; the field lies on its device.

    Returns
    -------
    Tensor
        `shape`; mean 0 and standard deviation 1 over draws, nearly normal.
    """
    waves_px, phase = _waves(shape[0], 2, correlation_px, generator)
    return _sum_of_waves(shape, waves_px, phase)


def smooth_stack(
    shape: tuple[int, int, int],
    z_step_px: float,
    correlation_px: float | Tensor,
    generator: Generator,
) -> Tensor:
    """Draw a smooth random field in the planes of a stack, as `smooth_field` in one.

    Parameters
    ----------
    shape
        Planes, rows, columns.
    z_step_px
        Distance of the planes, in sides of a pixel.
    correlation_px, generator
        See `smooth_field`.

    Returns
    -------
    Tensor
        `shape`; the covariance falls with the distance along z as it does in the plane.
    """
    waves_px, phase = _waves(1, 3, correlation_px, generator)
    z = torch.arange(shape[0], device=phase.device).view(-1, 1, 1) * z_step_px
    return _sum_of_waves(shape, waves_px[:, 1:], phase + z * waves_px[:, :1])


def _waves(
    batch: int, axes: int, correlation_px: float | Tensor, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Draw wave vectors (batch, axes, waves), 1/pixels, and phases (batch, 1, waves)."""
    device = generator.device
    waves_px = torch.randn(batch, axes, _WAVES, generator=generator, device=device) / correlation_px
    phase = torch.rand(batch, 1, _WAVES, generator=generator, device=device) * (2 * math.pi)
    return waves_px, phase


def _sum_of_waves(shape: tuple[int, int, int], waves_px: Tensor, phase: Tensor) -> Tensor:
    """Add up waves (batch or 1, 2, waves) of some phases (batch, 1, waves): (batch, y, x)."""
    _, rows, columns = shape
    device = phase.device
    y = torch.arange(rows, device=device).view(-1, 1) * waves_px[:, :1] + phase
    x = torch.arange(columns, device=device).view(-1, 1) * waves_px[:, 1:]
    # cos(y + x) = cos y cos x − sin y sin x, summed over the waves.
    of_y = torch.cat([y.cos(), -y.sin()], dim=-1)
    of_x = torch.cat([x.cos(), x.sin()], dim=-1)
    return math.sqrt(2 / _WAVES) * (of_y @ of_x.mT)


def background(
    shape: tuple[int, int, int],
    mean_photons: float | Tensor,
    variation: float | Tensor,
    correlation_px: float | Tensor,
    generator: Generator,
    *,
    z_step_px: float | None = None,
) -> Tensor:
    """Draw autofluorescence and out-of-focus light: smooth, positive, log-normal.

    Parameters
    ----------
    shape
        Images, rows, columns.
    mean_photons
        Mean number of photons per pixel, over draws.
    variation
        Standard deviation of its logarithm; 0 is even light.
    correlation_px
        Length over which it varies, pixels (`smooth_field`).
    generator
        Source of randomness; the result lies on its device.
    z_step_px
        Distance of the images in sides of a pixel, where they are the planes of a stack; without
        it they know nothing of each other.

    Returns
    -------
    Tensor
        `shape`, photons per pixel.
    """
    field = (
        smooth_field(shape, correlation_px, generator)
        if z_step_px is None
        else smooth_stack(shape, z_step_px, correlation_px, generator)
    )
    logarithm = variation * field
    # The mean of exp(n) is exp(variance / 2) for a normal n.
    return torch.exp(logarithm - variation**2 / 2) * mean_photons


def vignetted(image: Tensor, corner_loss: float | Tensor, centre: Tensor) -> Tensor:
    """Darken towards the corners, as cos⁴ of the angle at which light leaves the field.

    Parameters
    ----------
    image
        (batch, y, x).
    corner_loss
        Share of the light lost at the corners of an image whose centre is the brightest; below 1.
    centre
        (batch, 2), y and x of the brightest point: 0 is the middle of the image, ±1 its borders.

    Returns
    -------
    Tensor
        Same shape.
    """
    rows, columns = image.shape[-2:]
    y = torch.linspace(-1, 1, rows, dtype=image.dtype, device=image.device).view(-1, 1)
    x = torch.linspace(-1, 1, columns, dtype=image.dtype, device=image.device)
    centre_y, centre_x = centre[:, :, None, None].unbind(1)
    relative_area = ((y - centre_y) ** 2 + (x - centre_x) ** 2) / 2
    # cos⁴θ = (1 + tan²θ)⁻², and tan²θ grows with the distance squared.
    tan2_at_corner = (1 - corner_loss) ** -0.5 - 1
    return image / (1 + tan2_at_corner * relative_area) ** 2


def attenuation(depth_um: float | Tensor, scattering_length_um: float | Tensor) -> Tensor:
    """Share of the two-photon signal left at a depth: both photons must arrive unscattered.

    Parameters
    ----------
    depth_um
        Depth below the surface, µm.
    scattering_length_um
        Scattering length of the excitation light, µm.

    Returns
    -------
    Tensor
        exp(−2 depth / scattering length), of the parameters' common shape.
    """
    exponent = -2 * depth_um / scattering_length_um
    return (exponent if isinstance(exponent, Tensor) else torch.tensor(exponent)).exp()
