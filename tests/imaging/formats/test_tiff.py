from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from imaging import images
from tests.small_images import SIZES, image, ramp, refused


def test_one_known_pixel_size_does_not_become_two(tmp_path: Path) -> None:
    path = tmp_path / "half.tif"
    images.write(path, image("yx", (4, 5), pixel_size_um={"x": 0.1}))
    assert images.read(path).attrs["pixel_size_um"] == {"x": 0.1}


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        images.write(tmp_path / name, image("zyx", (2, 4, 5), "float32", pixel_size_um=SIZES))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_imagej_metadata_are_what_fiji_expects(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    written = image("czyx", (2, 3, 4, 5), pixel_size_um=SIZES)
    images.write(path, written)
    with tifffile.TiffFile(path) as tiff:
        metadata: Any = tiff.imagej_metadata
        assert (metadata["slices"], metadata["channels"]) == (3, 2)
        assert (metadata["unit"], metadata["spacing"]) == ("um", 0.25)
        assert metadata["Labels"] == ["channel 0 µ", "channel 1 µ"] * 3
        assert tiff.series[0].axes == "ZCYX"
        np.testing.assert_array_equal(tiff.asarray(), written.values.swapaxes(0, 1))
        x, per = tiff.pages.first.tags.valueof("XResolution")
        assert per / x == pytest.approx(SIZES["x"])


def test_ome_metadata_are_what_bioformats_expects(tmp_path: Path) -> None:
    path = tmp_path / "stack.ome.tif"
    written = image("czyx", (2, 3, 4, 5), "float64", pixel_size_um=SIZES)
    images.write(path, written)
    with tifffile.TiffFile(path) as tiff:
        ome: Any = tifffile.xml2dict(tiff.ome_metadata or "")
        pixels = ome["OME"]["Image"]["Pixels"]
        assert (pixels["PhysicalSizeZ"], pixels["PhysicalSizeZUnit"]) == (0.25, "µm")
        assert [channel["Name"] for channel in pixels["Channel"]] == written["c"].values.tolist()
        np.testing.assert_array_equal(tiff.asarray(), written.values)


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((10.0, 10.0), "NONE", {}),
        ((1.0, 1.0), "NONE", {}),
        ((72.0, 72.0), "INCH", {}),
        ((254000.0, 127000.0), "INCH", {"x": 0.1, "y": 0.2}),
        ((125000.0, 125000.0), "CENTIMETER", {"x": 0.08, "y": 0.08}),
        ((1e4, 1e4), "CENTIMETER", {}),  # the placeholder of microscopes that do not know
    ],
)
def test_resolution_tags_of_plain_tiff(
    tmp_path: Path, resolution: tuple[float, float], unit: str, expected: dict[str, float]
) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, ramp((4, 5)), resolution=resolution, resolutionunit=unit, metadata=None)
    assert images.read(path).attrs["pixel_size_um"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("unit", "expected"), [("\\u00B5m", 0.1), ("nm", 1e-4), ("mm", 100.0), ("pixel", None)]
)
def test_units_of_imagej(tmp_path: Path, unit: str, expected: float | None) -> None:
    path = tmp_path / "imagej.tif"
    tifffile.imwrite(
        path, ramp((3, 4, 5)), imagej=True, resolution=(10.0, 10.0),
        metadata={"axes": "ZYX", "unit": unit, "spacing": 0.1},
    )  # fmt: skip
    sizes = dict.fromkeys("zyx", expected) if expected else {}
    assert images.read(path).attrs["pixel_size_um"] == pytest.approx(sizes)


def test_units_of_ome_tiff(tmp_path: Path) -> None:
    path = tmp_path / "units.ome.tif"
    nm = {"PhysicalSizeX": 80.0, "PhysicalSizeXUnit": "nm"}
    unknown = {"PhysicalSizeY": 2.0, "PhysicalSizeYUnit": "pixel"}
    metadata = {"axes": "YX"} | nm | unknown
    tifffile.imwrite(path, ramp((4, 5)), metadata=metadata)
    assert images.read(path).attrs["pixel_size_um"] == pytest.approx({"x": 0.08})


@pytest.mark.parametrize("axes", ["TZCYX", "CTZYX"])
def test_ome_tiff_of_any_order(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "any.ome.tif"
    pixels = ramp((2, 3, 4, 5, 6))
    tifffile.imwrite(path, pixels, metadata={"axes": axes}, photometric="minisblack")
    order = [axes.index(axis) for axis in "TCZYX"]
    found = images.read(path)
    assert found.dims == ("b", "c", "z", "y", "x")
    np.testing.assert_array_equal(found.values, pixels.transpose(order))


@pytest.mark.parametrize("options", [{"metadata": None}, {}, {"byteorder": ">"}])
def test_pages_without_a_name_are_planes(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, ramp((7, 4, 5)), **options)
    found = images.read(path)
    assert found.dims == ("z", "y", "x")
    assert found.dtype == np.uint16
    assert found.dtype.isnative
    np.testing.assert_array_equal(found.values, ramp((7, 4, 5)))


@pytest.mark.parametrize(("shape", "dims"), [((4, 5, 1), "yx"), ((7, 4, 5, 1), "zyx")])
def test_a_last_axis_of_length_one_is_dropped(
    tmp_path: Path, shape: tuple[int, ...], dims: str
) -> None:
    path = tmp_path / "trailing.tif"
    tifffile.imwrite(path, ramp(shape), photometric="minisblack")
    found = images.read(path)
    assert found.dims == tuple(dims)
    np.testing.assert_array_equal(found.values, ramp(shape)[..., 0])


def test_a_lazy_region_of_compressed_tiles(tmp_path: Path) -> None:
    path = tmp_path / "tiles.ome.tif"
    pixels = ramp((2, 3, 40, 50))
    tifffile.imwrite(
        path, pixels, tile=(16, 16), compression="zlib", metadata={"axes": "ZCYX"},
        photometric="minisblack",
    )  # fmt: skip
    region = images.read(path, lazy=True).isel(c=1, y=slice(10, 30), x=slice(5, 45))
    np.testing.assert_array_equal(region.values, pixels[:, 1, 10:30, 5:45])


def test_two_axes_without_names(tmp_path: Path) -> None:
    path = tmp_path / "axes.tif"
    tifffile.imwrite(path, ramp((2, 3, 4, 5)), photometric="minisblack")
    refused(path, "axes of unknown meaning")


def test_an_axis_that_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "axes.ome.tif"
    tifffile.imwrite(path, ramp((3, 4, 5)), metadata={"axes": "AYX"}, photometric="minisblack")
    refused(path, "axes of unknown meaning")


@pytest.mark.parametrize(("dtype", "words"), [("complex64", "complex"), ("bool", "type bool")])
def test_pixels_that_are_no_intensities(tmp_path: Path, dtype: str, words: str) -> None:
    path = tmp_path / "type.tif"
    tifffile.imwrite(path, ramp((4, 5), dtype))
    refused(path, words)
