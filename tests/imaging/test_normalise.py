import numpy as np
import pytest

from imaging.normalise import gain_for, normalise

IMAGE = np.random.default_rng(0).random((32, 32)).astype(np.float32) * 200 + 100


@pytest.mark.parametrize("unit", [1e-5, 1e-10, 1e-30])
def test_a_faint_image_is_normalised_like_a_bright_one(unit: float) -> None:
    np.testing.assert_allclose(normalise(IMAGE * unit), normalise(IMAGE), atol=2e-6)


def test_a_bright_image_is_divided_by_its_range_and_the_constant() -> None:
    low, high = np.percentile(IMAGE.astype(np.float64), [2, 99.8])
    expected = ((IMAGE.astype(np.float64) - low) / (high - low + 1e-6)).astype(np.float32)
    np.testing.assert_array_equal(normalise(IMAGE), expected)


def test_a_constant_image_stays_finite() -> None:
    assert (normalise(np.full((4, 4), 1e-9)) == 0).all()


@pytest.mark.parametrize("extent", [1e-2, 1.0, 65535.0])
def test_what_is_not_faint_is_taken_as_it_is(extent: float) -> None:
    assert gain_for(extent) == 1


@pytest.mark.parametrize("extent", [9.9e-3, 1e-7, 3e-30, 1e-300])
def test_a_faint_range_is_brought_between_one_and_two_by_a_power_of_two(extent: float) -> None:
    assert 1 <= extent * gain_for(extent) < 2
    assert np.frexp(gain_for(extent))[0] == 0.5
