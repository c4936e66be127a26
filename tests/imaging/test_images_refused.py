import contextlib
import math
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from imaging import images
from imaging.cli import UserError
from imaging.formats import tiff
from tests.small_images import REUSE, image, ramp, refused


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.tif", "does not exist")


@pytest.mark.parametrize("address", ["https://example.org/a.ome.zarr", "s3://bucket/a.tif"])
def test_an_address(address: str) -> None:
    with pytest.raises(UserError, match=f"^{address} is an address.*download it first"):
        images.read(Path(address))


@pytest.mark.parametrize("suffix", [".ome.zarr.zip", ".ozx", ".tif.gz"])
def test_a_zipped_image(tmp_path: Path, suffix: str) -> None:
    refused(tmp_path / f"image{suffix}", "is zipped: unpack it")


def test_an_unknown_ending(tmp_path: Path) -> None:
    refused(tmp_path / "image.jpg", "no known ending")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".mrc"])
def test_a_folder_in_place_of_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"folder{suffix}"
    path.mkdir()
    refused(path, "is a folder")


def test_a_file_in_place_of_a_zarr_folder(tmp_path: Path) -> None:
    path = tmp_path / "file.ome.zarr"
    path.write_bytes(b"PK")
    refused(path, "is a file")


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".png", ".mrc", ".dv"])
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty{suffix}"
    path.touch()
    refused(path, "is empty")


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".png", ".mrc"])
def test_a_file_of_something_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_bytes(b"This is no image at all.\n" * 100)
    refused(path, "copy or export it again|save it as TIFF")


@pytest.mark.parametrize("compression", ["lzw", "zlib"])
@pytest.mark.parametrize("tag", ["ImageWidth", "ImageLength"])
def test_a_header_that_claims_more_than_any_file_holds(
    tmp_path: Path, compression: str, tag: str
) -> None:
    path = tmp_path / "absurd.tif"
    tifffile.imwrite(path, ramp((40, 50)), compression=compression, metadata=None)
    with tifffile.TiffFile(path, mode="r+") as opened:
        for name in {tag, "RowsPerStrip"}:
            opened.pages.first.tags[name].overwrite(2**31 - 1)
    refused(path, "claims .* GiB of pixels")
    with pytest.raises(UserError, match="claims"):
        images.read(path, lazy=True)


def test_a_tiff_whose_directory_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "narrow.tif"
    tifffile.imwrite(path, ramp((40, 50)), metadata=None)
    content = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", content, 4)
    struct.pack_into("<HI", content, directory, 0, 0)  # tags in it, and the place of the next
    path.write_bytes(content)
    refused(path, "damaged")


@pytest.mark.parametrize("pages", [5, 150])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_tiff_whose_pages_go_round_in_a_circle(
    tmp_path: Path, pages: int, byteorder: Literal["<", ">"]
) -> None:
    path = tmp_path / "circle.tif"
    tifffile.imwrite(path, ramp((pages, 8, 9)), metadata=None, byteorder=byteorder)
    with tifffile.TiffFile(path) as opened:
        first, last = (opened.pages[number].offset for number in (0, -1))
    content = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from(f"{byteorder}H", content, last)
    struct.pack_into(f"{byteorder}I", content, last + 2 + 12 * tags, first)
    path.write_bytes(content)
    refused(path, "its pages have no end")


