import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from imaging import images
from tests.small_images import SIZES, image, ramp, refused


def test_mrcfile_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "volume.mrc"
    written = image("zyx", (3, 4, 5), "float32", pixel_size_um=SIZES)
    images.write(path, written)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as mrc:
        np.testing.assert_array_equal(mrc.data, written.values)
        assert mrc.is_volume()
        assert float(mrc.voxel_size.x) == pytest.approx(1e4 * SIZES["x"])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("mode", "dtype", "extended"), [(6, "u2", 0), (2, "f4", 128), (1, "i2", 1024)]
)
def test_priism_files(tmp_path: Path, order: str, mode: int, dtype: str, extended: int) -> None:
    path = tmp_path / "priism.dv"
    pixels = ramp((6, 4, 5), order + dtype)
    header = bytearray(1024)
    struct.pack_into(f"{order}4i", header, 0, 5, 4, 6, mode)
    struct.pack_into(f"{order}3f", header, 40, 0.0626, 0.0626, 0.16)
    struct.pack_into(f"{order}i", header, 92, extended)
    struct.pack_into(f"{order}h", header, 96, -16224)
    struct.pack_into(f"{order}2h", header, 180, 1, 1)  # one time point; colours alternate
    struct.pack_into(f"{order}h", header, 196, 2)
    path.write_bytes(bytes(header) + b"\xff" * extended + pixels.tobytes())
    found = images.read(path)
    assert found.dims == ("c", "z", "y", "x")
    np.testing.assert_array_equal(found.values, pixels.reshape(3, 2, 4, 5).swapaxes(0, 1))
    assert found.attrs["pixel_size_um"] == {"z": 0.16, "y": 0.0626, "x": 0.0626}


def test_a_complex_mrc(tmp_path: Path) -> None:
    path = tmp_path / "complex.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(ramp((4, 5), "complex64"))
    refused(path, "complex")


def test_an_mrc_of_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "none.mrc"
    path.write_bytes(struct.pack("<4i", 0, 4, 1, 2) + bytes(1008))
    refused(path, "no pixels")
