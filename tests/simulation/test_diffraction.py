import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import j1, jv

from simulation.diffraction import Modality, Optics, focused_pupil


def intensity(optics: Optics, r_um: torch.Tensor, z_um: torch.Tensor) -> torch.Tensor:
    return focused_pupil(optics, r_um).intensity(r_um[None], z_um[None])[0]


def by_adaptive_quadrature(
    aperture: float,
    wavelength: float,
    immersion: float,
    tissue: float,
    depth: float,
    filling: float,
    r: float,
    z: float,
) -> float:
    """Richards and Wolf's integrals through an interface, in another variable and by scipy."""

    def integrand(u: float, order: int, part: int) -> float:  # u: sine over the aperture's rim
        k = 2 * math.pi / wavelength
        lateral = aperture * u
        before, after = math.sqrt(immersion**2 - lateral**2), math.sqrt(tissue**2 - lateral**2)
        cosine = after / tissue
        polarisation = (1 + cosine, lateral / tissue, 1 - cosine)[order]
        apodisation = math.sqrt(before / immersion) * math.exp(-((u / filling) ** 2))
        # sin θ dθ = n_i⁻² lateral dlateral / cos θ, constant factors apart
        amplitude = apodisation * polarisation * lateral / before
        phase = k * (depth * (after - before) + z * after)
        wave = (math.cos(phase), math.sin(phase))[part]
        return amplitude * float(jv(order, k * r * lateral)) * wave

    total = 0.0
    for order, weight in ((0, 1), (1, 2), (2, 1)):
        for part in (0, 1):
            total += weight * quad(integrand, 0, 1, args=(order, part), limit=200)[0] ** 2
    return total


@pytest.mark.parametrize(
    ("aperture", "filling", "tissue", "depth", "tolerance"),
    [
        (1.05, math.inf, 1.33, 0.0, 1e-9),
        # With aberration, best focus is found to some nanometres.
        (0.8, 0.7, 1.36, 200.0, 3e-3),
        (1.0, 0.9, 1.38, 300.0, 3e-3),
    ],
)
def test_intensity_equals_adaptive_quadrature(
    aperture: float, filling: float, tissue: float, depth: float, tolerance: float
) -> None:
    def reference(r: float, z: float) -> float:
        return by_adaptive_quadrature(aperture, 0.92, 1.33, tissue, depth, filling, r, z)

    best = depth * (tissue / 1.33 - 1)  # where paraxial rays meet
    for step in (0.2, 0.01, 0.0005) if depth else ():
        scan = best + step * np.arange(-30, 90 if step == 0.2 else 31)
        best = float(scan[np.argmax([reference(0, z) for z in scan])])

    r_um, z_um = [0.0, 0.15, 0.4, 1.0], [-1.5, 0.0, 0.7]
    expected = [[(reference(r, best + z) / reference(0, best)) ** 2 for r in r_um] for z in z_um]

    optics = Optics("two-photon", aperture, 0.92, 1.33, filling, tissue, depth)
    positions = [torch.tensor(values, dtype=torch.float64) for values in (r_um, z_um)]
    np.testing.assert_allclose(intensity(optics, *positions), expected, rtol=0, atol=tolerance)


def test_low_aperture_gives_the_airy_pattern() -> None:
    r_um = torch.linspace(0.1, 8, 60, dtype=torch.float64)
    values = intensity(Optics("wide-field", 0.1, 0.5), r_um, r_um.new_zeros(1))[0]
    v = 2 * np.pi / 0.5 * 0.1 * r_um.numpy()
    np.testing.assert_allclose(values, (2 * j1(v) / v) ** 2, atol=1e-3)


def test_low_aperture_gives_the_debye_axial_pattern() -> None:
    z_um = torch.linspace(-150, 150, 60, dtype=torch.float64)
    values = intensity(Optics("wide-field", 0.1, 0.5), z_um.new_zeros(1), z_um)[:, 0]
    u = 2 * np.pi / 0.5 * 0.1**2 / 1.33 * z_um.numpy()
    np.testing.assert_allclose(values, np.sinc(u / 4 / np.pi) ** 2, atol=5e-3)


def test_two_photon_is_the_square_of_the_one_photon_intensity() -> None:
    r_um, z_um = torch.linspace(0, 1, 9), torch.linspace(-1, 1, 5)
    one = intensity(Optics("wide-field", 1.0, 0.92), r_um, z_um)
    two = intensity(Optics("two-photon", 1.0, 0.92), r_um, z_um)
    torch.testing.assert_close(two, one**2)


def test_confocal_is_excitation_times_detection() -> None:
    r_um, z_um = torch.linspace(0, 1, 9), torch.linspace(-1, 1, 5)
    excitation = intensity(Optics("two-photon", 1.0, 0.5, aperture_filling=0.8), r_um, z_um).sqrt()
    detection = intensity(Optics("wide-field", 1.0, 0.5), r_um, z_um)
    confocal = intensity(Optics("confocal", 1.0, 0.5, aperture_filling=0.8), r_um, z_um)
    torch.testing.assert_close(confocal, excitation * detection)


def test_depth_does_not_matter_when_indices_agree() -> None:
    r_um, z_um = torch.linspace(0, 1, 9), torch.linspace(-2, 2, 9)
    surface = intensity(Optics("two-photon", 1.0, 0.92), r_um, z_um)
    deep = intensity(Optics("two-photon", 1.0, 0.92, depth_um=500.0), r_um, z_um)
    torch.testing.assert_close(deep, surface, rtol=0, atol=0)


def test_best_focus_is_the_brightest_plane() -> None:
    optics = Optics("two-photon", 1.05, 0.92, tissue_refractive_index=1.36, depth_um=300.0)
    z_um = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    on_axis = intensity(optics, z_um.new_zeros(1), z_um)[:, 0]
    assert float(on_axis.max()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("modality", ["two-photon", "confocal", "wide-field"])
def test_gradients_equal_finite_differences(modality: Modality) -> None:
    r_um = torch.linspace(0, 1, 5, dtype=torch.float64)

    def profile(aperture: torch.Tensor, filling: torch.Tensor) -> torch.Tensor:
        return intensity(Optics(modality, aperture, 0.92, 1.33, filling), r_um, r_um[:2])

    parameters = [torch.tensor([value], dtype=torch.float64) for value in (0.9, 0.8)]
    assert torch.autograd.gradcheck(profile, [value.requires_grad_() for value in parameters])


def test_gradient_is_finite_with_aberration() -> None:
    aperture = torch.tensor([0.9, 1.05], requires_grad=True)
    optics = Optics("two-photon", aperture, 0.92, tissue_refractive_index=1.36, depth_um=200.0)
    r_um = torch.linspace(0, 1, 9)
    focused_pupil(optics, r_um).intensity(r_um[None], r_um[None]).sum().backward()
    assert aperture.grad is not None
    assert bool(aperture.grad.isfinite().all())


@pytest.mark.parametrize(("immersion", "tissue"), [(1.0, 1.33), (1.33, 1.0)])
def test_aperture_above_an_index_is_refused(immersion: float, tissue: float) -> None:
    with pytest.raises(ValueError, match="below both refractive indices"):
        Optics("two-photon", 1.05, 0.92, immersion, math.inf, tissue)
