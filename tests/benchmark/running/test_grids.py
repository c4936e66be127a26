import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from benchmark.running.grids import area_mean, onto_grid


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_the_mean_over_the_field_is_kept(length: int, more: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=length + more)
    assert area_mean(values, length, axis=0).mean() == pytest.approx(values.mean())


@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 99))
def test_whole_factors_give_means_of_blocks(length: int, factor: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(3, length * factor))
    blocks = values.reshape(3, length, factor).mean(axis=2)
    np.testing.assert_allclose(area_mean(values, length, axis=1), blocks, atol=1e-12)


def test_parts_of_pixels_weigh_by_their_length() -> None:
    # Repeating each pixel twice makes whole factors of 5 to 2.
    values = np.array([4.0, 1.0, 7.0, 2.0, 9.0])
    expected = np.repeat(values, 2).reshape(2, 5).mean(axis=1)
    np.testing.assert_allclose(area_mean(values, 2, axis=0), expected)


def test_one_axis_may_shrink_while_the_other_grows() -> None:
    image = xr.DataArray(np.full((2, 6, 4), 3.0), dims=("z", "y", "x"))
    np.testing.assert_allclose(onto_grid(image, (3, 8)), np.full((2, 3, 8), 3.0))


def test_an_image_on_its_grid_stays_as_it_is() -> None:
    image = xr.DataArray(np.random.default_rng(0).random((5, 6)), dims=("y", "x"))
    np.testing.assert_array_equal(onto_grid(image, (5, 6)), image.values)
