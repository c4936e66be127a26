import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.metrics.intensity import affine_fit, normalise
from benchmark.metrics.metric import NotApplicable
from imaging.normalise import normalise as package_normalise

RNG = np.random.default_rng(3)
IMAGE = RNG.gamma(2.0, 100.0, (40, 50))


def test_percentiles_become_zero_and_one():
    assert np.percentile(normalise(IMAGE), [2, 99.8]) == pytest.approx([0, 1])


def test_is_the_scale_on_which_packages_deliver():
    np.testing.assert_allclose(normalise(IMAGE), package_normalise(IMAGE), atol=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_normalise_does_not_depend_on_the_unit(unit: float):
    np.testing.assert_allclose(normalise(IMAGE * unit), normalise(IMAGE), rtol=1e-9, atol=1e-12)


def test_an_almost_empty_image_cannot_be_normalised():
    image = np.zeros((100, 100))
    image[0, 0] = 1
    with pytest.raises(NotApplicable, match="same value"):
        normalise(image)


def test_affine_fit_is_the_regression_line():
    prediction = 0.01 * IMAGE + RNG.normal(0, 1, IMAGE.shape)
    slope, intercept = np.polyfit(prediction.ravel(), IMAGE.ravel(), 1)
    expected = slope * prediction + intercept
    np.testing.assert_allclose(affine_fit(IMAGE, prediction), expected, rtol=1e-9)


@given(scale=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3), offset=st.floats(-1e3, 1e3))
def test_affine_fit_undoes_any_affine_change(scale: float, offset: float):
    np.testing.assert_allclose(affine_fit(IMAGE, scale * IMAGE + offset), IMAGE, rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_affine_fit_of_extreme_values(factor: float):
    np.testing.assert_allclose(affine_fit(IMAGE, factor * IMAGE), IMAGE, rtol=1e-9)
