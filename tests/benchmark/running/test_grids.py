import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from benchmark.running.grids import (
    area_mean,
    mean_channel,
    named_channel,
    on_common_grid,
    onto_grid,
)
from benchmark.running.restore import RestorationError


def test_of_several_channels_the_mean_is_scored() -> None:
    truth = xr.DataArray(np.zeros((4, 4)), dims=("y", "x"))
    both = xr.DataArray(
        np.stack([np.ones((4, 4)), np.full((4, 4), 2.0)]),
        dims=("c", "y", "x"),
        coords={"c": ["std", "mean"]},
    )
    restored, _ = on_common_grid(both, truth)
    assert restored.tolist() == np.full((1, 4, 4), 2.0).tolist()


def test_a_restoration_on_its_own_grid_is_brought_to_the_truth_s() -> None:
    truth = xr.DataArray(
        np.zeros((20, 30)), dims=("y", "x"), attrs={"pixel_size_um": {"y": 0.2, "x": 0.2}}
    )
    finer = xr.DataArray(
        np.full((40, 60), 7.0), dims=("y", "x"), attrs={"pixel_size_um": {"y": 0.1, "x": 0.1}}
    )
    restored, _ = on_common_grid(finer, truth)
    np.testing.assert_allclose(restored, np.full((1, 20, 30), 7.0))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_package_that_repeats_pixels_gains_nothing_by_its_finer_grid(factor: int) -> None:
    image = np.random.default_rng(0).normal(size=(24, 36))
    truth = xr.DataArray(
        np.zeros((24, 36)), dims=("y", "x"), attrs={"pixel_size_um": {"y": 0.2, "x": 0.2}}
    )
    pixel_um = 0.2 / factor
    finer = xr.DataArray(
        np.kron(image, np.ones((factor, factor))),
        dims=("y", "x"),
        attrs={"pixel_size_um": {"y": pixel_um, "x": pixel_um}},
    )
    restored, _ = on_common_grid(finer, truth)
    np.testing.assert_allclose(restored[0], image, atol=1e-12)


def test_another_field_of_view_cannot_be_compared() -> None:
    size = {"pixel_size_um": {"y": 0.2, "x": 0.2}}
    truth = xr.DataArray(np.zeros((20, 30)), dims=("y", "x"), attrs=size)
    larger = xr.DataArray(np.zeros((40, 60)), dims=("y", "x"), attrs=size)
    with pytest.raises(RestorationError, match="do not say that both show the same field"):
        on_common_grid(larger, truth)


@pytest.mark.parametrize(
    ("names", "taken"), [(["std", "mean"], 1), (["one", "other"], 0), (None, 0)]
)
def test_the_channel_named_mean_or_else_the_first(names: list[str] | None, taken: int) -> None:
    image = xr.DataArray(np.arange(24).reshape(2, 3, 4), dims=("c", "y", "x"))
    if names:
        image = image.assign_coords(c=names)
    np.testing.assert_array_equal(mean_channel(image), image[taken])


def test_an_image_without_channels_is_left_as_it_is() -> None:
    image = xr.DataArray(np.zeros((3, 4)), dims=("y", "x"))
    assert mean_channel(image) is image


def test_a_channel_by_its_name() -> None:
    image = xr.DataArray(np.arange(24).reshape(2, 3, 4), dims=("c", "y", "x"))
    named = image.assign_coords(c=["mean", "std"])
    np.testing.assert_array_equal(named_channel(named, "std"), image[1])
    assert named_channel(named, "sample") is None
    assert named_channel(image, "mean") is None


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


@pytest.mark.parametrize(("planes", "step_um"), [(4, 0.8), (16, 0.2)])
def test_planes_of_another_distance_are_brought_to_the_truth_s(planes: int, step_um: float) -> None:
    fields = [(planes, step_um), (8, 0.4)]
    # Brightness is linear in depth, which means and interpolation keep.
    restored, truth = (
        xr.DataArray(
            np.broadcast_to(((np.arange(n) + 0.5) * um)[:, None, None], (n, 4, 5)),
            dims=("z", "y", "x"),
            attrs={"pixel_size_um": {"z": um, "y": 0.1, "x": 0.1}},
        )
        for n, um in fields
    )
    found, expected = on_common_grid(restored, truth)
    assert expected is not None
    np.testing.assert_allclose(found[1:-1], expected[1:-1], atol=1e-6)


def test_another_depth_cannot_be_compared() -> None:
    size = {"pixel_size_um": {"z": 0.4, "y": 0.1, "x": 0.1}}
    truth = xr.DataArray(np.zeros((8, 4, 5)), dims=("z", "y", "x"), attrs=size)
    with pytest.raises(RestorationError, match="16 z x 4 y x 5 x"):
        on_common_grid(xr.concat([truth, truth], "z").assign_attrs(size), truth)
