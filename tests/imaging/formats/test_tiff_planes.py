import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from imaging import images
from tests.small_images import REUSE, ramp, refused

SHAPE = (3, 2, 40, 50)
LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "strips": {"rowsperstrip": 7, "compression": "lzw"},
    "predictor": {"compression": "zlib", "predictor": True},
    "tiles": {"tile": (16, 32), "compression": "zstd"},
    "uncompressed tiles": {"tile": (16, 16)},
    "big-endian": {"byteorder": ">", "compression": "lzw", "rowsperstrip": 9},
    "big-endian tiles": {"byteorder": ">", "tile": (16, 16)},
    "volumes": {"tile": (2, 16, 16), "volumetric": True, "compression": "lzw"},
    "BigTIFF": {"bigtiff": True, "compression": "lzw"},
}


def _slices(length: int) -> st.SearchStrategy[slice]:
    return st.slices(length).filter(lambda place: len(range(length)[place]) > 0)


@pytest.mark.parametrize("layout", LAYOUTS)
@REUSE
@given(data=st.data())
def test_any_region_of_any_layout(tmp_path: Path, layout: str, data: st.DataObject) -> None:
    pixels = np.random.default_rng(0).integers(0, 60000, SHAPE).astype(np.uint16)
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path, pixels, photometric="minisblack", metadata={"axes": "TZYX"}, **LAYOUTS[layout]
    )
    region = {
        dim: data.draw(st.integers(0, length - 1) | _slices(length))
        for dim, length in zip("bzyx", SHAPE, strict=True)
    }
    found = images.read(path, lazy=True).isel(region)
    np.testing.assert_array_equal(found.values, pixels[tuple(region.values())])


def scattered(path: Path, pixels: np.ndarray, **options: Any) -> None:
    """Append plane by plane, as acquisition programs do."""
    with tifffile.TiffWriter(path) as writer:
        for plane in pixels:
            writer.write(plane, metadata=None, contiguous=False, **options)


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}])
def test_a_region_is_read_without_looking_through_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    path = tmp_path / "stack.tif"
    pixels = ramp((20, 8, 9))
    scattered(path, pixels, **options)
    image = images.read(path, lazy=True)
    monkeypatch.setattr(tifffile, "TiffFile", None)
    for at, plane in enumerate(pixels):
        np.testing.assert_array_equal(image.isel(z=at).values, plane)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}])
def test_no_file_stays_open(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, ramp((5, 8, 9)), **options)
    image = images.read(path, lazy=True)
    assert image.isel(z=1).values.size
    held = {file.readlink().name for file in Path("/proc/self/fd").iterdir() if file.exists()}
    assert path.name not in held
    assert str(path) not in Path("/proc/self/maps").read_text()


def test_strips_that_lie_together_on_the_first_page_only(tmp_path: Path) -> None:
    path = tmp_path / "interleaved.tif"
    pixels = ramp((2, 8, 6))
    tifffile.imwrite(
        path, pixels, rowsperstrip=4, metadata={"axes": "ZYX"}, ome=True, contiguous=False
    )
    with tifffile.TiffFile(path, mode="r+") as tiff:
        offsets = tiff.pages[1].dataoffsets
        page: Any = tiff.pages[1].aspage()
        page.tags["StripOffsets"].overwrite(offsets[::-1])
    found = images.read(path).values
    np.testing.assert_array_equal(found[0], pixels[0])
    np.testing.assert_array_equal(found[1], np.roll(pixels[1], 4, axis=0))


def test_a_page_without_pixels(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    tifffile.imwrite(path, ramp((64, 64)), tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tag: Any = tiff.pages.first.tags["TileByteCounts"]
        tag.overwrite((*tag.value[:3], 0))
    refused(path, "is cut off")
