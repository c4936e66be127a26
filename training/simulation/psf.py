"""The microscope's point-spread function, by vectorial diffraction (Richards and Wolf 1959).

The focal field of an aplanatic objective is a sum of plane waves over the cone that it accepts,
which leaves three integrals over the cone's angle (Proc. R. Soc. A 253, 358). Averaged over the
azimuth, or for circular polarisation, the intensity is |I₀|² + 2|I₁|² + |I₂|². By reciprocity, a
freely turning fluorophore imaged on a camera has the same intensity. Fresnel losses at the
tissue's surface are neglected.
"""

import math
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

Modality: TypeAlias = Literal["two-photon", "confocal", "wide-field"]
Parameter: TypeAlias = float | Tensor

# Gauss-Legendre nodes over the cone: exact for phases of up to about 100 rad from centre to rim.
_NODES = 64
_FOCUS_STEPS = 33
_WIDTH_STEPS = 96


@dataclass(frozen=True)
class Optics:
    """What shapes a point-spread function. Every number may be a tensor of shape (batch,).

    Attributes
    ----------
    modality
        "two-photon": square of the excitation intensity. "wide-field": image of a fluorophore.
        "confocal": excitation times detection through a small pinhole, both at one wavelength.
    numerical_aperture
        Of the objective; below both refractive indices.
    wavelength_um
        In vacuum: of excitation for two-photon, of emission for wide-field, µm.
    refractive_index
        Of the immersion.
    aperture_filling
        Radius at which the laser beam's intensity falls to 1/e², over the radius of the
        objective's back aperture; `math.inf` is uniform. Without effect on detection.
    tissue_refractive_index, depth_um
        Of the tissue between objective and focus; where it differs from the immersion,
        spherical aberration grows with the depth.

    Raises
    ------
    ValueError
        The numerical aperture reaches a refractive index.
    """

    modality: Modality
    numerical_aperture: Parameter
    wavelength_um: Parameter
    refractive_index: Parameter = 1.33
    aperture_filling: Parameter = math.inf
    tissue_refractive_index: Parameter = 1.33
    depth_um: Parameter = 0.0

    def __post_init__(self) -> None:
        aperture = torch.as_tensor(self.numerical_aperture)
        for index in (self.refractive_index, self.tissue_refractive_index):
            if bool((aperture >= torch.as_tensor(index)).any()):
                raise ValueError("The numerical aperture must be below both refractive indices.")


def intensity(optics: Optics, r_um: Tensor, z_um: Tensor) -> Tensor:
    """Point-spread function around its best focus.

    Parameters
    ----------
    optics
        One microscope or a batch.
    r_um
        (R,) distances from the optical axis, µm.
    z_um
        (Z,) distances from the plane of best focus, away from the objective, µm.

    Returns
    -------
    Tensor
        (batch, Z, R), 1 on the axis in best focus; type and device of `r_um`.
    """
    return _pupil(optics, r_um).intensity(r_um[None], z_um[None])


