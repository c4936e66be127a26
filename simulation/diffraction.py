"""Focal fields of an objective, by vectorial diffraction (Richards and Wolf 1959).

An aplanatic objective's focal field is a sum of plane waves over the cone that it accepts, which
leaves three integrals over the cone's angle (Proc. R. Soc. A 253, 358). Averaged over the azimuth
of the polarisation, the intensity is |I₀|² + 2|I₁|² + |I₂|². By reciprocity, a freely turning
fluorophore imaged on a camera has the same intensity. Fresnel losses at the tissue's surface are
neglected.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

Modality: TypeAlias = Literal["two-photon", "confocal", "wide-field"]
Parameter: TypeAlias = float | Tensor

# Gauss-Legendre nodes over the cone: exact for phases of up to about 100 rad from axis to rim.
_NODES = 64
_FOCUS_STEPS = 33


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
        spherical aberration grows with the depth. Depth times difference of the indices may
        reach 50 µm at an aperture of 1.05, 15 µm at 1.2, before the quadrature fails.

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
        for index in (self.refractive_index, self.tissue_refractive_index):
            reached = self.numerical_aperture >= index
            if bool(reached.any() if isinstance(reached, Tensor) else reached):
                raise ValueError("The numerical aperture must be below both refractive indices.")


@dataclass(frozen=True)
class Pupil:
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
        return (field.real**2 + field.imag**2).prod(0) ** self.photons

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


def focused_pupil(optics: Optics, like: Tensor) -> Pupil:
    """Lay out the plane waves of an objective and bring them to their best focus.

    Parameters
    ----------
    optics
        One microscope or a batch.
    like
        A tensor whose type and device to take.

    Returns
    -------
    Pupil
        Distances along the axis count from where it is brightest.
    """
    aperture, vacuum_um, immersion, filling, tissue, depth_um = torch.broadcast_tensors(
        *(
            torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(-1, 1)
            for value in (
                optics.numerical_aperture,
                optics.wavelength_um,
                optics.refractive_index,
                optics.aperture_filling,
                optics.tissue_refractive_index,
                optics.depth_um,
            )
        )
    )
    nodes, weights = gauss_legendre(_NODES, like)

    angle = torch.arcsin(aperture / immersion) * nodes
    # Wavenumbers in units of that in vacuum; refraction conserves the lateral one.
    lateral = immersion * angle.sin()
    before, after = (immersion**2 - lateral**2).sqrt(), (tissue**2 - lateral**2).sqrt()
    detected = angle.cos().sqrt() * angle.sin() * weights
    excited = detected * torch.exp(-((lateral / aperture / filling) ** 2))
    beams = {
        "two-photon": (excited,),
        "confocal": (excited, detected),
        "wide-field": (detected,),
    }[optics.modality]

    narrowing = aperture if optics.modality == "wide-field" else aperture * filling.clamp(max=1)
    # Rays at one angle cross the axis where their phase is stationary: best focus lies between.
    crossings_um = depth_um * (after / before - 1)
    nearest, farthest = crossings_um.amin(1, keepdim=True), crossings_um.amax(1, keepdim=True)
    unit = 2 * math.pi / vacuum_um
    pupil = Pupil(
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
def _best_focus_um(pupil: Pupil, nearest_um: Tensor, farthest_um: Tensor) -> Tensor:
    """(batch, 1) where the axis is brightest; there the intensity is stationary: no gradient."""
    steps = torch.linspace(-1, 1, _FOCUS_STEPS, dtype=nearest_um.dtype, device=nearest_um.device)
    centre_um, reach_um = (farthest_um + nearest_um) / 2, (farthest_um - nearest_um) / 2
    for _ in range(3):
        z_um = centre_um + reach_um * steps
        centre_um = z_um.gather(1, pupil.on_axis(z_um).argmax(1, keepdim=True))
        reach_um = reach_um * 2 / (_FOCUS_STEPS - 1)
    return centre_um


_legendre = cache(np.polynomial.legendre.leggauss)


def gauss_legendre(count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights (count,) of Gauss-Legendre quadrature from 0 to 1, typed like a tensor."""
    nodes, weights = _legendre(count)
    both = torch.as_tensor(np.stack((nodes, weights)), dtype=like.dtype, device=like.device)
    return both[0] / 2 + 0.5, both[1] / 2


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
