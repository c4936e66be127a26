import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from imaging import images
from imaging.cli import UserError
from imaging.remarks import remarks_of
from tests.format_files import lsm_info, write_lsm, write_stk
from tests.small_images import SIZES, ramp, refused


def test_an_lsm_file_has_planes_thumbnails_and_sizes_in_metres(tmp_path: Path) -> None:
    path = tmp_path / "cell.lsm"
    pixels = ramp((3, 41, 50))
    write_lsm(path, pixels[None, None])
    found = images.read(path)
    assert found.dims == ("z", "y", "x")
    np.testing.assert_array_equal(found.values, pixels)
    assert found.attrs["pixel_size_um"] == pytest.approx(SIZES)
    assert remarks_of(found) == ()


def test_an_lsm_scan_without_y_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "cell.lsm"
    write_lsm(path, ramp((1, 1, 1, 41, 50)), lsm_info((1, 1, 41, 1, 50), scan=1))
    refused(path, "axes of unknown meaning")


@pytest.mark.parametrize(("unit", "sizes"), [(b"um", SIZES), (b"pixel", {})])
def test_a_metamorph_stack_has_planes_behind_one_directory(
    tmp_path: Path, unit: bytes, sizes: dict[str, float]
) -> None:
    path = tmp_path / "cell.stk"
    pixels = ramp((5, 41, 50))
    write_stk(path, pixels[None, None], unit)
    found = images.read(path)
    assert found.dims == ("z", "y", "x")
    np.testing.assert_array_equal(found.values, pixels)
    assert found.attrs["pixel_size_um"] == pytest.approx(sizes)
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, "is cut off")


@pytest.mark.parametrize("suffix", [".lsm", ".stk", ".btf", ".tf2", ".tf8", ".ome.tf2", ".ome.btf"])
def test_tiff_by_another_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cell{suffix}"
    tifffile.imwrite(tmp_path / "cell.tif", ramp((8, 9)), bigtiff=True)
    (tmp_path / "cell.tif").rename(path)
    np.testing.assert_array_equal(images.read(path).values, ramp((8, 9)))
    with pytest.raises(UserError, match=r"end the name in \.ome\.tif"):
        images.write(path, images.read(path))


SCANIMAGE = "SI.VERSION_MAJOR = 2020\nSI.hChannels.channelSave = {}\nSI.hStackManager.{}"


@pytest.mark.parametrize(
    ("software", "description", "dims"),
    [
        (SCANIMAGE.format("[1;2]", "framesPerSlice = 6\nx.numSlices = 1"), "", "bcyx"),
        (SCANIMAGE.format("[1 3]", "framesPerSlice = 1\nx.numSlices = 6"), "", "zcyx"),
        (SCANIMAGE.format("[1;2]", "framesPerSlice = Inf\nx.numSlices = 1"), "", "bcyx"),
        (SCANIMAGE.format("2", "framesPerSlice = 12\nx.numSlices = 1"), "", "byx"),
        (SCANIMAGE.format("1", "framesPerSlice = 1\nx.numSlices = 12"), "", "zyx"),
        (SCANIMAGE.format("1", "framesPerSlice = 1\nx.numSlices = 4"), "", "bzyx"),
        ("", "state.configName='x'\nstate.acq.numberOfChannelsSave=2", "zcyx"),
        ("", "state.acq.numberOfChannelsSave=1\nstate.acq.numberOfZSlices=12", "zyx"),
        ("", "scanimage.SI4.channelsSave = [1;2]\nscanimage.SI4.stackNumSlices = 6", "zcyx"),
    ],
)
def test_scanimage_channels_take_turns(
    tmp_path: Path, software: str, description: str, dims: str
) -> None:
    path = tmp_path / "recording.tif"
    pixels = ramp((12, 7, 9))
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for plane in pixels:
            writer.write(
                plane, metadata=None, software=software, description=description, contiguous=False
            )
    found = images.read(path)
    assert set(found.dims) == set(dims)
    lengths = {"c": 2, "z": 4 if dims == "bzyx" else -1, "b": -1}
    expected = pixels.reshape(*(lengths[dim] for dim in dims[:-2]), 7, 9)
    np.testing.assert_array_equal(found.transpose(*dims).values, expected)


def test_scanimage_frames_of_each_depth_in_each_volume(tmp_path: Path) -> None:
    path = tmp_path / "recording.tif"
    pixels = ramp((2, 3, 4, 7, 9))  # volumes, depths, frames
    software = SCANIMAGE.format("1", "framesPerSlice = 4\nx.numSlices = 3")
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for plane in pixels.reshape(-1, 7, 9):
            writer.write(plane, metadata=None, software=software, contiguous=False)
    found = images.read(path)
    assert found.dims == ("b", "z", "y", "x")
    np.testing.assert_array_equal(found.values, pixels.swapaxes(1, 2).reshape(8, 3, 7, 9))


def test_a_scanimage_recording_that_ends_within_a_volume(tmp_path: Path) -> None:
    path = tmp_path / "recording.tif"
    software = SCANIMAGE.format("1", "framesPerSlice = 1\nx.numSlices = 4")
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for plane in ramp((10, 7, 9)):
            writer.write(plane, metadata=None, software=software, contiguous=False)
    refused(path, "ends within a volume")


def write_ndtiff(folder: Path, pixels: np.ndarray, files: list[str]) -> None:
    """Write planes as Micro-Manager's NDTiff does: the list of planes is a file of its own."""
    height, width = pixels.shape[1:]
    index = b""
    for at, (plane, name) in enumerate(zip(pixels, files, strict=True)):
        head = struct.pack("<4I", 483729, 2, 2355492, 2) + b"{}"
        begin = 8 + len(head)
        at_pixels = begin + 2 + 12 * 9 + 4
        tags = [
            *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1)),
            *((262, 3, 1, 1), (273, 4, 1, at_pixels), (278, 4, 1, height)),
            *((279, 4, 1, 2 * height * width), (51123, 2, 2, 8 + 16)),
        ]
        body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
        (folder / name).write_bytes(
            b"II*\0" + struct.pack("<I", begin) + head + struct.pack("<H", len(tags)) + body
            + b"\0\0\0\0" + plane.astype("<u2").tobytes()
        )  # fmt: skip
        axes = f'{{"time": {at}}}'.encode()
        index += struct.pack("<I", len(axes)) + axes + struct.pack("<I", len(name)) + name.encode()
        index += struct.pack("<IiiiiIii", at_pixels, width, height, 1, 0, 0, 0, 0)
    (folder / "NDTiff.index").write_bytes(index)


def test_a_file_whose_recording_only_a_list_knows_is_refused(tmp_path: Path) -> None:
    write_ndtiff(tmp_path, ramp((2, 23, 25)), ["a.tif", "a_1.tif"])
    refused(tmp_path / "a.tif", "one of several files")


def test_a_recording_in_one_file_has_its_own_list(tmp_path: Path) -> None:
    write_ndtiff(tmp_path, ramp((1, 23, 25)), ["a.tif"])
    np.testing.assert_array_equal(images.read(tmp_path / "a.tif").values, ramp((23, 25)))