def lateral_profile(optics: Optics, r_um: Tensor) -> Tensor:
    """Point-spread function in the plane of best focus.

    Parameters
    ----------
    optics
        One microscope or a batch.
    r_um
        (R,) distances from the optical axis, µm.

    Returns
    -------
    Tensor
        (batch, R), 1 on the axis; type and device of `r_um`.
    """
    return intensity(optics, r_um, r_um.new_zeros(1))[:, 0]


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
    pupil = _pupil(optics, _like(optics))
    return pupil.lateral_fwhm_um(), pupil.axial_fwhm_um()


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
        By bisection between 0.05 and 0.98 of the lower refractive index.

    Raises
    ------
    ValueError
        No numerical aperture gives this width.
    """

    def width_um(aperture: float) -> float:
        aperture_tensor = torch.tensor([aperture], dtype=torch.float64)
        return float(fwhm_um(replace(optics, numerical_aperture=aperture_tensor))[0])

    low = 0.05
    high = 0.98 * float(min(optics.refractive_index, optics.tissue_refractive_index))
    widest, narrowest = width_um(low), width_um(high)
    if not narrowest <= lateral_fwhm_um <= widest:
        raise ValueError(
            f"No numerical aperture gives a width of {lateral_fwhm_um:g} µm: "
            f"{narrowest:.3g} to {widest:.3g} µm can be reached."
        )
    while high - low > 1e-5:
        middle = (low + high) / 2
        if width_um(middle) > lateral_fwhm_um:
            low = middle
        else:
            high = middle
    return (low + high) / 2


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
    blur = _blur(_pupil(optics, like), pixel_size_um, like.new_zeros(1), target_fwhm_um, reach_px)
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


@dataclass(frozen=True)
class _Pupil:
    """The cone of plane waves, on Gauss-Legendre nodes of its angle, focused best.

    Attributes
    ----------
    photons, amplitude
        The point-spread function is the product of the intensities of the beams in `amplitude`
        (beams, batch, node), to the power of `photons`.
    lateral, axial, phase
        Wavenumbers in the tissue, 1/µm, and aberration, rad; (batch, node).
    sine, cosine
        Of the angle to the axis in the tissue; (batch, node).
    spot_um, focus_um
        Generous bounds of half the lateral and half the axial width; (batch, 1).
    """

    photons: int
    amplitude: Tensor
    lateral: Tensor
    axial: Tensor
    phase: Tensor
    sine: Tensor
    cosine: Tensor
    spot_um: Tensor
    focus_um: Tensor

    def waves(self, z_um: Tensor) -> Tensor:
        """(beams, batch, node, Z) complex amplitudes at distances (batch, Z)."""
        phase = self.phase[..., None] + self.axial[..., None] * z_um[:, None]
        return self.amplitude[..., None] * torch.exp(1j * phase)

    def on_axis(self, z_um: Tensor) -> Tensor:
        """(batch, Z) intensity on the axis, in any unit."""
        field = (self.waves(z_um) * (1 + self.cosine)[..., None]).sum(-2)
        return (field.abs() ** 2).prod(0) ** self.photons

    def intensity(self, r_um: Tensor, z_um: Tensor) -> Tensor:
        """(batch, Z, R) intensity at (batch, R) and (batch, Z), 1 in focus on the axis."""
        j0, j1, j2 = _bessel(r_um[..., None] * self.lateral[:, None])
        waves = self.waves(z_um)

        def integral(factor: Tensor, bessel: Tensor) -> Tensor:
            field = bessel.to(waves.dtype) @ (waves * factor[..., None])
            return field.real**2 + field.imag**2

        beams = (
            integral(1 + self.cosine, j0)
            + 2 * integral(self.sine, j1)
            + integral(1 - self.cosine, j2)
        )
        peak = self.on_axis(z_um.new_zeros(1, 1))
        return (beams.prod(0) ** self.photons).mT / peak[..., None]

    def lateral_fwhm_um(self) -> Tensor:
        r_um = self.spot_um * torch.linspace(0, 1, _WIDTH_STEPS).to(self.spot_um)
        return 2 * _half_maximum(r_um, self.intensity(r_um, r_um.new_zeros(1, 1))[:, 0])

    def axial_fwhm_um(self) -> Tensor:
        z_um = self.focus_um * torch.linspace(0, 1, 4 * _WIDTH_STEPS).to(self.focus_um)
        peak = self.on_axis(z_um.new_zeros(1, 1))
        return sum(
            (_half_maximum(z_um, self.on_axis(side * z_um) / peak) for side in (-1, 1)),
            start=z_um.new_zeros(1),
        )


def _pupil(optics: Optics, like: Tensor) -> _Pupil:
    def column(value: Parameter) -> Tensor:
        return torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(-1, 1)

    aperture, vacuum_um = column(optics.numerical_aperture), column(optics.wavelength_um)
    immersion, tissue = column(optics.refractive_index), column(optics.tissue_refractive_index)
    filling, depth_um = column(optics.aperture_filling), column(optics.depth_um)
    nodes, weights = (part.to(like) for part in _gauss_legendre(_NODES))

    angle = torch.arcsin(aperture / immersion) * nodes
    # Wavenumbers in units of that in vacuum; refraction conserves the lateral one.
    lateral = immersion * angle.sin()
    before, after = immersion * angle.cos(), (tissue**2 - lateral**2).sqrt()
    detected = angle.cos().sqrt() * angle.sin() * weights
    excited = detected * torch.exp(-((lateral / (aperture * filling)) ** 2))
    beams = {
        "two-photon": (excited,),
        "confocal": (excited, detected.expand_as(excited)),
        "wide-field": (detected,),
    }[optics.modality]

    narrowing = aperture if optics.modality == "wide-field" else aperture * filling.clamp(max=1)
    # Rays at one angle cross the axis where their phase is stationary: best focus lies between.
    crossings_um = depth_um * (after / before - 1)
    nearest, farthest = crossings_um.amin(1, keepdim=True), crossings_um.amax(1, keepdim=True)
    unit = 2 * math.pi / vacuum_um
    pupil = _Pupil(
        photons=2 if optics.modality == "two-photon" else 1,
        amplitude=torch.stack(beams),
        lateral=unit * lateral,
        axial=unit * (after - tissue),
        # Less what is constant over the cone, which would cost digits.
        phase=unit * depth_um * ((after - tissue) - (before - immersion)),
        sine=lateral / tissue,
        cosine=after / tissue,
        spot_um=2 * vacuum_um / narrowing,
        focus_um=4 * vacuum_um * tissue / narrowing**2 + farthest - nearest,
    )
    best_um = _best_focus_um(pupil, nearest, farthest)
    return replace(pupil, phase=pupil.phase + pupil.axial * best_um)


@torch.no_grad()
def _best_focus_um(pupil: _Pupil, nearest_um: Tensor, farthest_um: Tensor) -> Tensor:
    """(batch, 1) where the axis is brightest; there the intensity is stationary: no gradient."""
    steps = torch.linspace(-1, 1, _FOCUS_STEPS).to(nearest_um)
    centre_um, reach_um = (farthest_um + nearest_um) / 2, (farthest_um - nearest_um) / 2
    for _ in range(3):
        z_um = centre_um + reach_um * steps
        centre_um = z_um.gather(1, pupil.on_axis(z_um).argmax(1, keepdim=True))
        reach_um = reach_um * 2 / (_FOCUS_STEPS - 1)
    return centre_um


def _half_maximum(position: Tensor, value: Tensor) -> Tensor:
    """(batch,) first position at which a curve (batch, K), 1 at its start, falls to a half."""
    after = (value < 0.5).int().argmax(1, keepdim=True).clamp(min=1)
    high, low = value.gather(1, after - 1), value.gather(1, after)
    position = position.expand_as(value)
    start, end = position.gather(1, after - 1), position.gather(1, after)
    return (start + (end - start) * (high - 0.5) / (high - low))[:, 0]


def _blur(
    pupil: _Pupil, pixel_size_um: Parameter, z_um: Tensor, target_fwhm_um: float, reach_px: int
) -> Tensor:
    """(batch, Z, y, x) intensity on the target's pixels, shrunk by the target's own width."""
    shrinking = (1 - (target_fwhm_um / pupil.lateral_fwhm_um()[:, None]) ** 2).sqrt()
    pixel_um = torch.as_tensor(pixel_size_um).to(z_um).reshape(-1, 1)
    distances_px, indices, weights = _radial_interpolation(reach_px)
    profile = pupil.intensity(pixel_um / shrinking * distances_px.to(z_um), z_um[None])
    return (profile[..., indices.to(z_um.device)] * weights.to(z_um)).sum(-1)


@cache
def _radial_interpolation(reach_px: int) -> tuple[Tensor, Tensor, Tensor]:
    """Distances (R,) to sample, and for each pixel (y, x, 4) which to mix, and how much of each.

    Cubic through the four nearest of samples half a pixel apart. The curve is even in the
    distance, which gives the sample before the first.
    """
    offsets = torch.arange(-reach_px, reach_px + 1, dtype=torch.float64)
    position = 2 * torch.hypot(offsets[:, None], offsets)
    first = position.floor().long() - 1
    t = position - first - 1
    weights = torch.stack(
        (
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ),
        dim=-1,
    )
    indices = (first[..., None] + torch.arange(4)).abs()
    return torch.arange(int(indices.max()) + 1) / 2, indices, weights


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
    pupil = _pupil(optics, z_um)
    blur = _blur(pupil, pixel_size_um, z_um, target_fwhm_um, reach_px)[0]
    light = _light_per_plane(optics, pupil, z_um)
    shares = light / light.sum()
    return blur / blur.sum((-2, -1), keepdim=True) * shares[:, None, None]


def _light_per_plane(optics: Optics, pupil: _Pupil, z_um: Tensor) -> Tensor:
    """(Z,) integral of the intensity over each plane, in any unit."""
    if optics.modality == "wide-field":  # Waves only change their phases from plane to plane.
        return torch.ones_like(z_um)
    nodes, weights = (part.to(z_um) for part in _gauss_legendre(256))
    # Well outside the geometric cone.
    slope = (pupil.sine / pupil.cosine).max()
    r_um = (2 * pupil.spot_um + slope * z_um.abs().max()) * nodes
    return (pupil.intensity(r_um, z_um[None]) * r_um * weights).sum(-1)[0]


@cache
def _gauss_legendre(count: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights for integrals from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)


class _BesselFunctions(torch.autograd.Function):
    """J₀ and J₁, for which torch has no derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        j0, j1 = torch.special.bessel_j0(x), torch.special.bessel_j1(x)
        ctx.save_for_backward(x, j0, j1)
        return j0, j1

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        x, j0, j1 = ctx.saved_tensors
        slope = torch.where(x == 0, 0.5, j0 - j1 / x)
        return grad_outputs[1] * slope - grad_outputs[0] * j1


def _bessel(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bessel functions of the first kind of orders 0, 1 and 2."""
    j0, j1 = cast(tuple[Tensor, Tensor], _BesselFunctions.apply(x))
    j2 = torch.where(x == 0, 0, 2 * j1 / torch.where(x == 0, 1, x) - j0)
    return j0, j1, j2


def _like(optics: Optics, *others: Parameter) -> Tensor:
    """Find a tensor among the values, whose type and device the others take."""
    values = (*vars(optics).values(), *others)
    return next((value for value in values if isinstance(value, Tensor)), torch.empty(0))
