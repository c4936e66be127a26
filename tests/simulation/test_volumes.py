"""Recording of stacks against single planes, the PSF itself, and closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from simulation import formation, psf, volumes
from simulation.microscope import Acquisition, Microscope
from simulation.stack import Stack

PIXEL_UM, REACH_PX = 0.08, 12
STACK = Stack(planes=5, z_step_um=0.5, per_step=2, reach=6)
INNER = (..., slice(REACH_PX, -REACH_PX), slice(REACH_PX, -REACH_PX))


def _acquisition(**changes: float | str) -> Acquisition:
    """An acquisition of so many photons and labels that their noise does not count."""
    values: dict[str, float | str] = {
        "labels_per_um2": math.inf,
        "depth_um": 0.0,
        "scattering_length_um": math.inf,
        "expansion_error": 0.0,
        "background_photons": 1e-6,
        "background_variation": 0.0,
        "vignetting": 0.0,
        "bleaching": 0.0,
        "line_jitter_um": 0.0,
        "breathing_um": 0.0,
        "drift_um": 0.0,
        "photons": 1e9,
        "excess_noise_factor": 1.0,
        "gain_counts_per_photon": 1.0,
        "offset_counts": 0.0,
        "read_noise_counts": 0.0,
        "saturation_counts": 1e12,
    }
    return replace(Microscope().typical(), **(values | changes))


def _noise(stack: Stack, side: int = 48) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(stack.drawn, side, side, dtype=torch.float64, generator=generator)


def _record(field: torch.Tensor, acquisition: Acquisition, stack: Stack = STACK) -> torch.Tensor:
    return volumes.record(
        field,
        PIXEL_UM,
        acquisition,
        torch.Generator().manual_seed(1),
        sampling=1,
        reach_px=REACH_PX,
        stack=stack,
    )


def _blur(field: torch.Tensor, acquisition: Acquisition, stack: Stack) -> torch.Tensor:
    return volumes.blur(field, PIXEL_UM, acquisition, REACH_PX, stack)


@pytest.mark.parametrize("depth_um", [0.0, 400.0])  # aberrated: not the same above as below
def test_every_plane_is_that_of_a_volume_with_it_in_focus(depth_um: float) -> None:
    field, acquisition = _noise(STACK), _acquisition(depth_um=depth_um, expansion_error=0.03)
    blurred = _blur(field, acquisition, STACK)
    assert len(blurred) == 5
    for plane, focus in zip(blurred, (6, 8, 10, 12, 14), strict=True):
        around = field[None, focus - 6 : focus + 7]
        alone = formation.blur(around, PIXEL_UM, acquisition, REACH_PX, 0.25)[0]
        torch.testing.assert_close(plane[INNER], alone[INNER], rtol=1e-10, atol=1e-12)


def test_some_planes_are_those_of_all() -> None:
    field, acquisition = _noise(STACK), _acquisition()
    some = volumes.blur(field, PIXEL_UM, acquisition, REACH_PX, STACK, every=2)
    torch.testing.assert_close(some, _blur(field, acquisition, STACK)[::2])


FINE = Stack(planes=81, z_step_um=0.1, per_step=1, reach=40)


def _bead() -> torch.Tensor:
    field = torch.zeros(FINE.drawn, 40, 40, dtype=torch.float64)
    field[FINE.drawn // 2, 20, 20] = 1
    return field


def test_a_bead_has_the_axial_profile_of_the_psf() -> None:
    acquisition = _acquisition(depth_um=400.0)
    seen = _blur(_bead(), acquisition, FINE)[:, 20, 20]
    # a focus above the bead sees it from above: from where it lies below
    bead_below_um = 0.1 * (40 - torch.arange(81, dtype=torch.float64))
    kernel = psf.kernel_3d(
        acquisition.optics, PIXEL_UM, bead_below_um, acquisition.target_fwhm_um, REACH_PX
    )
    torch.testing.assert_close(seen, kernel[:, REACH_PX, REACH_PX], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("numerical_aperture", [0.8, 1.05])
def test_a_bead_is_as_long_as_the_psf(numerical_aperture: float) -> None:
    acquisition = _acquisition(numerical_aperture=numerical_aperture)
    profile = _blur(_bead(), acquisition, FINE)[:, 20, 20].numpy()
    above, below = np.flatnonzero(profile >= profile.max() / 2)[[0, -1]]
    outer = [
        (profile[i] - profile.max() / 2) / (profile[i] - profile[i + d])
        for i, d in ((above, -1), (below, 1))
    ]
    width_um = 0.1 * (below - above + sum(outer))
    assert width_um == pytest.approx(float(psf.fwhm_um(acquisition.optics)[1]), rel=0.02)


def test_the_light_of_a_bead_is_conserved_over_the_planes() -> None:
    assert _blur(_bead(), _acquisition(), FINE).sum().item() == pytest.approx(1, abs=1e-9)


def test_wide_field_light_of_an_even_plane_reaches_all_planes_alike() -> None:
    stack = Stack(planes=9, z_step_um=0.25, per_step=1, reach=3)
    field = torch.zeros(stack.drawn, 40, 40, dtype=torch.float64)
    field[6] = 0.7
    means = _blur(field, _acquisition(modality="wide-field"), stack).mean((1, 2))
    expected = torch.tensor([1.0] * 7 + [0.0] * 2, dtype=torch.float64) * 0.7 / 7
    torch.testing.assert_close(means, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("modality", ["two-photon", "confocal", "wide-field"])
def test_an_even_volume_keeps_its_brightness(modality: str) -> None:
    field = torch.full((STACK.drawn, 40, 40), 0.5, dtype=torch.float64)
    blurred = _blur(field, _acquisition(modality=modality), STACK)
    torch.testing.assert_close(blurred, torch.full_like(blurred, 0.5))


def test_each_plane_lies_deeper_than_the_last() -> None:
    acquisition = _acquisition(depth_um=30.0, scattering_length_um=5.0, bleaching=0.2)
    counts = _record(torch.ones(STACK.drawn, 40, 40, dtype=torch.float64), acquisition)
    depths_um = 30 + 0.5 * np.arange(5)
    expected = 1e9 * 0.8 * np.exp(-2 * depths_um / 5)
    np.testing.assert_allclose(counts.mean((1, 2)).numpy(), expected, rtol=1e-3)


def test_drift_goes_on_from_plane_to_plane() -> None:
    field = torch.zeros(STACK.drawn, 80, 80, dtype=torch.float64)
    field[:, 40, 40] = 1
    counts = _record(field, _acquisition(drift_um=1.0))
    counts = counts - counts.amin((1, 2), keepdim=True)  # the even light from far away
    pixels = torch.arange(80, dtype=torch.float64)
    light = counts.sum((1, 2))
    y = (counts.sum(2) * pixels).sum(1) / light
    x = (counts.sum(1) * pixels).sum(1) / light
    along_um = torch.hypot(y[1:] - y[:-1], x[1:] - x[:-1]) * PIXEL_UM
    torch.testing.assert_close(along_um, torch.full_like(along_um, 1 / 5), rtol=0.05, atol=0)
    assert float(y.mean()) == pytest.approx(40, abs=0.3)
    assert float(x.mean()) == pytest.approx(40, abs=0.3)


def test_labels_are_as_many_however_finely_a_volume_is_drawn() -> None:
    variances = list[float]()
    for per_step in (1, 2):
        stack = Stack(planes=2, z_step_um=0.25, per_step=per_step, reach=4 * per_step)
        field = torch.ones(stack.drawn, 100, 100, dtype=torch.float64)
        counts = _record(field, _acquisition(labels_per_um2=200.0), stack)
        variances.append(float(counts.var()))
    assert variances[1] == pytest.approx(variances[0], rel=0.15)


def test_bright_structure_detects_the_photons_stated() -> None:
    field = _noise(STACK) ** 8
    level = volumes.measure_bright_level(
        field, PIXEL_UM, Microscope(), sampling=1, reach_px=REACH_PX, stack=STACK
    )
    typical = Microscope().typical()
    seen = volumes.collect(field, PIXEL_UM, typical, REACH_PX, STACK)[INNER]
    assert level == pytest.approx(float(torch.quantile(seen.flatten(), 0.998)))


def test_light_from_beyond_the_reach_is_even_and_nothing_is_lost() -> None:
    """A volume as bright above and below the stack as within it gives what it has."""
    even = torch.full((STACK.drawn, 40, 40), 0.5, dtype=torch.float64)
    bead = torch.zeros_like(even)
    bead[STACK.drawn // 2, 20, 20] = 1
    acquisition = _acquisition()
    for field in (even, bead):
        seen = volumes.collect(field, PIXEL_UM, acquisition, REACH_PX, STACK)
        near = psf.share_within(acquisition.optics, STACK.reach_um)
        far = seen - near * _blur(field, acquisition, STACK)
        torch.testing.assert_close(far, torch.full_like(far, (1 - near) * float(field.mean())))


def test_wide_field_light_has_no_share_of_its_own() -> None:
    assert psf.share_within(_acquisition(modality="wide-field").optics, 2.0) == 1


def test_an_empty_volume_is_not_lit_up() -> None:
    dark = torch.full((STACK.drawn, 40, 40), 0.03, dtype=torch.float64)
    level = volumes.measure_bright_level(
        dark, PIXEL_UM, Microscope(), sampling=1, reach_px=REACH_PX, stack=STACK
    )
    assert level == 1


def test_records_repeat_from_the_same_generator_state() -> None:
    acquisition = Microscope().draw(np.random.default_rng(1))
    assert torch.equal(_record(_noise(STACK), acquisition), _record(_noise(STACK), acquisition))
