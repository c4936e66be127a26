"""The microscope's point-spread function: profiles, widths, and the kernels that blur images."""

from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simulation.diffraction import Modality, Optics, Parameter, Pupil, focused_pupil, gauss_legendre

__all__ = [
    "Modality",
    "Optics",
    "fwhm_um",
    "kernel",
    "kernel_3d",
    "numerical_aperture_for",
    "share_within",
]

_WIDTH_STEPS = 96
_RADIAL_STEPS = 256
_AXIAL_STEPS = 97


def fwhm_um(optics: Optics) -> tuple[Tensor, Tensor]:
    """Full widths at half maximum of the point-spread function.

    Parameters
    ----------
    optics
        One microscope or a batch.

    Returns
    -------
    tuple of Tensor
        Lateral and axial width, each (batch,), µm.
    """
    pupil = focused_pupil(optics, _like(optics))
    return _lateral_fwhm_um(pupil), _axial_fwhm_um(pupil)


def numerical_aperture_for(lateral_fwhm_um: float, optics: Optics) -> float:
    """Numerical aperture that gives a lateral width, all else being equal.

    Parameters
    ----------
    lateral_fwhm_um
        Full width at half maximum, µm.
    optics
        One microscope; its own numerical aperture is ignored.

    Returns
    -------
    float
        By bisection between the apertures of `reachable_fwhm_um`. With strong aberration the
        width no longer falls with the aperture: meant for depths where it does.

    Raises
    ------
    ValueError
        No numerical aperture gives this width.
    """
    narrowest, widest = reachable_fwhm_um(optics)
    if not narrowest <= lateral_fwhm_um <= widest:
        raise ValueError(
            f"No numerical aperture gives a width of {lateral_fwhm_um:g} µm: "
            f"{narrowest:.3g} to {widest:.3g} µm can be reached."
        )
    low, high = _LOWEST_APERTURE, _highest_aperture(optics)
    while high - low > 1e-5:
        middle = (low + high) / 2
        if _width_um(optics, middle) > lateral_fwhm_um:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def reachable_fwhm_um(optics: Optics) -> tuple[float, float]:
    """Narrowest and widest point-spread function that a numerical aperture can give.

    Parameters
    ----------
    optics
        One microscope; its own numerical aperture is ignored.

    Returns
    -------
    tuple of float
        Lateral full widths at half maximum, µm, at 0.98 of the lower refractive index and at 0.05.
    """
    return _width_um(optics, _highest_aperture(optics)), _width_um(optics, _LOWEST_APERTURE)


_LOWEST_APERTURE = 0.05


def _highest_aperture(optics: Optics) -> float:
    return 0.98 * float(min(optics.refractive_index, optics.tissue_refractive_index))


def _width_um(optics: Optics, aperture: float) -> float:
    changed = replace(optics, numerical_aperture=aperture)
    return float(_lateral_fwhm_um(focused_pupil(changed, torch.empty(0, dtype=torch.float64))))


def kernel(
    optics: Optics, pixel_size_um: Parameter, target_fwhm_um: float, reach_px: int
) -> Tensor:
    """Blur, in focus, that takes a target of finite resolution to what the microscope sees.

    The target's own blur is taken out by shrinking the point-spread function by
    √(1 − (target's width / its width)²), so that variances add up; exact for Gaussians.

    Parameters
    ----------
    optics
        One microscope or a batch.
    pixel_size_um
        Side of a pixel of the target, µm; one number or (batch,).
    target_fwhm_um
        Full width at half maximum of the target's own blur, µm; below that of the microscope.
    reach_px
        Pixels on each side of the centre.

    Returns
    -------
    Tensor
        (batch, 2·reach_px + 1, 2·reach_px + 1), unit sum.
    """
    like = _like(optics, pixel_size_um)
    blur = _blur(
        focused_pupil(optics, like), pixel_size_um, like.new_zeros(1), target_fwhm_um, reach_px
    )
    return blur[:, 0] / blur.sum((-2, -1))[..., None]


def kernel_3d(
    optics: Optics, pixel_size_um: float, z_um: Tensor, target_fwhm_um: float, reach_px: int
) -> Tensor:
    """Blur of the planes of a volume into the image of one of them.

    Parameters
    ----------
    optics
        One microscope, of plain numbers: the result is cached.
    pixel_size_um
        Side of a pixel of the target, µm.
    z_um
        (Z,) distances of the planes from the plane of best focus, µm.
    target_fwhm_um, reach_px
        As for `kernel`.

    Returns
    -------
    Tensor
        (Z, 2·reach_px + 1, 2·reach_px + 1), of unit sum; type and device of `z_um`. The sum of
        each plane is its share of the light, that beyond the reach included. It is shared
        between callers: do not write to it.
    """
    planes = tuple(float(z) for z in z_um.tolist())
    return _cached_kernel_3d(
        optics, pixel_size_um, planes, target_fwhm_um, reach_px, z_um.dtype, z_um.device
    )


