"""Images of several channels, restored by packages that take one."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import xarray as xr
from torch import nn

from imaging import images
from imaging.cli import UserError
from packages.predict import predict_file
from tests import tiny_packages as tiny
from tests.small_images import random_image


class Twice(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([image, image], dim=1)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("unchanged") / "p", nn.Identity(), preprocessing=[])


@pytest.fixture
def recorded(tmp_path: Path) -> xr.DataArray:
    image = random_image(2, 3, 20, 24, dims="bcyx").assign_coords(c=["GFP", "DAPI", "3"])
    images.write(tmp_path / "in.ome.tif", image)
    return image


def restored(package: Path, folder: Path, channel: str | None) -> xr.DataArray:
    predict_file(package, folder / "in.ome.tif", folder / "out.ome.tif", channel=channel)
    return images.read(folder / "out.ome.tif")


@pytest.mark.parametrize(("wanted", "index"), [("DAPI", 1), ("1", 0), ("3", 2)])
def test_a_channel_is_chosen_by_name_or_number(
    unchanged: Path, tmp_path: Path, recorded: xr.DataArray, wanted: str, index: int
) -> None:
    result = restored(unchanged, tmp_path, wanted)
    assert result.dims == ("b", "y", "x")
    np.testing.assert_array_equal(result, recorded.isel(c=index))


def test_all_channels_are_restored_each_by_itself(
    unchanged: Path, tmp_path: Path, recorded: xr.DataArray
) -> None:
    result = restored(unchanged, tmp_path, "all")
    assert [str(name) for name in result.coords["c"].values] == ["GFP", "DAPI", "3"]
    np.testing.assert_array_equal(result, recorded)


@pytest.mark.usefixtures("recorded")
def test_channels_of_a_package_stand_behind_the_name_of_the_image_s(tmp_path: Path) -> None:
    package = tiny.write(tmp_path / "p", Twice(), channels=("mean", "std"))
    result = restored(package, tmp_path, "all")
    assert [str(name) for name in result.coords["c"].values] == [
        *("GFP mean", "GFP std", "DAPI mean", "DAPI std", "3 mean", "3 std"),
    ]


def test_each_channel_states_its_own_scale(tmp_path: Path, recorded: xr.DataArray) -> None:
    percentiles = [{"id": "scale_range", "kwargs": {"axes": ["y", "x"], **tiny.PERCENTILES}}]
    package = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=percentiles)
    restored(package, tmp_path, "all")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as tiff:
        said = tiff.ome_metadata or ""
    for name, low in zip(
        ("GFP", "DAPI", "3"), np.percentile(recorded, 2, axis=(0, 2, 3)), strict=True
    ):
        assert f'<M K="intensity_offset of {name}">{low:.9g}</M>' in said


@pytest.mark.parametrize("wanted", ["4", "0", "gfp"])
@pytest.mark.usefixtures("recorded")
def test_a_channel_that_is_not_there_is_refused_with_those_that_are(
    unchanged: Path, tmp_path: Path, wanted: str
) -> None:
    with pytest.raises(UserError, match=rf"'{wanted}'.*one of 1 \(GFP\), 2 \(DAPI\), 3, or all"):
        restored(unchanged, tmp_path, wanted)
    assert not (tmp_path / "out.ome.tif").exists()


@pytest.mark.usefixtures("recorded")
def test_without_a_choice_the_way_to_choose_is_said(unchanged: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has 3 channels and the package takes 1.*--channel"):
        restored(unchanged, tmp_path, None)


@pytest.mark.parametrize("wanted", ["1", "all"])
def test_the_only_channel_can_be_asked_for(unchanged: Path, tmp_path: Path, wanted: str) -> None:
    image = random_image(20, 24)
    images.write(tmp_path / "in.ome.tif", image)
    np.testing.assert_array_equal(restored(unchanged, tmp_path, wanted), image)
