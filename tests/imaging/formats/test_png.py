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


def test_a_one_bit_png(tmp_path: Path) -> None:
    path = tmp_path / "bits.png"
    Image.new("1", (5, 4)).save(path)
    refused(path, "yes/no")
