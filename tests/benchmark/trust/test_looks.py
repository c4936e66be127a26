"""What each test sees in images that are known by a closed form."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from benchmark.trust import amplitudes, crossings, empty, gaps, separation
from benchmark.trust.plane import Floats, Geometry, Outcome, Plane
from tests.benchmark.trust import drawings
from tests.benchmark.trust.drawings import PIXEL_UM, TEST_OF, look, render, value


def seen(geometry: Geometry, fwhm_um: float, test: str) -> list[Outcome]:
    plane = Plane(render(geometry, fwhm_um), PIXEL_UM)
    return TEST_OF[test].look(plane, geometry, drawings.PSF_FWHM_UM)


@pytest.mark.parametrize("fwhm_um", [0.25, 0.4])
@pytest.mark.parametrize(
    ("draw", "test"), [(drawings.point_pairs, "points"), (drawings.tube_pairs, "tubes")]
)
def test_gaussians_are_resolved_from_their_rayleigh_distance_on(
    draw: Callable[[np.random.Generator], Geometry], test: str, fwhm_um: float
) -> None:
    """Two Gaussians dip by 26.5 % at 1.197 of their full width (solved numerically)."""
    geometry = draw(np.random.default_rng(0))
    outcomes = pd.DataFrame(seen(geometry, fwhm_um, test))
    far = outcomes[outcomes.distance_um > 1.197 * fwhm_um + 0.02]
    near = outcomes[outcomes.distance_um < 1.197 * fwhm_um - 0.02]
    assert len(far) > 3
    assert (far.seen_as_two == 1).all()
    assert (near.seen_as_two == 0).all()


def test_pairs_cut_off_by_the_edge_are_not_judged() -> None:
    geometry = drawings.tube_pairs(np.random.default_rng(0))
    whole = len(seen(geometry, 0.3, "tubes"))
    pairs = [pair for pair in geometry["pairs"] if pair["distance_um"]]
    lost = pairs[0]["pair"]
    member = next(tube for tube in geometry["tubes"] if tube["pair"] == lost)
    geometry["tubes"].remove(member)
    assert len(seen(geometry, 0.3, "tubes")) == whole - 1


def test_pairs_of_other_brightness_say_nothing_of_resolution() -> None:
    geometry = drawings.point_pairs(np.random.default_rng(0), ratio=2.0)
    assert {o["distance_um"] for o in seen(geometry, 0.2, "points")} == {0.0}


def test_two_seen_in_the_wrong_place_are_not_resolved() -> None:
    geometry = drawings.tube_pairs(np.random.default_rng(0))
    outcomes = pd.DataFrame(seen(geometry, 0.15, "tubes"))
    judged = np.roll(render(geometry, 0.15), 4, axis=(0, 1))
    moved = pd.DataFrame(separation.see_tubes(Plane(judged, PIXEL_UM), geometry))
    close = outcomes.distance_um.between(0.3, 0.6)
    assert outcomes.seen_as_two[close].all()
    assert moved.seen_as_two[close].mean() < 0.5


@pytest.mark.parametrize("fwhm_um", [0.2, 0.4])
def test_gaps_are_open_where_a_blurred_gap_falls_below_half(fwhm_um: float) -> None:
    """Two ends add up to half of a tube's brightness where each gives a quarter: at √2 widths."""
    outcomes = pd.DataFrame(seen(drawings.gaps(np.random.default_rng(0)), fwhm_um, "gaps"))
    wide = outcomes[outcomes.length_um > math.sqrt(2) * fwhm_um + 0.03]
    narrow = outcomes[outcomes.length_um < math.sqrt(2) * fwhm_um - 0.03]
    assert len(wide) > 3
    assert (wide.open == 1).all()
    assert (narrow.open == 0).all()


def test_an_image_without_tubes_shows_them_all_broken() -> None:
    geometry = drawings.gaps(np.random.default_rng(0))
    blank = Plane(np.zeros((256, 256)), PIXEL_UM)
    assert all(outcome["open"] for outcome in gaps.follow(blank, geometry))