@lru_cache(maxsize=64)
def share_within(optics: Optics, reach_um: float) -> float:
    """Share of the light in an image that comes from within a distance of the plane of focus.

    Farther away the light of a two-photon or confocal microscope falls with the square of the
    distance, as it spreads over the area of a cone and counts twice: at excitation and once more,
    or at detection. All of it is then as much as that at the distance, times the distance.

    Parameters
    ----------
    optics
        One microscope, of plain numbers.
    reach_um
        Distance, µm: some axial widths.

    Returns
    -------
    float
        0 to 1; 1 of a wide-field microscope, whose light falls nowhere, so that no share is known.
    """
    if optics.modality == "wide-field":
        return 1.0
    z_um = torch.linspace(-reach_um, reach_um, _AXIAL_STEPS, dtype=torch.float64)
    light = _light_per_plane(optics, focused_pupil(optics, z_um), z_um)
    near, far = float(torch.trapezoid(light, z_um)), float(light[0] + light[-1]) * reach_um
    return near / (near + far)


def _lateral_fwhm_um(pupil: Pupil) -> Tensor:
    r_um = pupil.spot_um * _from_0_to_1(_WIDTH_STEPS, pupil.spot_um)
    return 2 * _half_maximum(r_um, pupil.intensity(r_um, r_um.new_zeros(1, 1))[:, 0])


def _axial_fwhm_um(pupil: Pupil) -> Tensor:
    z_um = pupil.focus_um * _from_0_to_1(4 * _WIDTH_STEPS, pupil.focus_um)
    near, far = pupil.on_axis(-z_um), pupil.on_axis(z_um)
    return _half_maximum(z_um, near / near[:, :1]) + _half_maximum(z_um, far / far[:, :1])


def _from_0_to_1(steps: int, like: Tensor) -> Tensor:
    return torch.linspace(0, 1, steps, dtype=like.dtype, device=like.device)


def _half_maximum(position: Tensor, value: Tensor) -> Tensor:
    """(batch,) where a curve (batch, K), 1 at its start, first falls to a half; inf if nowhere."""
    fallen = value < 0.5
    after = fallen.int().argmax(1, keepdim=True).clamp(min=1)
    high, low = value.gather(1, after - 1), value.gather(1, after)
    start, end = position.gather(1, after - 1), position.gather(1, after)
    crossing = start + (end - start) * (high - 0.5) / (high - low)
    return torch.where(fallen.any(1), crossing[:, 0], torch.inf)


def _blur(
    pupil: Pupil, pixel_size_um: Parameter, z_um: Tensor, target_fwhm_um: float, reach_px: int
) -> Tensor:
    """(batch, Z, y, x) intensity on the target's pixels, shrunk by the target's own width."""
    shrinking = (1 - (target_fwhm_um / _lateral_fwhm_um(pupil)[:, None]) ** 2).sqrt()
    pixel_um = torch.as_tensor(pixel_size_um, dtype=z_um.dtype, device=z_um.device).reshape(-1, 1)
    distances_px, indices, weights = _radial_interpolation(reach_px)
    distances = torch.as_tensor(distances_px, dtype=z_um.dtype, device=z_um.device)
    r_um = pixel_um / shrinking * distances
    profile = pupil.intensity(r_um, z_um[None])
    nearest = profile[..., torch.as_tensor(indices, device=z_um.device)]
    return (nearest * torch.as_tensor(weights, dtype=z_um.dtype, device=z_um.device)).sum(-1)


@cache
def _radial_interpolation(
    reach_px: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Distances (R,) to sample, and for each pixel (y, x, 4) which to mix, and how much of each.

    Cubic through the four nearest of samples half a pixel apart. The curve is even in the
    distance, which gives the sample before the first.
    """
    offsets = np.arange(-reach_px, reach_px + 1)
    position = 2 * np.hypot(offsets[:, None], offsets)
    before = np.floor(position).astype(np.int64)
    t = position - before
    weights = np.stack(
        (
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ),
        axis=-1,
    )
    indices = np.abs(before[..., None] + np.arange(-1, 3))
    return np.arange(indices.max() + 1) / 2, indices, weights


@lru_cache(maxsize=64)
def _cached_kernel_3d(
    optics: Optics,
    pixel_size_um: float,
    planes_um: tuple[float, ...],
    target_fwhm_um: float,
    reach_px: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    z_um = torch.tensor(planes_um, dtype=dtype, device=device)
    pupil = focused_pupil(optics, z_um)
    blur = _blur(pupil, pixel_size_um, z_um, target_fwhm_um, reach_px)[0]
    light = _light_per_plane(optics, pupil, z_um)
    shares = light / light.sum()
    return blur / blur.sum((-2, -1), keepdim=True) * shares[:, None, None]


def _light_per_plane(optics: Optics, pupil: Pupil, z_um: Tensor) -> Tensor:
    """(Z,) integral of the intensity over each plane, in any unit."""
    if optics.modality == "wide-field":  # Waves only change their phases from plane to plane.
        return torch.ones_like(z_um)
    nodes, weights = gauss_legendre(_RADIAL_STEPS, z_um)
    # Well outside the geometric cone.
    slope = (pupil.sine / pupil.cosine).max()
    r_um = (2 * pupil.spot_um + slope * z_um.abs().max()) * nodes
    return (pupil.intensity(r_um, z_um[None]) * r_um * weights).sum(-1)[0]


def _like(optics: Optics, *others: Parameter) -> Tensor:
    """Find a tensor among the values, whose type and device the others take; none is the CPU's."""
    values = (*vars(optics).values(), *others)
    tensors = (value for value in values if isinstance(value, Tensor))
    return next(tensors, torch.empty(0, device="cpu"))
