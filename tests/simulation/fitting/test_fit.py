"""A known microscope is found as a whole, and what is written is a microscope."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from imaging.cli import UserError
from imaging.files import write_toml
from simulation import psf
from simulation.fitting import fit as fitting
from simulation.fitting import noise_free as structures
from simulation.fitting import width as widths
from simulation.fitting.brightness import expose
from simulation.fitting.fit import Given, MicroscopeFit, fit, in_effect, to_microscope
from simulation.fitting.measurement import Measurement
from simulation.fitting.noise import DetectorFit
from simulation.fitting.noise_free import generate, with_width
from simulation.fitting.stacks import Stack
from simulation.microscope import Microscope, read_microscope, to_toml

Floats = NDArray[np.float64]

NATIVE_UM, WIDTH_UM, PHOTONS, BACKGROUND = 0.32, 0.5, 80.0, 1.0
DETECTOR = DetectorFit(30.0, 200.0, 5.0, 1.35, BACKGROUND, True)
BASE = Microscope()


def _stack(
    planes: Floats,
    order: Literal["depth", "time"] | None = None,
    z_step_um: float | None = None,
) -> Stack:
    return Stack(Path("a.tif"), planes, order, NATIVE_UM, z_step_um)


@pytest.fixture(scope="module")
def images() -> Floats:
    """Fields without noise, 1 at the bright level."""
    structure = generate("cells", NATIVE_UM, 0.8, seed=50, fields=6)
    return structure.images(with_width(in_effect(BASE), WIDTH_UM))


@pytest.fixture(scope="module")
def told(images: Floats) -> Given:
    planes = expose(images, PHOTONS, BACKGROUND, DETECTOR, 65535.0, (1, 0))
    again = expose(images, PHOTONS, BACKGROUND, DETECTOR, 65535.0, (2, 0))
    return Given(
        stacks=[_stack(plane[None]) for plane in planes],
        repeats=[_stack(np.stack(pair)) for pair in zip(planes, again, strict=True)],
        bead_widths_um=None,
        base=BASE,
        pixel_size_um=NATIVE_UM,
        saturation_counts=65535.0,
        excess_noise_factor=1.35,
        kinds=["cells"],
        seed=0,
    )


@pytest.fixture(scope="module")
def fitted(told: Given) -> MicroscopeFit:
    with pytest.MonkeyPatch.context() as patch:
        # Few, small fields and few widths, so that tests are fast.
        patch.setattr(fitting, "_RESAMPLINGS", 2)
        patch.setattr(structures, "_SIDE_PX", 64)
        patch.setattr(widths, "_FIELDS", 6)
        patch.setattr(widths, "_STEPS", 5)
        patch.setattr(widths, "_FINE_STEPS", 20)
        return fit(told)


def test_a_known_microscope_is_found(fitted: MicroscopeFit) -> None:
    assert fitted.gain.best == pytest.approx(30.0, rel=0.05)
    assert fitted.offset.best == pytest.approx(200.0, abs=2.0)
    assert fitted.read_noise.best == pytest.approx(5.0, rel=0.2)
    assert fitted.width_um.best == pytest.approx(WIDTH_UM, rel=0.1)
    assert fitted.photons.best == pytest.approx(PHOTONS, rel=0.15)
    assert fitted.background.best == pytest.approx(BACKGROUND, rel=0.25)


def test_best_values_lie_in_their_ranges(fitted: MicroscopeFit) -> None:
    measured = (
        fitted.gain, fitted.offset, fitted.read_noise, fitted.width_um, fitted.photons,
        fitted.background,
    )  # fmt: skip
    for value in measured:
        assert 0 <= value.low <= value.best <= value.high


def test_single_images_have_no_decay(fitted: MicroscopeFit) -> None:
    assert fitted.depth_decay is None
    assert fitted.time_decay is None


def test_relative_light_is_about_one_for_fields_alike(fitted: MicroscopeFit) -> None:
    assert fitted.relative_light.shape == (6,)
    np.testing.assert_allclose(fitted.relative_light, 1, atol=0.4)


def test_what_is_written_is_a_microscope(
    fitted: MicroscopeFit, told: Given, tmp_path: Path
) -> None:
    made = to_microscope(fitted, told, {"seed": 0, "command": "fit"})
    write_toml(tmp_path / "microscope.toml", to_toml(made))
    assert read_microscope(tmp_path / "microscope.toml") == made


def test_microscope_has_the_measured_ranges(fitted: MicroscopeFit, told: Given) -> None:
    made = to_microscope(fitted, told, {})
    assert made.photons == (fitted.photons.low, fitted.photons.high)
    assert made.gain_counts_per_photon == (fitted.gain.low, fitted.gain.high)
    assert made.offset_counts == (fitted.offset.low, fitted.offset.high)
    assert made.read_noise_counts == (fitted.read_noise.low, fitted.read_noise.high)
    assert made.background_photons == (fitted.background.low, fitted.background.high)
    assert made.pixel_size_um == NATIVE_UM
    assert made.excess_noise_factor == (1.35, 1.35)


def test_psf_of_the_microscope_has_the_measured_widths(fitted: MicroscopeFit, told: Given) -> None:
    made = to_microscope(fitted, told, {})
    ends = [float(psf.fwhm_um(a.optics)[0]) for a in (made.sharpest(), made.most_blurred())]
    assert ends == pytest.approx([fitted.width_um.low, fitted.width_um.high], rel=5e-3)


def test_psf_beyond_all_optics_becomes_the_widest_possible(
    fitted: MicroscopeFit, told: Given
) -> None:
    impossible = replace(fitted, width_um=Measurement(1.0, 0.01, 100.0))
    low, high = to_microscope(impossible, told, {}).numerical_aperture
    assert low == pytest.approx(0.05, abs=1e-3)
    assert high == pytest.approx(0.98 * BASE.refractive_index, abs=1e-3)


def test_motion_and_loss_that_were_not_seen_are_left_out(
    fitted: MicroscopeFit, told: Given
) -> None:
    made = to_microscope(fitted, told, {})
    assert made.breathing_um == made.drift_um == made.vignetting == made.bleaching == (0, 0)
    assert made.depth_um == (0, 0)
    assert made.scattering_length_um == (np.inf, np.inf)


def test_line_jitter_is_written_in_micrometres(fitted: MicroscopeFit, told: Given) -> None:
    shaken = replace(fitted, jitter_px=Measurement(0.2, 0.1, 0.3))
    assert to_microscope(shaken, told, {}).line_jitter_um == pytest.approx((0.032, 0.096))


def test_attenuation_with_depth(fitted: MicroscopeFit, told: Given) -> None:
    # exp(-2 z / length) loses 2 % per plane of 1 µm where the length is 100 µm.
    stack = _stack(np.ones((21, 64, 64)), "depth", 1.0)
    deep = replace(fitted, depth_decay=Measurement(0.02, 0.016, 0.025))
    made = to_microscope(deep, replace(told, stacks=[stack]), {})
    assert made.depth_um == (0, 20)
    assert made.scattering_length_um == pytest.approx((80.0, 125.0))
    assert made.tissue_refractive_index == made.refractive_index


@pytest.mark.parametrize(
    "decay", [Measurement(0.02, -0.01, 0.05), Measurement(-0.02, -0.03, -0.01), None]
)
def test_no_attenuation_unless_it_is_sure(
    fitted: MicroscopeFit, told: Given, decay: Measurement | None
) -> None:
    stack = _stack(np.ones((21, 64, 64)), "depth", 1.0)
    made = to_microscope(replace(fitted, depth_decay=decay), replace(told, stacks=[stack]), {})
    assert made.depth_um == (0, 0)


def test_unknown_distance_of_planes_gives_no_attenuation(
    fitted: MicroscopeFit, told: Given
) -> None:
    stack = _stack(np.ones((21, 64, 64)), "depth")
    deep = replace(fitted, depth_decay=Measurement(0.02, 0.016, 0.025))
    assert to_microscope(deep, replace(told, stacks=[stack]), {}).depth_um == (0, 0)


def test_bleaching_is_what_the_last_image_lost(fitted: MicroscopeFit, told: Given) -> None:
    stack = _stack(np.ones((11, 64, 64)), "time")
    bleached = replace(fitted, time_decay=Measurement(0.05, 0.04, 0.06))
    made = to_microscope(bleached, replace(told, stacks=[stack]), {})
    assert made.bleaching == (0, pytest.approx(1 - np.exp(-0.5)))


def test_excess_noise_stays_physical(fitted: MicroscopeFit, told: Given) -> None:
    camera = replace(fitted, detector=replace(DETECTOR, excess_noise_factor=1.02))
    made = to_microscope(camera, replace(told, excess_noise_factor=None), {})
    assert made.excess_noise_factor == (1.0, pytest.approx(1.07))


def test_beads_give_the_width(told: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_RESAMPLINGS", 2)
    monkeypatch.setattr(structures, "_SIDE_PX", 64)
    monkeypatch.setattr(widths, "_FIELDS", 2)
    measured = np.linspace(0.46, 0.54, 21)
    found = fit(replace(told, bead_widths_um=measured, kinds=["points"]))
    # The median's standard error and what aberration does to the shape, relative.
    sd = np.hypot(np.sqrt(np.pi / 2 / 21) * np.log(measured).std(), 0.015)
    value = found.width_um
    assert value.best == pytest.approx(0.5)
    assert np.log([value.low, value.high]) == pytest.approx(
        np.log(0.5) + np.array([-1.645, 1.645]) * sd
    )


def test_loss_over_a_series_is_measured(
    images: Floats, told: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "_RESAMPLINGS", 2)
    monkeypatch.setattr(structures, "_SIDE_PX", 64)
    monkeypatch.setattr(widths, "_FIELDS", 2)
    left = np.exp(-0.1 * np.arange(8))[:, None, None]
    planes = expose(images[:1] * left, PHOTONS, 0.01, DETECTOR, 65535.0, (3, 0))
    series = replace(
        told, stacks=[_stack(planes, "time")], bead_widths_um=np.array([WIDTH_UM]), kinds=["points"]
    )
    found = fit(series)
    assert found.time_decay is not None
    assert found.time_decay.best == pytest.approx(0.1, rel=0.15)
    assert found.depth_decay is None


@pytest.mark.parametrize("kind", ["dark", "smoothed"])
def test_images_without_the_noise_of_photons_are_refused(
    kind: str, images: Floats, told: Given
) -> None:
    planes = expose(images * (kind != "dark"), PHOTONS, 0.0, DETECTOR, 65535.0, (4, 0))
    if kind == "smoothed":
        planes = gaussian_filter(planes, (0, 1.5, 1.5)).round()
    without = replace(told, stacks=[_stack(planes)], repeats=[])
    with pytest.raises(UserError, match=r"^The noise of a\.tif .* does not grow with brightness"):
        fit(without)


def test_equal_repeats_are_refused(told: Given) -> None:
    copied = replace(told, repeats=[_stack(np.repeat(told.stacks[0].planes, 3, axis=0))])
    with pytest.raises(UserError, match="does not grow with brightness"):
        fit(copied)


@given(st.floats(0.01, 1e4), st.floats(0, 0.5))
def test_relative_range_is_even_in_logarithms(best: float, sd: float) -> None:
    value = Measurement.relative(best, sd)
    assert value.low <= value.best <= value.high
    assert value.low * value.high == pytest.approx(best**2)
    assert np.log(value.high / best) == pytest.approx(1.645 * sd, abs=1e-12)


def test_absolute_range_does_not_fall_below_zero() -> None:
    assert Measurement.absolute(100.0, 2.0) == Measurement(100.0, 100 - 3.29, 100 + 3.29)
    assert Measurement.absolute(1.0, 2.0).low == 0


def test_range_of_fields_holds_their_spread_but_not_the_error_of_measuring() -> None:
    rng = np.random.default_rng(0)
    spread, error = 0.4, 0.3
    values = 50 * np.exp(np.hypot(spread, error) * rng.standard_normal(4000))
    value = Measurement.of_fields(values, error, 0.0)
    assert value.best == pytest.approx(50, rel=0.03)
    assert np.log(value.high / value.best) / 1.645 == pytest.approx(spread, rel=0.08)


def test_fields_alike_have_the_range_of_what_is_missed() -> None:
    assert Measurement.of_fields(np.full(5, 50.0), 0.1, 0.06) == Measurement.relative(50.0, 0.06)


def test_no_light_still_gives_a_range_above_zero() -> None:
    assert Measurement.of_fields(np.zeros(3), 0.0, 0.1).low > 0
