import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import images
from tests.small_images import image, refused


def test_pillow_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "plane.png"
    written = image("yx", (4, 5), pixel_size_um={"y": 0.1, "x": 0.05})
    images.write(path, written)
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), written.values)
        assert picture.info["dpi"] == pytest.approx((508000, 254000))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_a_colour_png(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "colour.png"
    Image.new(mode, (5, 4)).save(path)
    refused(path, "colour picture")


def test_a_png_that_claims_more_than_any_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "absurd.png"
    Image.new("I;16", (5, 4)).save(path)
    content = bytearray(path.read_bytes())
    struct.pack_into(">2I", content, 16, 2**30, 2**30)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    path.write_bytes(content)
    refused(path, "claims .* GiB of pixels")


def test_a_one_bit_png(tmp_path: Path) -> None:
    path = tmp_path / "bits.png"
    Image.new("1", (5, 4)).save(path)
    refused(path, "yes/no")


@pytest.mark.parametrize(
    ("per_inch", "expected"),
    [
        ((254000, 127000), {"x": 0.1, "y": 0.2}),
        ((72, 72), {}),
        ((300, 300), {}),
        ((0.0254, 0.0254), {}),  # one pixel per metre
    ],
)
def test_resolutions_of_png(
    tmp_path: Path, per_inch: tuple[float, float], expected: dict[str, float]
) -> None:
    path = tmp_path / "plane.png"
    Image.new("L", (5, 4)).save(path, dpi=per_inch)
    assert images.read(path).attrs["pixel_size_um"] == pytest.approx(expected)
