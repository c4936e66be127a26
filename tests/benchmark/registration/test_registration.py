import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.metrics import NotApplicable
from benchmark.registration.alignment import Affine, align_affine, warp
from benchmark.registration.displacement import Residual, measure_residual, shared
from benchmark.registration.registration import Registration, register_pair
from tests.benchmark.deformed import BLUR_PX, deformation, pair
from tests.benchmark.metrics.acquisitions import blurred, curves

SIDE = 192
INNER = (slice(None), slice(24, -24), slice(24, -24))


def errors(registration: Registration, field: np.ndarray) -> np.ndarray:
    """Distances of found from planted positions, pixels, where blocks reach."""
    return np.linalg.norm((registration.after.field - field)[INNER], axis=0)


def test_a_planted_rigid_motion_is_found_to_a_fifth_of_a_pixel() -> None:
    field = deformation(SIDE, shift_px=(6, -9), rotation_deg=4, scale=1.03)
    found = register_pair(*pair(field))
    assert found.kept == "affine"
    assert np.percentile(errors(found, field), 95) < 0.2
    assert found.affine.rotation_deg == pytest.approx(4, abs=0.1)
    assert found.affine.scale == pytest.approx(1.03, abs=0.003)
    assert found.affine.shift_px == pytest.approx((6, -9), abs=0.2)
    assert found.blur_sigma_px == pytest.approx(BLUR_PX, rel=0.15)


def test_a_planted_bend_on_top_is_found_to_less_than_a_pixel() -> None:
    field = deformation(SIDE, shift_px=(4, 5), rotation_deg=-2, bend_px=3)
    found = register_pair(*pair(field))
    assert found.kept == "elastic"
    assert np.median(errors(found, field)) < 0.5
    assert np.percentile(errors(found, field), 95) < 1.2
    assert found.after.residual.median_px < found.before.residual.median_px / 3


def test_without_the_elastic_step_a_bend_is_left_and_measured() -> None:
    field = deformation(SIDE, shift_px=(4, 5), bend_px=3)
    found = register_pair(*pair(field), elastic=False)
    assert (found.kept, found.why) == ("affine", "")
    assert found.after.residual.median_px > 1


def test_what_lies_in_place_stays_there() -> None:
    found = register_pair(*pair(deformation(SIDE)))
    assert found.kept == "nothing"
    assert not found.after.field.any()
    assert "not kept, as" in found.why


@pytest.mark.parametrize("of_other", ["noise", "scene"])
def test_what_has_nothing_in_common_is_refused(of_other: str) -> None:
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    other = noise if of_other == "noise" else pair(deformation(SIDE), seed=5)[0]
    found = register_pair(other, pair(deformation(SIDE), seed=1)[1])
    assert found.kept == "nothing"
    assert found.why.startswith("Nothing is kept, as")
    assert found.after == found.before


@pytest.mark.parametrize("flat", [0, 1])
def test_a_constant_image_is_refused(flat: int) -> None:
    both = [*pair(deformation(64))]
    both[flat] = np.ones((64, 64))
    with pytest.raises(NotApplicable, match=r"(input|target) is constant"):
        register_pair(*both)


def test_a_small_image_is_refused() -> None:
    with pytest.raises(NotApplicable, match="at least 64 x 64 pixels of the input, not 63 x 80"):
        register_pair(np.eye(63, 80), np.eye(63, 80))


@given(y=st.integers(-12, 12), x=st.integers(-12, 12))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_any_shift_is_found_and_undone(y: int, x: int) -> None:
    scene = blurred(curves(128, seed=3), 2.0)
    fixed = scene[16:-16, 16:-16]
    moving = scene[16 - y : 112 - y, 16 - x : 112 - x]
    affine = align_affine(fixed, moving)
    assert affine.shift_px == pytest.approx((y, x), abs=0.1)
    residual = measure_residual(fixed, warp(moving, affine.field(fixed.shape)))
    assert residual.percentile_95_px <= 0.15


def test_parts_of_an_affine_map_are_read_back() -> None:
    turn = np.radians(10)
    matrix = 1.2 * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    affine = Affine(matrix @ np.array([[1, 0], [0.1, 1]]), np.zeros(2))
    assert affine.scale == pytest.approx(1.2)
    assert affine.rotation_deg == pytest.approx(10)
    assert affine.shear == pytest.approx(0.1)


def test_warping_by_nothing_changes_nothing() -> None:
    image = curves(64)
    np.testing.assert_allclose(warp(image, np.zeros((2, 64, 64))), image, atol=1e-12)


def test_where_the_target_ends_there_is_nothing() -> None:
    moved = warp(curves(64), np.stack([np.full((64, 64), 2.0), np.zeros((64, 64))]))
    assert np.isnan(moved[-2:]).all()
    assert np.isfinite(moved[:-2]).all()


def test_blocks_measure_a_planted_shift() -> None:
    scene = blurred(curves(200, seed=2), 1.5)
    residual = measure_residual(scene[:192, :192], scene[3:195, 5:197])
    # Their window holds what does not move: long shifts come out a little too short.
    assert np.median(residual.shift_px, axis=0) == pytest.approx((-3, -5), rel=0.05)


def test_blocks_without_overlap_are_refused() -> None:
    with pytest.raises(NotApplicable, match="Not one block"):
        measure_residual(np.eye(64), np.full((64, 64), np.nan))


def test_residuals_are_compared_on_the_blocks_that_both_have() -> None:
    one = Residual(
        np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 9.0]]), np.array([[0, 1], [0, 5], [7, 0]])
    )
    other = Residual(np.array([[9.0, 9.0], [0.0, 0.0]]), np.array([[0, 2], [3, 0]]))
    first, second = shared(one, other)
    assert first.at_px.tolist() == second.at_px.tolist() == [[0, 0], [9, 9]]
    assert first.shift_px.tolist() == [[0, 1], [7, 0]]
    assert second.shift_px.tolist() == [[3, 0], [0, 2]]