def test_an_image_that_exceeds_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.tif"
    images.write(path, image("yx", (4, 5)))

    def read(path: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(tiff, "read", read)
    refused(path, "needs more memory than there is")


def test_a_blank_image_may_be_very_small(tmp_path: Path) -> None:
    path = tmp_path / "blank.tif"
    pixels = np.zeros((4000, 5000), np.uint16)
    tifffile.imwrite(path, pixels, compression="zstd", rowsperstrip=4000, metadata=None)
    assert images.read(path, lazy=True).shape == (4000, 5000)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("suffix", [".tif", ".mrc"])
def test_nan_and_infinity(tmp_path: Path, suffix: str, value: float) -> None:
    path = tmp_path / f"nan{suffix}"
    pixels = ramp((4, 5), "float32")
    images.write(path, xr.DataArray(pixels, dims=("y", "x")))
    whole = path.read_bytes()
    place = whole.index(pixels.tobytes()) + 4 * 7
    path.write_bytes(whole[:place] + struct.pack("<f", value) + whole[place + 4 :])
    refused(path, "NaN or infinite")
    assert images.read(path, lazy=True).shape == (4, 5)


def test_values_that_float32_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    tifffile.imwrite(path, np.array([[0.0, 1e300]]))
    refused(path, r"as large as 1e\+300")


WRITERS: dict[str, dict[str, Any]] = {
    "plain.tif": {"metadata": None},
    "shaped.tif": {},
    "imagej.tif": {"imagej": True},
    "scattered.tif": {"contiguous": False, "compression": "zlib"},
    "tiles.ome.tif": {"tile": (16, 16), "compression": "lzw", "metadata": {"axes": "ZYX"}},
    "mapped.ome.tif": {"metadata": {"axes": "ZYX"}},
    "volume.mrc": {},
    "plane.png": {},
}


@pytest.mark.parametrize("name", WRITERS)
@REUSE
@given(part=st.floats(0.001, 0.999))
def test_a_file_cut_off_anywhere_is_never_read_as_something_else(
    tmp_path: Path, name: str, part: float
) -> None:
    path, cut = tmp_path / name, tmp_path / f"cut_{name}"
    pixels = np.random.default_rng(0).integers(1, 60000, (5, 16, 20)).astype(np.uint16)
    if name.endswith(".mrc"):
        images.write(path, xr.DataArray(pixels, dims=("z", "y", "x")))
    elif name.endswith(".png"):
        pixels = pixels[0]
        images.write(path, xr.DataArray(pixels, dims=("y", "x")))
    else:
        tifffile.imwrite(path, pixels, **WRITERS[name])
    whole = path.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * part)])
    # Only what follows the pixels (padding, a closing mark) can be spared.
    with contextlib.suppress(UserError):
        np.testing.assert_array_equal(images.read(cut).values, pixels)


@pytest.mark.parametrize(
    ("suffix", "dtype", "instead"),
    [
        (".png", "float32", ".ome.tif"),
        (".png", "uint32", ".ome.tif"),
        (".mrc", "uint32", ".ome.tif"),
        (".mrc", "uint8", ".ome.tif"),
        (".tif", "int64", ".ome.zarr"),
        (".ome.tif", "float16", ".ome.zarr"),
        (".dv", "uint16", ".ome.tif"),
    ],
)
def test_a_pixel_type_the_format_lacks(
    tmp_path: Path, suffix: str, dtype: str, instead: str
) -> None:
    with pytest.raises(UserError, match=f"write {instead}") as caught:
        images.write(tmp_path / f"image{suffix}", image("yx", (4, 5), dtype))
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "dims"), [(".png", "zyx"), (".mrc", "cyx")])
def test_axes_the_format_lacks(tmp_path: Path, suffix: str, dims: str) -> None:
    with pytest.raises(UserError, match=r"write \.ome\.tif"):
        images.write(tmp_path / f"image{suffix}", image(dims, (2, 4, 5)))


@pytest.mark.parametrize("dims", ["ayx", "zx"])
def test_axes_no_format_has(tmp_path: Path, dims: str) -> None:
    array = xr.DataArray(ramp((2, 3, 4)[: len(dims)]), dims=tuple(dims))
    with pytest.raises(UserError, match="cannot be written"):
        images.write(tmp_path / "image.tif", array)


def test_an_image_of_no_pixels_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pixels"):
        images.write(tmp_path / "image.tif", image("yx", (0, 5)))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinity_are_not_written(tmp_path: Path, value: float) -> None:
    bad = image("yx", (4, 5), "float32")
    bad[2, 3] = value
    with pytest.raises(UserError, match="NaN or infinite"):
        images.write(tmp_path / "nan.tif", bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["complex64", "bool"])
def test_pixels_that_are_no_intensities_are_not_written(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(UserError, match="cannot be handled"):
        images.write(tmp_path / "image.zarr", image("yx", (4, 5), dtype))


def test_names_that_do_not_fit_the_channels(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="1 names do not fit 2 channels"),
        images.create(
            tmp_path / "image.tif", dims="cyx", shape=(2, 4, 5), dtype="uint8",
            pixel_size_um={}, channels=["mean"],
        ),
    ):  # fmt: skip
        pass
