import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from simulation import formation, psf
from simulation.microscope import Acquisition, Microscope, stack

Z = float(stats.norm.ppf(1 - 0.5e-4))
"""Bound of a standard normal at 99.99 % confidence."""
PIXEL_UM = 0.08
SAMPLING = 4
REACH_PX = 20


def _plain(**changes: float) -> Acquisition:
    """An acquisition in which all that is random is the detector."""
    values: dict[str, float] = {
        "labels_per_um2": 1e12,
        "depth_um": 0.0,
        "expansion_error": 0.0,
        "background_photons": 1.0,
        "background_variation": 0.0,
        "vignetting": 0.0,
        "bleaching": 0.0,
        "line_jitter_um": 0.0,
        "breathing_um": 0.0,
        "drift_um": 0.0,
        "photons": 40.0,
        "excess_noise_factor": 1.4,
        "gain_counts_per_photon": 60.0,
        "offset_counts": 300.0,
        "read_noise_counts": 10.0,
    }
    return replace(Microscope().typical(), **(values | changes))


def _noiseless(**changes: float) -> Acquisition:
    """An acquisition of so many photons that their noise does not count."""
    quiet = {
        "photons": 1e9,
        "background_photons": 1e-6,
        "excess_noise_factor": 1.0,
        "gain_counts_per_photon": 1.0,
        "offset_counts": 0.0,
        "read_noise_counts": 0.0,
        "saturation_counts": 1e12,
    }
    return _plain(**(quiet | changes))


def _record(
    brightness: torch.Tensor, acquisition: Acquisition, seed: int = 0, **changes: float
) -> torch.Tensor:
    return formation.record(
        brightness,
        PIXEL_UM,
        acquisition,
        torch.Generator().manual_seed(seed),
        sampling=SAMPLING,
        reach_px=REACH_PX,
        **changes,
    )


def _inner(image: torch.Tensor) -> torch.Tensor:
    cut = REACH_PX // SAMPLING
    return image[..., cut:-cut, cut:-cut]


@pytest.mark.parametrize("scans", [1, 4])
def test_an_even_field_has_the_mean_and_variance_of_theory(scans: int) -> None:
    acquisition = _plain(averaged_lines=scans)
    field = torch.full((8, 256, 256), 0.5, dtype=torch.float64)
    counts = _inner(_record(field, acquisition))  # outside it is dark
    expected, gain = 0.5 * 40 + 1, 60
    mean = gain * expected + 300
    variance = (1.4 * expected * gain**2 + 10**2) / scans + 1 / 12
    n = counts.numel()
    assert abs(counts.mean().item() - mean) < Z * math.sqrt(variance / n)
    fourth = ((counts - counts.mean()) ** 4).mean().item()
    assert abs(counts.var().item() - variance) < Z * math.sqrt((fourth - variance**2) / n)


def test_a_point_has_the_mean_and_variance_of_theory() -> None:
    acquisition = _plain(photons=4000.0)
    field = torch.zeros(1, 80, 80, dtype=torch.float64)
    field[0, 42, 42] = 1
    kernel = formation.kernel(PIXEL_UM, acquisition, REACH_PX)[0]
    # the native pixel of rows and columns 40 to 43, around the point
    at_centre = kernel[18:22, 18:22].double().mean().item()
    draws = 20_000
    native = torch.full((draws, 1, 1), 4000 * at_centre + 1, dtype=torch.float64)
    blurred = formation.blur(field, PIXEL_UM, acquisition, REACH_PX)
    scanned = formation.scan(blurred, PIXEL_UM, acquisition, torch.Generator(), sampling=SAMPLING)
    assert scanned[0, 10, 10].item() == pytest.approx(at_centre, rel=1e-6)
    counts = formation.count(native, acquisition, torch.Generator().manual_seed(0))
    expected = 4000 * at_centre + 1
    variance = 1.4 * expected * 60**2 + 10**2 + 1 / 12
    assert abs(counts.mean().item() - 60 * expected - 300) < Z * math.sqrt(variance / draws)
    fourth = ((counts - counts.mean()) ** 4).mean().item()
    assert abs(counts.var().item() - variance) < Z * math.sqrt((fourth - variance**2) / draws)


def test_the_light_of_a_point_is_conserved() -> None:
    field = torch.zeros(1, 80, 80, dtype=torch.float64)
    field[0, 40, 40] = 1
    blurred = formation.blur(field, PIXEL_UM, _noiseless(), REACH_PX)
    assert blurred.sum().item() == pytest.approx(1, abs=1e-6)
    detected = _record(field, _noiseless()).sum().item()
    expected = 1e9 / SAMPLING**2
    assert abs(detected - expected) < Z * math.sqrt(expected)


@pytest.mark.parametrize("numerical_aperture", [0.7, 1.05])
def test_a_point_has_the_width_of_psf_and_target(numerical_aperture: float) -> None:
    acquisition = _noiseless(numerical_aperture=numerical_aperture)
    field = torch.zeros(1, 161, 161, dtype=torch.float64)
    sigma_px = acquisition.target_fwhm_um / math.sqrt(8 * math.log(2)) / PIXEL_UM
    offset = torch.arange(161, dtype=torch.float64) - 80
    spot = torch.exp(-(offset**2) / (2 * sigma_px**2))
    field[0] = spot[:, None] * spot
    row = formation.blur(field, PIXEL_UM, acquisition, REACH_PX)[0, 80].numpy()
    half = row.max() / 2
    right = np.flatnonzero(row >= half)[-1]
    crossing = right + (row[right] - half) / (row[right] - row[right + 1])
    expected_um = float(psf.fwhm_um(acquisition.optics)[0])
    assert 2 * (crossing - 80) * PIXEL_UM == pytest.approx(expected_um, rel=0.03)


