"""Registered channels: what all images must share, and planes that are blank in some channel."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import Item, open_dataset
from training.data import Pair
from training.registered import brightest, load_registered, shared_channels

SIZE_UM = {"z": 0.4, "y": 0.2, "x": 0.2}


def write(folder: Path, name: str, names: list[str], blank: tuple[int, int] | None = None) -> Path:
    """Write a stack of three planes, of which one may be blank in one channel."""
    values = np.random.default_rng(0).uniform(1, 2, (len(names), 3, 20, 24)).astype(np.float32)
    if blank is not None:
        values[blank] = 0
    image = xr.DataArray(
        values,
        dims=("c", "z", "y", "x"),
        coords={"c": names},
        attrs={"pixel_size_um": SIZE_UM},
    )
    images.write(folder / name, image if len(names) > 1 else image.isel(c=0, drop=True))
    return folder / name


def items_of(file: Path) -> tuple[Item, ...]:
    return tuple(replace(item, target=item.input) for item in open_dataset(file).items)


def test_channels_have_the_names_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, "a.tif", ["DAPI 405", "GFP"])
    write(tmp_path, "b.tif", ["DAPI 405", "GFP"])
    assert shared_channels(open_dataset(tmp_path)) == ("DAPI_405", "GFP")


def test_an_image_of_one_channel_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "a.tif", ["GFP"])
    with pytest.raises(UserError, match=r"a\.tif has one channel: leave --channels out"):
        shared_channels(open_dataset(file))


def test_images_of_other_channels_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.tif", ["DAPI", "GFP"])
    write(tmp_path, "b.tif", ["GFP", "DAPI"])
    with pytest.raises(UserError, match=r"a\.tif has .* DAPI, GFP and .*b\.tif GFP, DAPI"):
        shared_channels(open_dataset(tmp_path))


def test_planes_that_are_blank_in_one_channel_are_left_out_of_all(tmp_path: Path) -> None:
    file = write(tmp_path, "a.tif", ["DAPI", "GFP"], blank=(1, 2))
    stack = images.read(file).values
    loaded = load_registered(items_of(file), 2)
    for channel, pairs in zip(stack, loaded, strict=True):
        np.testing.assert_array_equal([pair.input for pair in pairs], channel[:2])


def test_each_channel_has_percentiles_of_its_own(tmp_path: Path) -> None:
    file = write(tmp_path, "a.tif", ["DAPI", "GFP"])
    stack = images.read(file)
    stack[1] = 100 * stack[1]
    images.write(file, stack)
    dim, bright = load_registered(items_of(file), 2)
    np.testing.assert_allclose(bright[0].highs, 100 * np.array(dim[0].highs), rtol=0.02)


def test_nothing_is_learnt_where_each_plane_is_blank_in_some_channel(tmp_path: Path) -> None:
    file = write(tmp_path, "a.tif", ["DAPI", "GFP"], blank=(1, 2))
    stack = images.read(file)
    stack[0, :2] = 0
    images.write(file, stack)
    with pytest.raises(UserError, match=r"a\.tif is blank in some channel"):
        load_registered(items_of(file), 2)


def test_structure_of_any_channel_is_seen() -> None:
    one, other = (
        Pair("a", image, image, lows=(0.0, 0.0), highs=(1.0, 1.0))
        for image in (np.array([[1, 5]], np.float32), np.array([[3, 2]], np.float32))
    )
    np.testing.assert_array_equal(brightest([one, other]).target, [[3, 5]])
