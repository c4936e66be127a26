import numpy as np
import pytest
import xarray as xr

from benchmark.channels import mean_channel


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
