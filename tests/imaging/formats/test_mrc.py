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


def test_the_placeholder_of_electron_microscopes_is_no_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "unknown.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(ramp((3, 4, 5), "float32"))
        mrc.voxel_size = 1.0
    assert images.read(path).attrs["pixel_size_um"] == {}


def unmarked(path: Path, mode: int, cell: float, pixels: np.ndarray) -> bytearray:
    """Return the header of a file of before 2000, which has no "MAP "."""
    header = bytearray(1024)
    nz, ny, nx = pixels.shape
    struct.pack_into("<4i", header, 0, nx, ny, nz, mode)
    struct.pack_into("<3i", header, 28, nx, ny, nz)
    struct.pack_into("<3f", header, 40, cell * nx, cell * ny, cell * nz)
    struct.pack_into("<i", header, 88, 1)
    path.write_bytes(bytes(header) + pixels.tobytes())
    return header


def test_old_mrc_files_state_their_cell_in_angstrom(tmp_path: Path) -> None:
    path = tmp_path / "old.mrc"
    unmarked(path, 1, 800.0, ramp((3, 4, 5), "int16"))
    found = images.read(path)
    assert found.attrs["pixel_size_um"] == pytest.approx(dict.fromkeys("zyx", 0.08))


@pytest.mark.parametrize(("flags", "expected"), [(0, 200), (1, -56)])
def test_bytes_of_imod_are_unsigned_unless_it_says_so(
    tmp_path: Path, flags: int, expected: int
) -> None:
    path = tmp_path / "bytes.mrc"
    pixels = np.full((1, 4, 5), 200, np.uint8)
    header = unmarked(path, 0, 800.0, pixels)
    struct.pack_into("<2i", header, 152, 1146047817, flags)
    path.write_bytes(bytes(header) + pixels.tobytes())
    assert images.read(path).values.flat[0] == expected


def test_bytes_of_big_endian_machines(tmp_path: Path) -> None:
    path = tmp_path / "big.mrc"
    pixels = ramp((3, 4, 5), "int8")
    header = bytearray(1024)
    struct.pack_into(">4i", header, 0, 5, 4, 3, 0)
    struct.pack_into(">i", header, 88, 1)
    header[208:212] = b"MAP "
    path.write_bytes(bytes(header) + pixels.tobytes())
    np.testing.assert_array_equal(images.read(path).values, pixels)


def test_bytes_of_priism_are_unsigned(tmp_path: Path) -> None:
    path = tmp_path / "bytes.dv"
    pixels = np.full((1, 4, 5), 200, np.uint8)
    header = unmarked(path, 0, 0.01, pixels)
    struct.pack_into("<h", header, 96, -16224)
    path.write_bytes(bytes(header) + pixels.tobytes())
    assert images.read(path).values.flat[0] == 200
