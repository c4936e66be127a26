from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import tifffile

from imaging import images
from imaging.formats.ome_files import recording_of
from imaging.remarks import remarks_of
from tests.small_images import ramp, refused

Place = dict[str, int]
SIZES = {"y": 0.08, "x": 0.08}


def write_recording(
    folder: Path,
    sizes: Place,
    held: Sequence[Sequence[Place]],
    *,
    order: str = "XYZCT",
    own_ids: bool = True,
) -> np.ndarray:
    """Write files that hold some planes each, and say of all of them which; return the planes."""
    folder.mkdir(exist_ok=True)
    pixels = ramp((len(held), max(map(len, held)), 23, 25))
    files = [f"cell_{number}.ome.tif" for number in range(len(held))]
    ids = [f"urn:uuid:{UUID(int=number + 1)}" for number in range(len(held))]
    blocks = "".join(
        f"<TiffData {_written(plane, 'First')} IFD='{page}' PlaneCount='1'>"
        f"<UUID FileName='{files[number]}'>{ids[number]}</UUID></TiffData>"
        for number, planes in enumerate(held)
        for page, plane in enumerate(planes)
    )
    channels = "".join(
        f"<Channel ID='Channel:0:{at}' Name='dye {at}' SamplesPerPixel='1'/>"
        for at in range(sizes["C"])
    )
    for number, planes in enumerate(held):
        own = f"UUID='{ids[number]}'" if own_ids else ""
        xml = (
            f"<OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06' {own}>"
            f"<Image ID='Image:0'><Pixels ID='Pixels:0' DimensionOrder='{order}' Type='uint16' "
            f"SizeX='25' SizeY='23' {_written(sizes, 'Size')} PhysicalSizeX='0.08' "
            f"PhysicalSizeY='0.08'>{channels}{blocks}</Pixels></Image></OME>"
        )
        tifffile.imwrite(
            folder / files[number], pixels[number, : len(planes)], description=xml,
            metadata=None, photometric="minisblack",
        )  # fmt: skip
    return pixels


def _written(numbers: Place, prefix: str) -> str:
    return " ".join(f"{prefix}{axis}='{number}'" for axis, number in numbers.items())


def places(sizes: Place) -> Iterator[Place]:
    for place in np.ndindex(*sizes.values()):
        yield dict(zip(sizes, place, strict=True))


def test_each_file_stands_for_its_own_planes(tmp_path: Path) -> None:
    sizes = {"T": 2, "C": 2, "Z": 1}
    pixels = write_recording(tmp_path, sizes, [[place] for place in places(sizes)])
    for number, place in enumerate(places(sizes)):
        found = images.read(tmp_path / f"cell_{number}.ome.tif")
        np.testing.assert_array_equal(found.values, pixels[number, 0])
        assert found.dims == ("y", "x")
        assert found["c"] == f"dye {place['C']}"
        assert found.attrs["pixel_size_um"] == pytest.approx(SIZES)
        (remark,) = remarks_of(found)
        assert remark.detail == "4 files, cell_0.ome.tif to cell_3.ome.tif"


@pytest.mark.parametrize("along", ["T", "C", "Z"])
def test_a_file_of_several_planes_keeps_their_axes(tmp_path: Path, along: str) -> None:
    sizes = {"T": 3, "C": 3, "Z": 3}
    held = [[place for place in places(sizes) if place[along] == at] for at in range(3)]
    pixels = write_recording(tmp_path, sizes, held)
    found = images.read(tmp_path / "cell_2.ome.tif")
    rest = [axis for axis in "TCZ" if axis != along]
    assert found.dims == (*sorted({"T": "b"}.get(axis, axis.lower()) for axis in rest), "y", "x")
    np.testing.assert_array_equal(found.values, pixels[2].reshape(found.shape))
    names = ["dye 2"] if along == "C" else ["dye 0", "dye 1", "dye 2"]
    assert np.atleast_1d(found["c"]).tolist() == names


@pytest.mark.parametrize("own_ids", [True, False])
def test_other_files_of_the_recording_need_not_be_there(tmp_path: Path, own_ids: bool) -> None:
    sizes = {"T": 4, "C": 1, "Z": 1}
    pixels = write_recording(tmp_path, sizes, [[p] for p in places(sizes)], own_ids=own_ids)
    (tmp_path / "cell_0.ome.tif").unlink()
    found = images.read(tmp_path / "cell_2.ome.tif")
    np.testing.assert_array_equal(found.values, pixels[2, 0])


