from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.files import sha256
from imaging.remarks import remarks_of
from tests.small_images import image, ramp, refused


def several(path: Path, *pixels: np.ndarray, **options: Any) -> None:
    with tifffile.TiffWriter(path, ome=".ome." in path.name) as writer:
        for image in pixels:
            writer.write(image, contiguous=False, photometric="minisblack", **options)


def test_images_of_one_shape_are_positions(tmp_path: Path) -> None:
    path = tmp_path / "positions.ome.tif"
    pixels = ramp((3, 8, 9))
    several(path, *pixels, metadata={"axes": "YX"})
    found = images.read(path)
    assert found.dims == ("b", "y", "x")
    np.testing.assert_array_equal(found.values, pixels)
    assert [remark.detail for remark in remarks_of(found)] == ["3 of Image0 8 x 9 uint16"]


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_positions_and_times_are_processed_one_by_one(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "positions.ome.tif"
    pixels = np.random.default_rng(0).integers(0, 9999, (2, 4, 3, 8, 9)).astype(np.uint16)
    several(path, *pixels, metadata={"axes": "ZTYX"}, **options)
    found = images.read(path)
    assert found.dims == ("b", "z", "y", "x")
    times = pixels.swapaxes(1, 2).reshape(6, 4, 8, 9)
    np.testing.assert_array_equal(found.values, times)


@pytest.mark.parametrize(
    ("small", "words"),
    [
        (ramp((32, 50)), "32 x 50 uint16"),  # a level of a pyramid
        (ramp((16, 25)), "16 x 25 uint16"),
        (ramp((10, 13), "uint8"), "10 x 13 uint8"),  # a thumbnail
    ],
)
@pytest.mark.parametrize("small_first", [False, True])
def test_smaller_versions_are_passed_over(
    tmp_path: Path, small: np.ndarray, words: str, small_first: bool
) -> None:
    path = tmp_path / "image.ome.tif"
    pixels = ramp((5, 64, 101))
    both = [small, pixels] if small_first else [pixels, small]
    several(path, *both)
    found = images.read(path)
    np.testing.assert_array_equal(found.values, pixels)
    (remark,) = remarks_of(found)
    assert remark.detail.endswith(words)
    assert "passed over" in remark.sentence


def test_marked_thumbnails_are_no_surprise(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(ramp((64, 100)), metadata=None)
        writer.write(ramp((30, 40), "uint8"), subfiletype=1, metadata=None)
    found = images.read(path)
    assert (found.shape, remarks_of(found)) == ((64, 100), ())


def test_images_of_which_none_is_clearly_meant_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "several.ome.tif"
    several(path, ramp((64, 100)), ramp((60, 90)))
    refused(path, "#1 Image0 64 x 100 uint16; #2 Image1 60 x 90 uint16.*as in several.ome.tif#1")


@pytest.mark.parametrize("shape", [(60, 90), (32, 50), (64, 100)])
@pytest.mark.parametrize("number", [1, 2])
def test_one_of_several_images_is_chosen_by_its_number(
    tmp_path: Path, shape: tuple[int, int], number: int
) -> None:
    path = tmp_path / "several.ome.tif"
    pixels = [ramp((64, 100)), ramp(shape, "uint8")]
    several(path, *pixels)
    (item,) = open_dataset(tmp_path / f"several.ome.tif#{number}").items
    found = item.read_input()
    np.testing.assert_array_equal(found.values, pixels[number - 1])
    assert (item.name, remarks_of(found), sha256(item.input)) == ("several", (), sha256(path))


@pytest.mark.parametrize("number", [0, 3])
def test_a_number_of_no_image(tmp_path: Path, number: int) -> None:
    path = tmp_path / "several.ome.tif"
    several(path, ramp((64, 100)), ramp((60, 90)))
    with pytest.raises(UserError, match="holds 2 image"):
        images.read(tmp_path / f"several.ome.tif#{number}")


def test_a_number_of_a_format_of_one_image(tmp_path: Path) -> None:
    images.write(tmp_path / "image.png", image("yx", (4, 5)))
    with pytest.raises(UserError, match="leave #2 out"):
        images.read(tmp_path / "image.png#2")


def test_a_file_whose_name_ends_in_a_number_is_that_file(tmp_path: Path) -> None:
    images.write(tmp_path / "image.tif", image("yx", (4, 5)))
    (tmp_path / "image.tif").rename(tmp_path / "image.tif#2")
    np.testing.assert_array_equal(images.read(tmp_path / "image.tif#2").values, ramp((4, 5)))


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("imagej", [False, True])
def test_a_colour_tiff(tmp_path: Path, samples: int, imagej: bool) -> None:
    path = tmp_path / "colour.tif"
    pixels = ramp((4, 5, samples), "uint8")
    tifffile.imwrite(path, pixels, photometric="rgb", imagej=imagej)
    refused(path, f"colour picture .{samples} samples")


@pytest.mark.parametrize("separate", [False, True])
def test_a_colour_tiff_of_equal_samples_is_grey(tmp_path: Path, separate: bool) -> None:
    path = tmp_path / "grey.tif"
    grey = ramp((23, 25), "uint8")
    tifffile.imwrite(
        path,
        np.stack([grey] * 3, axis=0 if separate else -1),
        photometric="rgb",
        planarconfig="separate" if separate else "contig",
    )
    found = images.read(path)
    assert found.dims == ("y", "x")
    np.testing.assert_array_equal(found.values, grey)
    assert len(remarks_of(found)) == 1


@pytest.mark.parametrize("planes", [3, 4])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_a_stack_that_was_taken_for_colours(
    tmp_path: Path, planes: int, options: dict[str, Any]
) -> None:
    path = tmp_path / "stack.tif"
    pixels = ramp((planes, 23, 25))
    # What tifffile writes of an array of three planes when it is told nothing.
    tifffile.imwrite(path, pixels, photometric="rgb", planarconfig="separate", **options)
    found = images.read(path)
    assert found.dims == ("z", "y", "x")
    np.testing.assert_array_equal(found.values, pixels)
    np.testing.assert_array_equal(images.read(path, lazy=True).isel(z=1).values, pixels[1])


def test_a_stack_of_which_nothing_says_that_it_is_none_of_colours(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    pixels = ramp((3, 23, 25))
    tifffile.imwrite(path, pixels, photometric="rgb", planarconfig="separate", metadata=None)
    refused(path, "photometric=.minisblack")


def described(path: Path, description: str, planes: Sequence[np.ndarray], **options: Any) -> None:
    with tifffile.TiffWriter(path) as writer:
        for at, plane in enumerate(planes):
            said = description if at == 0 else None
            writer.write(plane, metadata=None, contiguous=False, description=said, **options)


IMAGEJ = "ImageJ=1.53t\nimages=3\nslices=3\n"


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_more_pages_than_imagej_describes(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "stack.tif"
    pixels = ramp((5, 7, 9))
    described(path, IMAGEJ, list(pixels), **options)
    found = images.read(path)
    np.testing.assert_array_equal(found.values, pixels[:3])
    assert [remark.detail for remark in remarks_of(found)] == ["3 of 5"]


@pytest.mark.parametrize("other", [ramp((5, 9)), ramp((7, 9), "int16"), ramp((7, 9), "uint32")])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_a_page_of_another_kind_within_a_stack(
    tmp_path: Path, other: np.ndarray, bigtiff: bool
) -> None:
    path = tmp_path / "stack.tif"
    description = (
        "<OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06'><Image ID='Image:0'>"
        "<Pixels ID='Pixels:0' DimensionOrder='XYZCT' Type='uint16' SizeX='9' SizeY='7' SizeZ='3' "
        "SizeC='1' SizeT='1'><TiffData/></Pixels></Image></OME>"
    )
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        for at, plane in enumerate([ramp((7, 9)), other, ramp((7, 9))]):
            said = description if at == 0 else None
            writer.write(plane, metadata=None, contiguous=False, description=said)
    refused(path, "pages of different sizes")


@pytest.mark.parametrize(
    ("dtype", "bits", "white"), [("uint8", 8, 255), ("uint16", 16, 65535), ("uint16", 12, 4095)]
)
def test_values_whose_zero_is_white_are_turned_round(
    tmp_path: Path, dtype: str, bits: int, white: int
) -> None:
    path = tmp_path / "white.tif"
    pixels = ramp((23, 25), dtype)
    tifffile.imwrite(path, pixels, photometric="miniswhite", bitspersample=bits)
    found = images.read(path, lazy=True)
    np.testing.assert_array_equal(found.values, white - pixels)
    assert "0 is white" in remarks_of(found)[0].sentence


def test_imagej_only_shows_its_values_turned_round(tmp_path: Path) -> None:
    path = tmp_path / "white.tif"
    tifffile.imwrite(path, ramp((23, 25)), photometric="miniswhite", imagej=True)
    found = images.read(path)
    np.testing.assert_array_equal(found.values, ramp((23, 25)))
    assert remarks_of(found) == ()


@pytest.mark.parametrize("green", [True, False])
def test_a_table_of_colours(tmp_path: Path, green: bool) -> None:
    path = tmp_path / "palette.tif"
    table = np.zeros((3, 256), np.uint16)
    table[1] = 256 * np.arange(256)
    if not green:
        table[1] = np.random.default_rng(0).permutation(table[1])
    tifffile.imwrite(path, ramp((23, 25), "uint8"), photometric="palette", colormap=table)
    assert len(remarks_of(images.read(path))) == (0 if green else 1)
