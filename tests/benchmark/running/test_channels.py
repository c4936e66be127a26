import numpy as np
import pytest
import xarray as xr

from benchmark.running.channels import mean_channel, named_channel


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
