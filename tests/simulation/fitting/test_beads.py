"""Beads of known width are measured; what is no bead is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from imaging.cli import UserError
from simulation import psf
from simulation.diffraction import focused_pupil
from simulation.fitting.beads import measure_beads, psf_widths_um
from simulation.psf import Modality, Optics
from simulation.structures.grid import FWHM_PER_SIGMA

Floats = NDArray[np.float64]

PIXEL_UM, STEP_UM = 0.2, 0.5


def _bead(y: float, x: float, fwhm_px: float, light: float, side: int = 128) -> Floats:
    """A round Gaussian, integrated over each pixel."""
    sigma = fwhm_px / FWHM_PER_SIGMA
    edges = np.arange(side + 1) - 0.5
    along_y, along_x = (np.diff(ndtr((edges - at) / sigma)) for at in (y, x))
    return light * along_y[:, None] * along_x


def _field(fwhm_px: float, light: float = 20_000.0) -> Floats:
    """Nine beads, each at another place within its pixel."""
    rng = np.random.default_rng(0)
    places = np.array([(y, x) for y in (24, 64, 104) for x in (24, 64, 104)])
    return sum(
        (_bead(y, x, fwhm_px, light) for y, x in places + rng.uniform(-0.5, 0.5, places.shape)),
        start=np.full((128, 128), 50.0),
    )


@pytest.mark.parametrize("fwhm_px", [1.5, 2.5, 5.0])
def test_planted_width_is_found(fwhm_px: float) -> None:
    found = measure_beads(_field(fwhm_px)[None], PIXEL_UM, None, "beads.tif")
    assert len(found.lateral_um) == 9
    np.testing.assert_allclose(found.lateral_um, fwhm_px * PIXEL_UM, rtol=0.01)
    assert found.axial_um is None


def test_planted_width_is_found_in_noise() -> None:
    noisy = np.random.default_rng(1).poisson(_field(3.0, light=3000.0)).astype(np.float64)
    found = measure_beads(noisy[None], PIXEL_UM, None, "beads.tif")
    assert len(found.lateral_um) == 9
    assert np.median(found.lateral_um) == pytest.approx(3.0 * PIXEL_UM, rel=0.04)


def test_bead_at_the_border_is_left_out() -> None:
    image = 50 + _bead(64, 64, 3, 20_000) + _bead(2, 30, 3, 20_000) + _bead(90, 126, 3, 20_000)
    found = measure_beads(image[None], PIXEL_UM, None, "beads.tif")
    np.testing.assert_allclose(found.lateral_um, [3 * PIXEL_UM], rtol=0.02)


def test_dim_beads_count_as_bright_ones() -> None:
    image = 50 + _bead(40, 40, 3, 20_000) + _bead(90, 90, 3, 5_000)
    found = measure_beads(image[None], PIXEL_UM, None, "beads.tif")
    np.testing.assert_allclose(found.lateral_um, 3 * PIXEL_UM, rtol=0.02)
    assert len(found.lateral_um) == 2


def test_axial_width_of_a_stack() -> None:
    axial_fwhm_um = 3.0
    z_um = (np.arange(31) - 15) * STEP_UM
    profile = np.exp(-0.5 * (z_um * FWHM_PER_SIGMA / axial_fwhm_um) ** 2)
    stack = 50 + profile[:, None, None] * (_field(3.0) - 50)
    found = measure_beads(stack, PIXEL_UM, STEP_UM, "beads.tif")
    np.testing.assert_allclose(found.lateral_um, 3 * PIXEL_UM, rtol=0.02)
    assert found.axial_um is not None
    np.testing.assert_allclose(found.axial_um, axial_fwhm_um, rtol=0.02)


def test_unknown_distance_of_planes_gives_no_axial_width() -> None:
    stack = np.stack([_field(3.0)] * 7)
    assert measure_beads(stack, PIXEL_UM, None, "beads.tif").axial_um is None


def _no_beads() -> dict[str, Floats]:
    return {
        "noise": np.random.default_rng(2).poisson(100.0, (128, 128)).astype(np.float64),
        "flat": np.full((128, 128), 7.0),
        "tiny": _field(3.0)[20:28, 20:28],
        "hot pixel": np.pad(np.full((1, 1), 900.0), 60),
        "edge": np.repeat([10.0, 500.0], 64)[:, None] * np.ones(128),
    }


@pytest.mark.parametrize("kind", _no_beads())
def test_what_is_no_bead_is_refused(kind: str) -> None:
    with pytest.raises(UserError, match=r"^beads\.tif shows no bead that stands alone"):
        measure_beads(_no_beads()[kind][None], PIXEL_UM, None, "beads.tif")


@pytest.mark.parametrize("modality", ["two-photon", "wide-field"])
@pytest.mark.parametrize("pixel_um", [0.1, 0.3])
def test_width_of_a_psf_is_its_own_and_not_that_of_a_gaussian(
    modality: Modality, pixel_um: float
) -> None:
    optics = Optics(modality, 0.8, 0.92)
    true_um = float(psf.fwhm_um(optics)[0])
    parts, side = 11, 31
    at_um = (np.arange(parts * side) - (parts * side - 1) / 2) * pixel_um / parts
    distance_um = np.hypot(at_um[:, None], at_um)
    r_um = torch.linspace(0, float(distance_um.max()), 2000, dtype=torch.float64)
    fine = np.interp(
        distance_um,
        r_um,
        focused_pupil(optics, r_um).intensity(r_um[None], r_um.new_zeros(1, 1))[0, 0],
    )
    image = fine.reshape(side, parts, side, parts).mean((1, 3)) * 1000
    seen_um = measure_beads(image[None], pixel_um, None, "beads.tif").lateral_um
    assert seen_um[0] < 0.985 * true_um
    unknown = replace(optics, numerical_aperture=0.5)
    assert psf_widths_um(seen_um, unknown, pixel_um)[0] == pytest.approx(true_um, rel=0.01)