def test_a_volume_of_one_plane_is_that_plane() -> None:
    field = torch.rand(1, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plane = formation.blur(field, PIXEL_UM, _noiseless(), REACH_PX)
    volume = formation.blur(field[:, None], PIXEL_UM, _noiseless(), REACH_PX, 0.25)
    torch.testing.assert_close(plane, volume, rtol=1e-5, atol=1e-7)


def test_a_plane_out_of_focus_is_dimmer_and_wider() -> None:
    field = torch.zeros(1, 9, 80, 80, dtype=torch.float64)
    field[0, 4, 40, 40] = 1
    focused = formation.blur(field, PIXEL_UM, _noiseless(), REACH_PX, 0.5)
    blurred = formation.blur(field.roll(3, 1), PIXEL_UM, _noiseless(), REACH_PX, 0.5)
    assert blurred.max() < 0.6 * focused.max()


def test_a_batch_is_recorded_as_one_by_one() -> None:
    microscope = Microscope()
    rng = np.random.default_rng(1)
    acquisitions = [microscope.draw(rng) for _ in range(3)]
    fields = torch.rand(3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = formation.blur(fields, PIXEL_UM, stack(acquisitions, fields), REACH_PX)
    for field, acquisition, image in zip(fields, acquisitions, together, strict=True):
        alone = formation.blur(field[None], PIXEL_UM, acquisition, REACH_PX)[0]
        torch.testing.assert_close(image, alone, rtol=1e-5, atol=1e-7)


def test_tissue_and_bleaching_dim_the_structure_alone() -> None:
    field = torch.ones(1, 128, 128, dtype=torch.float64)
    dimmed = _noiseless(depth_um=100.0, scattering_length_um=200.0, bleaching=0.2)
    counts = _inner(_record(field, dimmed)).mean().item()
    assert counts == pytest.approx(1e9 * math.exp(-1) * 0.8, rel=1e-4)
    dark = replace(dimmed, background_photons=1e9)
    assert _record(0 * field, dark).mean().item() == pytest.approx(1e9, rel=1e-4)


def test_expansion_beyond_what_was_assumed_blurs_more() -> None:
    field = torch.zeros(1, 80, 80, dtype=torch.float64)
    field[0, 40, 40] = 1
    right = formation.blur(field, PIXEL_UM, _noiseless(), REACH_PX).max().item()
    smaller = formation.blur(field, PIXEL_UM, _noiseless(expansion_error=0.1), REACH_PX)
    assert smaller.max().item() == pytest.approx(right / 1.1**2, rel=0.02)


def test_negative_brightness_counts_as_background() -> None:
    dark, below = (
        _record(torch.full((1, 64, 64), value), _plain(), seed=4) for value in (0.0, -0.5)
    )
    assert torch.equal(dark, below)


def test_record_repeats_from_the_same_generator_state() -> None:
    acquisition = Microscope().draw(np.random.default_rng(1))
    field = torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(2))
    assert torch.equal(_record(field, acquisition, 4), _record(field, acquisition, 4))
    assert not torch.equal(_record(field, acquisition, 4), _record(field, acquisition, 5))


def test_counts_end_at_saturation() -> None:
    acquisition = _plain(photons=1e4, saturation_counts=4095.0)
    assert _record(torch.ones(1, 64, 64), acquisition).max().item() == 4095


def test_bright_level_makes_bright_pixels_detect_the_photons_stated() -> None:
    rng = np.random.default_rng(0)
    field = torch.zeros(128, 128, dtype=torch.float64)
    field[:, rng.integers(20, 108, 8)] = 1  # thin lines, much dimmer when blurred
    level = formation.measure_bright_level(
        field, PIXEL_UM, Microscope(), sampling=SAMPLING, reach_px=REACH_PX
    )
    assert level < 0.5
    acquisition = replace(_noiseless(), depth_um=Microscope().typical().depth_um)
    acquisition = replace(acquisition, scattering_length_um=math.inf)
    counts = _inner(_record(field[None], acquisition, bright_level=level)).flatten()
    assert torch.quantile(counts, 0.998).item() == pytest.approx(1e9, rel=1e-3)


def test_an_empty_field_is_not_lit_up() -> None:
    level = formation.measure_bright_level(
        torch.full((64, 64), 0.03), PIXEL_UM, Microscope(), sampling=SAMPLING, reach_px=REACH_PX
    )
    assert level == 1


def test_margin_holds_the_light_of_the_widest_psf() -> None:
    microscope = Microscope()
    reach_px = formation.margin_px(microscope, PIXEL_UM)
    wider = formation.kernel(PIXEL_UM, stack([microscope.most_blurred()], torch.empty(0)), 80)[0]
    inside = slice(80 - reach_px, 81 + reach_px)
    assert wider[inside, inside].sum().item() > 0.995
    assert formation.margin_px(microscope, PIXEL_UM, thickness_um=20) > reach_px


def test_description_holds_widths_that_add_up() -> None:
    facts = formation.describe(replace(_plain(), expansion_error=0.05))
    blur_um = float(facts["blur_fwhm_um"]) * 1.05
    target_um = float(facts["target_fwhm_um"])
    assert math.hypot(blur_um, target_um) == pytest.approx(float(facts["psf_fwhm_um"]))
    assert None not in facts.values()
