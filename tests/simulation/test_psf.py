import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from psf_generator import VectorialSphericalPropagator
from scipy.signal import fftconvolve

from simulation import psf
from simulation.diffraction import focused_pupil
from simulation.psf import Optics

FILLINGS = (0.7, math.inf)


def two_photon(aperture: float | torch.Tensor, filling: float = math.inf) -> Optics:
    return Optics("two-photon", aperture, 0.92, aperture_filling=filling)


def intensity(optics: Optics, r_um: torch.Tensor, z_um: torch.Tensor) -> torch.Tensor:
    """(batch, Z, R), 1 on the axis in best focus."""
    return focused_pupil(optics, r_um).intensity(r_um[None], z_um[None])


def lateral_profile(optics: Optics, r_um: torch.Tensor) -> torch.Tensor:
    """(batch, R), 1 on the axis."""
    return intensity(optics, r_um, r_um.new_zeros(1))[:, 0]


def width(position: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    """Full width at half maximum of a sampled curve with one peak."""
    inside = np.flatnonzero(value >= value.max() / 2)
    first, last = int(inside[0]), int(inside[-1])
    half = value.max() / 2
    left = np.interp(half, value[first - 1 : first + 1], position[first - 1 : first + 1])
    right = np.interp(half, value[last : last + 2][::-1], position[last : last + 2][::-1])
    return float(right - left)


@pytest.mark.parametrize(
    ("aperture", "filling", "lateral_um", "axial_um"),
    [
        (1.05, math.inf, 0.342, 1.15),
        (1.0, math.inf, 0.356, 1.30),
        (0.8, math.inf, 0.437, 2.20),
        (1.05, 0.7, 0.407, 1.33),
        (1.0, 0.7, 0.426, 1.50),
        (0.8, 0.7, 0.527, 2.49),
    ],
)
def test_published_widths(
    aperture: float, filling: float, lateral_um: float, axial_um: float
) -> None:
    lateral, axial = psf.fwhm_um(two_photon(aperture, filling))
    assert (float(lateral), float(axial)) == pytest.approx((lateral_um, axial_um), rel=0.005)


@pytest.mark.parametrize("aperture", [0.7, 0.8, 0.9, 1.0, 1.05])
@pytest.mark.parametrize("filling", FILLINGS)
def test_widths_equal_a_second_implementation(aperture: float, filling: float) -> None:
    def propagator(pixels: int, planes: int, plane_nm: int) -> VectorialSphericalPropagator:
        return VectorialSphericalPropagator(
            n_pix_pupil=257,
            n_pix_psf=pixels,
            pix_size=10,
            n_defocus=planes,
            defocus_step=plane_nm,
            wavelength=920,
            na=aperture,
            n_i=1.33,
            n_i0=1.33,
            apod_factor=True,
            envelope=None if filling == math.inf else filling * aperture / 1.33,
            e0x=1.0,
            e0y=1j,  # pyright: ignore[reportArgumentType] (circular; documented as possible)
        )

    def intensity(field: torch.Tensor) -> NDArray[np.float64]:
        return np.asarray((field.abs() ** 2).sum(1) ** 2, np.float64)

    plane = intensity(propagator(101, 1, 0).compute_focus_field())[0]
    axis = intensity(propagator(3, 400, 25).compute_focus_field())[:, 1, 1]
    lateral, axial = psf.fwhm_um(two_photon(aperture, filling))
    assert float(lateral) == pytest.approx(
        width(np.linspace(-0.505, 0.505, 101), plane[50]), rel=0.01
    )
    assert float(axial) == pytest.approx(width(np.linspace(-5, 5, 400), axis), rel=0.01)


@settings(deadline=None, max_examples=20)
@given(aperture=st.floats(0.2, 1.2), filling=st.floats(0.4, 5.0), depth_um=st.floats(0.0, 200.0))
def test_half_the_width_is_where_the_profile_halves(
    aperture: float, filling: float, depth_um: float
) -> None:
    aperture_tensor = torch.tensor([aperture], dtype=torch.float64)
    optics = Optics("two-photon", aperture_tensor, 0.92, 1.33, filling, 1.36, depth_um)
    lateral, _ = psf.fwhm_um(optics)
    # The slope there is about -1.4 / width.
    assert float(lateral_profile(optics, lateral / 2)) == pytest.approx(0.5, abs=0.005)


def test_axial_width_is_between_the_two_half_maxima() -> None:
    aperture = torch.tensor([1.0], dtype=torch.float64)
    optics = Optics("two-photon", aperture, 0.92, tissue_refractive_index=1.36, depth_um=150.0)
    _, axial = psf.fwhm_um(optics)
    z_um = torch.linspace(-5, 5, 2001, dtype=torch.float64)
    on_axis = intensity(optics, z_um.new_zeros(1), z_um)[0, :, 0].numpy()
    assert float(axial) == pytest.approx(width(z_um.numpy(), on_axis), rel=0.005)


def test_aberration_widens_with_depth() -> None:
    depth_um = torch.tensor([0.0, 100.0, 200.0, 400.0])
    optics = Optics("two-photon", 1.05, 0.92, tissue_refractive_index=1.36, depth_um=depth_um)
    lateral, axial = psf.fwhm_um(optics)
    assert bool((lateral.diff() > 0).all())
    assert bool((axial.diff() > 0).all())


def test_a_batch_equals_its_members() -> None:
    apertures, depths_um, r_um = [0.7, 0.9, 1.05], [0.0, 100.0, 300.0], torch.linspace(0, 1, 20)
    batch = Optics(
        "two-photon",
        torch.tensor(apertures),
        0.92,
        tissue_refractive_index=1.36,
        depth_um=torch.tensor(depths_um),
    )
    members = [
        lateral_profile(
            Optics("two-photon", na, 0.92, tissue_refractive_index=1.36, depth_um=depth), r_um
        )
        for na, depth in zip(apertures, depths_um, strict=True)
    ]
    torch.testing.assert_close(
        lateral_profile(batch, r_um), torch.cat(members), rtol=1e-4, atol=1e-4
    )


def test_one_parameter_may_be_a_batch() -> None:
    optics = Optics("two-photon", 1.0, 0.92, aperture_filling=torch.tensor([0.7, 0.9]))
    assert psf.kernel(optics, 0.03, 0.07, 20).shape == (2, 41, 41)


def test_pixel_size_may_be_a_batch() -> None:
    together = psf.kernel(two_photon(1.0), torch.tensor([0.03, 0.05]), 0.07, 20)
    alone = [psf.kernel(two_photon(1.0), size, 0.07, 20) for size in (0.03, 0.05)]
    torch.testing.assert_close(together, torch.cat(alone))


@settings(deadline=None, max_examples=20)
@given(
    aperture=st.floats(0.5, 1.1),
    pixel_size_um=st.floats(0.015, 0.06),
    reach_px=st.integers(0, 40),
)
def test_kernel_conserves_energy(aperture: float, pixel_size_um: float, reach_px: int) -> None:
    kernel = psf.kernel(two_photon(aperture), pixel_size_um, 0.07, reach_px)
    assert float(kernel.double().sum()) == pytest.approx(1, abs=1e-6)


def test_kernel_is_symmetric() -> None:
    kernel = psf.kernel(two_photon(1.0), 0.03, 0.07, 20)
    torch.testing.assert_close(kernel, kernel.flip(1))
    torch.testing.assert_close(kernel, kernel.mT)


@pytest.mark.parametrize("filling", FILLINGS)
def test_gradient_of_the_kernel_equals_finite_differences(filling: float) -> None:
    def kernel(aperture: torch.Tensor) -> torch.Tensor:
        return psf.kernel(two_photon(aperture, filling), 0.05, 0.07, 6)

    aperture = torch.tensor([0.93], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(kernel, aperture)


def test_kernel_for_a_perfect_target_is_the_profile() -> None:
    optics = two_photon(torch.tensor([0.8, 1.05], dtype=torch.float64))
    kernel = psf.kernel(optics, 0.03, 0.0, 25)
    profile = lateral_profile(optics, torch.arange(26, dtype=torch.float64) * 0.03)
    torch.testing.assert_close(
        kernel[:, 25, 25:] / kernel[:, 25, 25:26], profile, rtol=0, atol=1e-6
    )


def test_interpolation_of_the_kernel_is_exact_off_the_axes() -> None:
    optics = two_photon(torch.tensor([1.05], dtype=torch.float64))
    kernel = psf.kernel(optics, 0.03, 0.0, 25)[0]
    diagonal = torch.arange(26, dtype=torch.float64) * 0.03 * math.sqrt(2)
    profile = lateral_profile(optics, diagonal)[0]
    torch.testing.assert_close(kernel.diagonal()[25:] / kernel[25, 25], profile, rtol=0, atol=1e-4)


def test_kernel_takes_a_gaussian_target_to_the_width_of_the_microscope() -> None:
    pixel_um, target_fwhm_um, reach = 0.02, 0.15, 60
    optics = two_photon(torch.tensor([1.0], dtype=torch.float64))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64) * pixel_um
    target = torch.exp(-4 * math.log(2) * (offsets[:, None] ** 2 + offsets**2) / target_fwhm_um**2)
    kernel = psf.kernel(optics, pixel_um, target_fwhm_um, reach)
    image = fftconvolve(target.numpy(), kernel[0].numpy(), mode="same")
    expected = float(psf.fwhm_um(optics)[0])
    assert width(offsets.numpy(), image[reach]) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("modality", ["two-photon", "confocal", "wide-field"])
def test_kernel_3d_conserves_energy(modality: psf.Modality) -> None:
    kernel = psf.kernel_3d(Optics(modality, 1.0, 0.6), 0.03, torch.arange(-3.0, 3.1), 0.07, 20)
    assert kernel.shape == (7, 41, 41)
    assert float(kernel.double().sum()) == pytest.approx(1, abs=1e-6)


def test_every_plane_of_a_wide_field_kernel_has_the_same_light() -> None:
    planes = torch.arange(-3.0, 3.1)
    kernel = psf.kernel_3d(Optics("wide-field", 1.0, 0.6), 0.03, planes, 0.07, 20)
    torch.testing.assert_close(kernel.sum((1, 2)), torch.full((7,), 1 / 7))


def test_planes_of_a_two_photon_kernel_share_the_light_as_a_wide_sum_does() -> None:
    optics, z_um = two_photon(0.8), torch.tensor([-2.0, 0.0, 1.0, 3.0], dtype=torch.float64)
    kernel = psf.kernel_3d(optics, 0.03, z_um, 0.07, 20)
    axis_um = torch.arange(-60, 61, dtype=torch.float64) * 0.12
    r_um = torch.hypot(axis_um[:, None], axis_um).flatten()
    light = intensity(optics, r_um, z_um)[0].sum(-1)
    torch.testing.assert_close(kernel.sum((1, 2)), light / light.sum(), rtol=1e-3, atol=0)


def test_the_focal_plane_of_a_kernel_3d_is_the_kernel() -> None:
    kernel = psf.kernel_3d(two_photon(1.0), 0.03, torch.tensor([-1.0, 0.0, 1.0]), 0.07, 20)[1]
    torch.testing.assert_close(
        kernel / kernel.sum(), psf.kernel(two_photon(1.0), 0.03, 0.07, 20)[0]
    )


def test_kernel_3d_is_computed_once() -> None:
    first, second = (
        psf.kernel_3d(two_photon(1.0), 0.03, torch.tensor([0.0, 1.0]), 0.07, 20) for _ in range(2)
    )
    assert first is second


@pytest.mark.parametrize("filling", FILLINGS)
@pytest.mark.parametrize("aperture", [0.3, 0.7, 1.05])
def test_numerical_aperture_is_found_again(aperture: float, filling: float) -> None:
    width_um = float(psf.fwhm_um(two_photon(aperture, filling))[0])
    found = psf.numerical_aperture_for(width_um, two_photon(0.5, filling))
    assert found == pytest.approx(aperture, rel=1e-3)


@pytest.mark.parametrize("width_um", [0.1, 20.0])
def test_an_unreachable_width_is_refused_with_the_range(width_um: float) -> None:
    with pytest.raises(ValueError, match=r"0\.2.* to .* µm can be reached"):
        psf.numerical_aperture_for(width_um, two_photon(1.0))


def test_type_follows_the_parameters() -> None:
    optics = two_photon(torch.tensor([1.0], dtype=torch.float64))
    assert psf.kernel(optics, 0.03, 0.07, 5).dtype == torch.float64
    assert psf.kernel(two_photon(1.0), 0.03, 0.07, 5).dtype == torch.float32