def test_a_renamed_file_is_known_by_its_mark(tmp_path: Path) -> None:
    sizes = {"T": 3, "C": 2, "Z": 1}
    held = [[p for p in places(sizes) if p["T"] == at] for at in range(3)]
    pixels = write_recording(tmp_path, sizes, held)
    (tmp_path / "cell_1.ome.tif").rename(tmp_path / "mouse.tif")
    found = images.read(tmp_path / "mouse.tif")
    assert (found.dims, found["c"].values.tolist()) == (("c", "y", "x"), ["dye 0", "dye 1"])
    np.testing.assert_array_equal(found.values, pixels[1])


def test_a_renamed_file_without_a_mark_says_what_is_lost(tmp_path: Path) -> None:
    sizes = {"T": 3, "C": 1, "Z": 1}
    pixels = write_recording(tmp_path, sizes, [[p] for p in places(sizes)], own_ids=False)
    (tmp_path / "cell_1.ome.tif").rename(tmp_path / "mouse.tif")
    found = images.read(tmp_path / "mouse.tif")
    np.testing.assert_array_equal(found.values, pixels[1, 0])
    assert found.attrs["pixel_size_um"] == {"y": 0.08, "x": 0.08}
    assert "a name that its metadata do not know" in remarks_of(found)[0].sentence


def test_a_file_that_lacks_a_plane_of_its_own_is_refused(tmp_path: Path) -> None:
    sizes = {"T": 4, "C": 2, "Z": 1}
    held = [[p for p in places(sizes) if p["T"] // 2 == half] for half in range(2)]
    write_recording(tmp_path, sizes, [held[0], held[1][:3]])
    refused(tmp_path / "cell_1.ome.tif", "is cut off")


def test_planes_in_the_order_that_the_recording_states(tmp_path: Path) -> None:
    sizes = {"T": 2, "C": 2, "Z": 2}
    held = [{"T": 0, "C": c, "Z": z} for z in range(2) for c in range(2)]
    others = list(places(sizes | {"T": 1}))
    pixels = write_recording(tmp_path, sizes, [held, [p | {"T": 1} for p in others]])
    found = images.read(tmp_path / "cell_0.ome.tif")
    np.testing.assert_array_equal(found.values, pixels[0].reshape(2, 2, 23, 25).swapaxes(0, 1))


def test_marks_tell_recordings_apart(tmp_path: Path) -> None:
    sizes = {"T": 2, "C": 1, "Z": 1}
    write_recording(tmp_path, sizes, [[p] for p in places(sizes)])
    images.write(tmp_path / "alone.ome.tif", images.read(tmp_path / "cell_0.ome.tif"))
    first, second = (recording_of(tmp_path / f"cell_{at}.ome.tif") for at in range(2))
    assert first == second != frozenset()
    assert recording_of(tmp_path / "alone.ome.tif") == frozenset()


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_described_elsewhere_is_read_by_itself(tmp_path: Path, number: int) -> None:
    pixels = ramp((2, 23, 25))
    for at, plane in enumerate(pixels):
        xml = (
            f"<OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06' UUID='urn:uuid:{at}'>"
            "<BinaryOnly MetadataFile='set.companion.ome' UUID='urn:uuid:9'/></OME>"
        )
        tifffile.imwrite(tmp_path / f"{at}.ome.tif", plane, description=xml, metadata=None)
    path = tmp_path / f"{number}.ome.tif"
    np.testing.assert_array_equal(images.read(path).values, pixels[number])
    assert recording_of(path) == {"urn:uuid:9"}


def test_positions_in_files_of_their_own_are_recordings_of_their_own(tmp_path: Path) -> None:
    pixels = ramp((2, 23, 25))
    images_of_all = "".join(
        f"<Image ID='Image:{at}'><Pixels ID='Pixels:{at}' DimensionOrder='XYZCT' Type='uint16' "
        f"SizeX='25' SizeY='23' SizeZ='1' SizeC='1' SizeT='1' PhysicalSizeX='0.{at + 1}'>"
        f"<TiffData IFD='0' PlaneCount='1'><UUID FileName='{at}.ome.tif'>urn:uuid:{at}</UUID>"
        "</TiffData></Pixels></Image>"
        for at in range(2)
    )
    for at, plane in enumerate(pixels):
        xml = (
            f"<OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06' UUID='urn:uuid:{at}'>"
            f"{images_of_all}</OME>"
        )
        tifffile.imwrite(tmp_path / f"{at}.ome.tif", plane, description=xml, metadata=None)
    for at, plane in enumerate(pixels):
        found = images.read(tmp_path / f"{at}.ome.tif")
        np.testing.assert_array_equal(found.values, plane)
        assert found.attrs["pixel_size_um"]["x"] == pytest.approx((at + 1) / 10)
        assert remarks_of(found) == ()
        assert recording_of(tmp_path / f"{at}.ome.tif") == frozenset()