def test_balanced_accuracy_is_one_less_the_mean_error() -> None:
    outcomes = pd.DataFrame(
        {
            "length_um": [0.5, 0.6, 0.7, 0.8, 0.1, 0.0, 0.0],
            "open": [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            "image": ["a", "a", "b", "b", "a", "a", "b"],
        }
    )
    found = gaps.summarise(outcomes, psf_fwhm_um=0.4)
    assert value(found, "false_bridges") == 0.25
    assert value(found, "false_breaks") == 0.5
    assert value(found, "balanced_accuracy") == 0.625


def test_one_merged_tube_is_counted_wrong_where_there_are_two() -> None:
    geometry = drawings.crossings(np.random.default_rng(0))
    sharp = pd.DataFrame(seen(geometry, 0.15, "crossings"))
    merged = pd.DataFrame(seen(geometry, 0.9, "crossings"))
    assert (sharp.right == 1).all()
    assert merged.right.mean() < 0.8


def test_sections_at_the_edge_are_not_asked() -> None:
    geometry = drawings.crossings(np.random.default_rng(0))
    part = Plane(render(geometry, 0.2)[:100, :100], PIXEL_UM)
    found = crossings.count(part, geometry, drawings.PSF_FWHM_UM)
    assert 0 < len(found) < len(geometry["crossings"])


def _field(image: Floats) -> Outcome:
    geometry = drawings.field(np.random.default_rng(0))
    plane = Plane(image + render(geometry, 0.2), PIXEL_UM)
    (outcome,) = empty.look(plane, geometry, drawings.PSF_FWHM_UM)
    return outcome


def test_objects_half_as_bright_as_tubes_are_counted() -> None:
    image = np.zeros((256, 256))
    for column, brightness in ((50, 0.45), (100, 0.55), (150, 2.0)):
        image[50:53, column : column + 3] = brightness
    assert _field(image)["objects"] == 2


def test_pixels_that_touch_at_a_corner_are_one_object() -> None:
    image = np.zeros((256, 256))
    image[[50, 51, 52], [50, 51, 52]] = 1.0
    assert _field(image)["objects"] == 1


def test_what_lies_outside_the_field_is_not_counted() -> None:
    image = np.zeros((256, 256))
    image[2, 2] = image[205, 20] = 1.0
    assert _field(image)["objects"] == 0


def test_the_scale_of_the_restored_image_does_not_matter() -> None:
    geometry = drawings.field(np.random.default_rng(0))
    image = render(geometry, 0.2)
    image[50, 50] = 0.6
    (one,), (other,) = (
        empty.look(Plane(a * image + b, PIXEL_UM), geometry, drawings.PSF_FWHM_UM)
        for a, b in ((1, 0), (50, -7))
    )
    assert one == pytest.approx(other)


def test_the_area_is_that_of_the_field() -> None:
    assert _field(np.zeros((256, 256)))["area_um2"] == pytest.approx(15.6 * 19.6, rel=0.01)


@pytest.mark.parametrize("level", [-0.3, 0.1, 0.5])
def test_the_light_of_a_flat_field_is_its_level_in_tubes(level: float) -> None:
    image = np.zeros((256, 256))
    image[5:200, 5:250] = level
    assert _field(image)["light"] == pytest.approx(abs(level), rel=0.03)


def test_the_light_of_waves_is_that_of_the_blurred_ones() -> None:
    """A Gaussian of σ passes exp(−2(πσf)²) of a wave, whose root mean square is a/√2."""
    a, f = 0.4, 0.8
    waves = a * np.sin(2 * np.pi * f * (np.arange(256) + 0.5) * PIXEL_UM)
    sigma_um = drawings.PSF_FWHM_UM / math.sqrt(8 * math.log(2))
    image = np.zeros((256, 256))
    image[5:200, 5:250] = np.tile(waves, (256, 1))[5:200, 5:250]
    expected = a / math.sqrt(2) * math.exp(-2 * (math.pi * sigma_um * f) ** 2)
    assert _field(image)["light"] == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("level", "light"), [(0.3, 1.0), (-0.3, 1.0), (0.0, 0.0)])
def test_light_without_tubes_fills_a_field_and_a_black_image_does_not(
    level: float, light: float
) -> None:
    geometry = drawings.field(np.random.default_rng(0))
    image = np.zeros((256, 256))
    image[5:200, 5:250] = level
    plane = Plane(image, PIXEL_UM)
    assert empty.look(plane, geometry, drawings.PSF_FWHM_UM)[0]["light"] == light


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_planted_power_of_ratios_is_found(power: float) -> None:
    outcomes: list[Outcome] = []
    for image, ratio in enumerate((1.5, 2.0, 3.0, 5.0)):
        geometry = drawings.point_pairs(np.random.default_rng(image), ratio, closest_um=0.6)
        restored = {"points": [dict(p) for p in geometry["points"]]}
        for point in restored["points"]:
            point["brightness"] **= power
        plane = Plane(render(restored, 0.15), PIXEL_UM)
        found = amplitudes.compare(plane, geometry, drawings.PSF_FWHM_UM)
        outcomes += [{"image": float(image), **outcome} for outcome in found]
    values = amplitudes.summarise(pd.DataFrame(outcomes))
    assert value(values, "ratio_exponent") == pytest.approx(power, rel=0.02)


def test_a_dim_point_that_is_gone_is_lost() -> None:
    geometry = drawings.point_pairs(np.random.default_rng(0), 3.0, closest_um=0.6)
    bright = {"points": [p for p in geometry["points"] if p["brightness"] == 1]}
    plane = Plane(render(bright, 0.15), PIXEL_UM)
    found = pd.DataFrame(amplitudes.compare(plane, geometry, drawings.PSF_FWHM_UM))
    assert len(found) > 5
    assert value(amplitudes.summarise(found.assign(image=0)), "dim_lost") == 1.0


def test_the_rate_of_splits_is_zero_for_gaussians() -> None:
    found = look(TEST_OF["points"], drawings.truth, images=1)
    assert value(found, "false_splits") == 0.0
    assert math.isfinite(value(found, "d50_um"))
