import tomllib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.files import sha256
from imaging.formats import microscopes
from imaging.remarks import remarks_of
from tests.microscope_files import NAMES, SEVERAL, WRITERS, write_ims, write_nd2, write_oif
from tests.small_images import SIZES, refused

REASON = "the libraries of the extra 'formats' are not installed"
ONE = (1, 2, 3, 4, 6, 7)  # images, t, c, z, y and x, all of different lengths


def pixels_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 4000, shape).astype(np.uint16)


def written(folder: Path, suffix: str, pixels: np.ndarray) -> Path:
    library, write = WRITERS[suffix]
    pytest.importorskip(library, reason=REASON)
    write(folder / f"a{suffix}", pixels)
    return folder / f"a{suffix}"


@pytest.fixture(params=WRITERS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of each format, which holds one image."""
    return written(tmp_path, request.param, pixels_of(*ONE))


@pytest.fixture(params=SEVERAL)
def two_images(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return written(tmp_path, request.param, pixels_of(2, *ONE[1:]))


def test_axes(path: Path) -> None:
    assert dict(images.read(path).sizes) == {"b": 2, "c": 3, "z": 4, "y": 6, "x": 7}


def test_pixels(path: Path) -> None:
    np.testing.assert_array_equal(images.read(path).values, pixels_of(*ONE)[0])


def test_pixel_sizes(path: Path) -> None:
    # ND2 states one length for both sides of a pixel.
    expected = SIZES | ({"y": SIZES["x"]} if path.suffix == ".nd2" else {})
    assert images.read(path).attrs["pixel_size_um"] == pytest.approx(expected)


def test_names_of_channels(path: Path) -> None:
    assert list(images.read(path)["c"].values) == list(NAMES)


def test_time_points_run_along_b(path: Path) -> None:
    second = images.read(path, lazy=True).isel(b=1).values
    np.testing.assert_array_equal(second, pixels_of(*ONE)[0, 1])


def test_a_good_file_is_not_remarked_on(path: Path) -> None:
    assert remarks_of(images.read(path)) == ()


def test_a_region(path: Path) -> None:
    region = images.read(path, lazy=True).isel(
        c=1, z=slice(1, 4, 2), y=slice(2, 5), x=slice(1, 6, 2)
    )
    np.testing.assert_array_equal(region.values, pixels_of(*ONE)[0, :, 1, 1:4:2, 2:5, 1:6:2])


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_region_is_read_without_the_rest(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, pixels_of(1, 1, 1, 24, 256, 256))
    image = images.read(path, lazy=True)
    tracemalloc.start()
    image.isel(z=2, y=slice(100, 120), x=slice(100, 120)).load()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < image.nbytes / 4


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_image_of_one_plane(tmp_path: Path, suffix: str) -> None:
    pixels = pixels_of(1, 1, 1, 1, 6, 7)
    found = images.read(written(tmp_path, suffix, pixels))
    np.testing.assert_array_equal(found.values, pixels.reshape(6, 7))


def test_images_of_one_shape_are_positions(two_images: Path) -> None:
    expected = pixels_of(2, *ONE[1:]).reshape(4, *ONE[2:])
    np.testing.assert_array_equal(images.read(two_images).values, expected)


def test_positions_are_remarked_on(two_images: Path) -> None:
    (remark,) = remarks_of(images.read(two_images))
    assert remark.sentence.startswith("the file holds several images of one shape")
    assert remark.detail == "2 of (T: 2, C: 3, Z: 4, Y: 6, X: 7) uint16"


def test_a_number_chooses_one_of_the_images(two_images: Path) -> None:
    second = images.read(two_images.with_name(f"{two_images.name}#2"))
    np.testing.assert_array_equal(second.values, pixels_of(2, *ONE[1:])[1])


def test_a_number_that_no_image_has(path: Path) -> None:
    refused_number = path.with_name(f"{path.name}#3")
    with pytest.raises(UserError, match=r"holds (1 image\(s\)|one image)") as caught:
        images.read(refused_number)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("part", [0.03, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off(tmp_path: Path, path: Path, part: float) -> None:
    # The planes of an OIF lie in files of their own.
    cut = path if path.suffix != ".oif" else tmp_path / "a.oif.files" / "s_C002Z003T001.tif"
    content = cut.read_bytes()
    cut.write_bytes(content[: int(part * len(content))])
    refused(path, "damaged|cut off")


def test_a_file_of_something_else(path: Path) -> None:
    path.write_bytes(b"no image, but text" * 100)
    refused(path, "damaged, cut off or not of this format")


def test_a_missing_folder_of_planes(tmp_path: Path) -> None:
    path = written(tmp_path, ".oif", pixels_of(*ONE))
    path.with_name(f"{path.name}.files").rename(tmp_path / "elsewhere")
    refused(path, "storage path not found")


def test_the_formats_are_only_read(tmp_path: Path) -> None:
    image = images.read(written(tmp_path, ".ims", pixels_of(*ONE)))
    with pytest.raises(UserError, match=r"only read: end the name in \.ome\.tif"):
        images.write(tmp_path / "out.ims", image)


def test_the_hash_of_an_oif_is_also_of_its_planes(tmp_path: Path) -> None:
    write_oif(tmp_path / "a.oif", pixels_of(*ONE))
    before = sha256(tmp_path / "a.oif")
    (tmp_path / "a.oif.files" / "s_C002Z003T001.tif").write_bytes(b"other")
    assert sha256(tmp_path / "a.oif") != before


def absent_of(path: Path) -> str:
    (remark,) = remarks_of(images.read(path))
    assert remark.sentence.startswith("the file has fewer planes than it describes")
    return remark.detail


def test_a_stopped_recording_of_nd2(tmp_path: Path) -> None:
    pytest.importorskip("nd2", reason=REASON)
    write_nd2(tmp_path / "a.nd2", pixels_of(*ONE), frames=5)
    assert absent_of(tmp_path / "a.nd2") == "3 of 8"
    assert not images.read(tmp_path / "a.nd2").isel(b=1, z=slice(1, None)).values.any()


def test_a_plane_that_an_oif_lacks(tmp_path: Path) -> None:
    path = written(tmp_path, ".oif", pixels_of(*ONE))
    (tmp_path / "a.oif.files" / "s_C002Z003T001.tif").unlink()
    assert absent_of(path) == "1 of 24"
    assert not images.read(path).isel(b=0, c=1, z=2).values.any()


def test_sectors_of_an_oib_in_a_circle(tmp_path: Path) -> None:
    path = written(tmp_path, ".oib", pixels_of(*ONE))
    content = bytearray(path.read_bytes())
    tables = int.from_bytes(content[44:48], "little")
    first = len(content) - 512 * tables
    content[first : first + 4] = bytes(4)  # the first sector is followed by itself
    path.write_bytes(content)
    refused(path, "in a circle")


def czi(path: Path, *tiles: tuple[np.ndarray, dict[str, Any]]) -> Path:
    library: Any = pytest.importorskip("pylibCZIrw.czi", reason=REASON)
    with library.create_czi(str(path)) as file:
        for pixels, options in tiles:
            file.write(pixels, **options)
        file.write_metadata()
    return path


def test_a_plane_that_a_czi_lacks(tmp_path: Path) -> None:
    plane = np.ones((6, 7), np.uint16)
    places = ({"C": 0, "Z": 0}, {"C": 0, "Z": 1}, {"C": 1, "Z": 0})
    path = czi(tmp_path / "a.czi", *((plane, {"plane": place}) for place in places))
    assert absent_of(path) == "1 of 4"


def test_a_czi_that_claims_more_channels_than_it_can_hold(tmp_path: Path) -> None:
    path = written(tmp_path, ".czi", pixels_of(*ONE))
    second, far = (b"C\0\0\0" + channel.to_bytes(4, "little") for channel in (1, 2**30))
    path.write_bytes(path.read_bytes().replace(second, far))
    refused(path, "claims")


def test_a_czi_of_negative_size(tmp_path: Path) -> None:
    path = written(tmp_path, ".czi", pixels_of(*ONE))
    width, negative = (
        b"X\0\0\0" + bytes(4) + size.to_bytes(4, "little", signed=True) for size in (7, -7)
    )
    path.write_bytes(path.read_bytes().replace(width, negative))
    refused(path, "no pixels")


def test_an_nd2_of_the_old_kind(tmp_path: Path) -> None:
    pytest.importorskip("nd2", reason=REASON)
    (tmp_path / "a.nd2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(2000))
    refused(tmp_path / "a.nd2", "of the old kind")


def test_tiles_of_a_czi_lie_where_they_were_taken(tmp_path: Path) -> None:
    left, right = pixels_of(6, 7), pixels_of(6, 5)
    path = czi(tmp_path / "a.czi", (right, {"location": (-3, 2)}), (left, {"location": (-10, 2)}))
    np.testing.assert_array_equal(images.read(path).values, np.hstack([left, right]))


def test_scenes_of_different_sizes_are_listed(tmp_path: Path) -> None:
    small, large = pixels_of(6, 7), pixels_of(9, 8)
    scenes = (small, {"scene": 0}), (large, {"scene": 1, "location": (50, 50)})
    path = czi(tmp_path / "a.czi", *scenes)
    refused(path, r"holds 2 image\(s\) \(#1 scene 1 .*Y: 6, X: 7.*; #2 scene 2 .*Y: 9, X: 8")
    np.testing.assert_array_equal(images.read(tmp_path / "a.czi#2").values, large)


def test_channels_of_two_types_are_read_in_the_wider_one(tmp_path: Path) -> None:
    narrow, wide = np.full((6, 7), 200, np.uint8), np.full((6, 7), 3000, np.uint16)
    tiles = (narrow, {"plane": {"C": 0}}), (wide, {"plane": {"C": 1}})
    found = images.read(czi(tmp_path / "a.czi", *tiles))
    np.testing.assert_array_equal(found.values, np.stack([narrow, wide]))


def test_a_czi_without_a_scale(tmp_path: Path) -> None:
    found = images.read(czi(tmp_path / "a.czi", (pixels_of(6, 7), {})))
    assert found.attrs["pixel_size_um"] == {}


def test_a_colour_czi(tmp_path: Path) -> None:
    refused(czi(tmp_path / "a.czi", (np.ones((6, 7, 3), np.uint8), {})), "colour picture")


def test_phases_of_a_czi_are_no_axis_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_given(plane: dict[str, int], scene: int) -> dict[str, int]:
        return plane

    # The library writes T, C, Z and scenes only, and drops the rest here.
    library: Any = pytest.importorskip("pylibCZIrw.czi", reason=REASON)
    monkeypatch.setattr(library.CziWriter, "_create_plane", staticmethod(as_given))
    plane = np.ones((6, 7), np.uint16)
    path = czi(tmp_path / "a.czi", *((plane, {"plane": {"H": at, "C": 0}}) for at in range(3)))
    refused(path, r"axes of unknown meaning.*H: 3")


def test_planes_of_an_ims_beyond_its_image_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason=REASON)
    write_ims(tmp_path / "a.ims", pixels_of(*ONE), chunk=16)
    assert images.read(tmp_path / "a.ims").shape == ONE[1:]


def test_a_lif_of_two_shapes_is_listed(tmp_path: Path) -> None:
    path = written(tmp_path, ".lif", pixels_of(2, *ONE[1:]))
    one, two = path.read_bytes().split("Series1".encode("utf-16-le"))
    # Along its first axis the second image was turned.
    swapped = two.replace('DimID="4"'.encode("utf-16-le"), 'DimID="6"'.encode("utf-16-le"))
    path.write_bytes(one + "Series1".encode("utf-16-le") + swapped)
    refused(path, r"holds 2 image\(s\) \(#1 Series0 \(T: 2, .*; #2 Series1 \(A: 2, ")


def test_a_lif_whose_axes_lie_in_another_order(tmp_path: Path) -> None:
    pixels = pixels_of(1, 2, 3, 6, 4, 7).swapaxes(3, 4)
    found = images.read(written(tmp_path, ".lif", pixels))
    np.testing.assert_array_equal(found.values, pixels[0])


def test_tiles_of_a_lif_run_along_b(tmp_path: Path) -> None:
    path = written(tmp_path, ".lif", pixels_of(*ONE))
    time, tile = (f'DimID="{number}"' for number in ("4", "10"))
    changed = path.read_bytes().replace(time.encode("utf-16-le"), tile.encode("utf-16-le"))
    # The header is one letter longer.
    size = int.from_bytes(changed[9:13], "little") + 1
    path.write_bytes(
        changed[:4] + (2 * size + 5).to_bytes(4, "little") + changed[8:9]
        + size.to_bytes(4, "little") + changed[13:]
    )  # fmt: skip
    assert dict(images.read(path).sizes) == {"b": 2, "c": 3, "z": 4, "y": 6, "x": 7}


def test_a_colour_lif(tmp_path: Path) -> None:
    interleaved = np.moveaxis(np.zeros((1, 1, 1, 6, 7, 3), np.uint8), -1, 2)
    refused(written(tmp_path, ".lif", interleaved), "colour picture")


def test_a_colour_nd2(tmp_path: Path) -> None:
    pytest.importorskip("nd2", reason=REASON)
    write_nd2(tmp_path / "a.nd2", pixels_of(1, 1, 3, 1, 6, 7), colour=True)
    refused(tmp_path / "a.nd2", "colour picture")


def test_spectra_of_an_oif_are_no_axis_of_ours(tmp_path: Path) -> None:
    pytest.importorskip("oiffile", reason=REASON)
    write_oif(tmp_path / "a.oif", pixels_of(*ONE))
    text = (tmp_path / "a.oif").read_bytes().decode("utf-16")
    changed = text.replace('AxisOrder="XYCZT"', 'AxisOrder="XYCZL"').replace(
        'AxisCode="L"\r\nMaxSize=0', 'AxisCode="L"\r\nMaxSize=5'
    )
    (tmp_path / "a.oif").write_bytes(changed.encode("utf-16"))
    refused(tmp_path / "a.oif", r"axes of unknown meaning.*L: 5")


@pytest.fixture
def no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> None:
        return None

    monkeypatch.setattr(microscopes, "find_spec", find_nothing)


@pytest.mark.usefixtures("no_libraries")
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_library_that_is_absent(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    refused(tmp_path / f"a{suffix}", f'not installed.* run "{microscopes.INSTALL}"')


@pytest.mark.usefixtures("no_libraries")
def test_files_whose_library_is_absent_are_remarked_on_once(tmp_path: Path) -> None:
    images.write(tmp_path / "good.tif", xr.DataArray(pixels_of(6, 7), dims=("y", "x")))
    for name in ("one.czi", "two.czi", "three.lif"):
        (tmp_path / name).write_bytes(b"x")
    (entry,) = open_dataset(tmp_path).remarks.entries
    assert microscopes.INSTALL in entry.sentence
    assert len(entry.images) == 3


@pytest.mark.usefixtures("no_libraries")
def test_a_folder_of_nothing_but_files_whose_library_is_absent(tmp_path: Path) -> None:
    (tmp_path / "one.czi").write_bytes(b"x")
    with pytest.raises(UserError, match=r"run .*pylibCZIrw.* to read one\.czi\."):
        open_dataset(tmp_path)


def test_the_command_installs_what_the_extra_names() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["formats"]
    assert microscopes.INSTALL.split()[4:] == [entry.partition(">")[0] for entry in extra]


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_dataset(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, pixels_of(*ONE))
    (item,) = open_dataset(tmp_path).items
    assert item.name == "a"
    np.testing.assert_array_equal(item.read_input().values, images.read(path).values)
