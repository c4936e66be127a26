from pathlib import Path

import pytest
import xarray as xr

from imaging.channels import identifiers, one_channel
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


NAMED = {
    "kept": (["DAPI", "GFP"], ["DAPI", "GFP"]),
    "spaces and signs": (["DAPI 405", "α-GFP"], ["DAPI_405", "GFP"]),
    "numbers": (["405", "class"], ["channel_405", "channel_class"]),
    "alike": (["GFP 1", "GFP-1"], ["channel_1", "channel_2"]),
    "nothing left": (["+", "GFP"], ["channel_1", "channel_2"]),
}


@pytest.mark.parametrize("case", NAMED)
def test_names_become_identifiers(case: str) -> None:
    names, expected = NAMED[case]
    assert identifiers(two_channels().assign_coords(c=names)) == expected


def test_channels_without_names_are_numbered() -> None:
    assert identifiers(two_channels().drop_vars("c")) == ["channel_1", "channel_2"]
