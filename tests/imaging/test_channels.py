from pathlib import Path

import pytest
import xarray as xr

from imaging.channels import one_channel
from imaging.cli import UserError
from tests.small_images import image

PATH = Path("a.tif")


def two_channels() -> xr.DataArray:
    return image("cyx", (2, 4, 5)).assign_coords(c=["DAPI", "GFP"])


@pytest.mark.parametrize("wanted", ["2", "GFP"])
def test_a_channel_by_number_or_name(wanted: str) -> None:
    whole = two_channels()
    xr.testing.assert_equal(one_channel(PATH, whole, wanted), whole.isel(c=1))


def test_an_image_of_one_channel_is_taken_whatever_is_wanted() -> None:
    whole = image("yx", (4, 5))
    assert one_channel(PATH, whole, "GFP") is whole


@pytest.mark.parametrize("wanted", [None, "all", "3"])
def test_channels_are_listed_where_none_is_meant(wanted: str | None) -> None:
    with pytest.raises(UserError, match=r"a\.tif.*give --channel one of 1 \(DAPI\), 2 \(GFP\)\."):
        one_channel(PATH, two_channels(), wanted)
