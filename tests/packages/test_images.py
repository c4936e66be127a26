import contextlib
import errno
import math
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from packages import images
from packages.cli import UserError
from packages.formats.header import micrometres

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
SIZES = {"z": 0.25, "y": 0.0313, "x": 0.0417}
REUSE = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def ramp(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    return (np.arange(math.prod(shape)) % 120).reshape(shape).astype(dtype)


def image(
    dims: str,
    shape: tuple[int, ...],
    dtype: str = "uint16",
    pixel_size_um: dict[str, float] | None = None,
) -> xr.DataArray:
    attributes = {"pixel_size_um": pixel_size_um or {}}
    array = xr.DataArray(ramp(shape, dtype), dims=tuple(dims), attrs=attributes)
    if "c" in dims:
        array = array.assign_coords(c=[f"channel {i} µ" for i in range(array.sizes["c"])])
    return array


# --- Round trips -----------------------------------------------------------------------------


@st.composite
def drawn(draw: st.DrawFn, dims: tuple[str, ...], dtypes: tuple[str, ...]) -> xr.DataArray:
    axes = draw(st.sampled_from(dims))
    shape = tuple(draw(st.integers(1 if dim in "yx" else 2, 5)) for dim in axes)
    size = st.floats(1e-3, 20.0)
    sizes = {dim: draw(size) for dim in axes if dim in "zyx"}
    if not draw(st.booleans()):
        sizes = {}
    return image(axes, shape, draw(st.sampled_from(dtypes)), sizes)


ALL = ("yx", "zyx", "byx", "cyx", "czyx", "bcyx", "bzyx", "bczyx")
NUMBERS = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


@pytest.mark.parametrize(
    ("suffix", "dims", "dtypes", "named"),
    [
        (".tif", ALL, NUMBERS, True),
        (".ome.tif", ALL, NUMBERS, True),
        (".ome.zarr", ALL, (*NUMBERS, "int64", "uint64", "float16"), True),
        (".mrc", ("yx", "zyx", "byx", "bzyx"), ("int8", "int16", "uint16", "float32"), False),
        (".png", ("yx",), ("uint8", "uint16"), False),
    ],
)
@REUSE
@given(data=st.data())
def test_a_round_trip_keeps_pixels_type_axes_sizes_and_channels(
    tmp_path: Path,
    suffix: str,
    dims: tuple[str, ...],
    dtypes: tuple[str, ...],
    named: bool,
    data: st.DataObject,
) -> None:
    written = data.draw(drawn(dims, dtypes))
    path = tmp_path / f"image{suffix}"
    images.write(path, written)
    found = images.read(path)
    assert found.dims == written.dims
    assert found.dtype == written.dtype
    np.testing.assert_array_equal(found.values, written.values)
    # PNG counts whole pixels per metre: 20 µm are 50000 of them.
    tolerance = 1.1e-5 if suffix == ".png" else 1e-6
    assert found.attrs["pixel_size_um"] == pytest.approx(
        written.attrs["pixel_size_um"], rel=tolerance
    )
    if named and "c" in written.dims:
        assert found["c"].values.tolist() == written["c"].values.tolist()


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.zarr"])
def test_the_name_of_a_single_channel_survives(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"one{suffix}"
    images.write(path, image("cyx", (1, 4, 5)))
    found = images.read(path)
    assert found.dims == ("y", "x")
    assert found["c"].item() == "channel 0 µ"


def test_axes_in_another_order_are_brought_into_ours(tmp_path: Path) -> None:
    path = tmp_path / "order.ome.tif"
    written = image("bczyx", (2, 3, 4, 5, 6))
    images.write(path, written.transpose("x", "y", "z", "c", "b"))
    np.testing.assert_array_equal(images.read(path).values, written.values)


def test_one_known_pixel_size_does_not_become_two(tmp_path: Path) -> None:
    path = tmp_path / "half.tif"
    images.write(path, image("yx", (4, 5), pixel_size_um={"x": 0.1}))
    assert images.read(path).attrs["pixel_size_um"] == {"x": 0.1}


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        images.write(tmp_path / name, image("zyx", (2, 4, 5), "float32", pixel_size_um=SIZES))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


# --- Independent readers of what is written --------------------------------------------------


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


def test_mrcfile_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "volume.mrc"
    written = image("zyx", (3, 4, 5), "float32", pixel_size_um=SIZES)
    images.write(path, written)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as mrc:
        np.testing.assert_array_equal(mrc.data, written.values)
        assert mrc.is_volume()
        assert float(mrc.voxel_size.x) == pytest.approx(1e4 * SIZES["x"])


def test_zarr_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "volume.zarr"
    written = image("czyx", (2, 3, 4, 5), pixel_size_um=SIZES)
    images.write(path, written)
    group = zarr.open_group(path, mode="r")
    ome: Any = group.attrs["ome"]
    assert ome["version"] == "0.5"
    multiscale = ome["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == list("czyx")
    scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [1.0, 0.25, 0.0313, 0.0417]
    array: Any = group["0"]
    assert array.metadata.dimension_names == tuple("czyx")
    np.testing.assert_array_equal(array[...], written.values)


def test_pillow_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "plane.png"
    written = image("yx", (4, 5), pixel_size_um={"y": 0.1, "x": 0.05})
    images.write(path, written)
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), written.values)
        assert picture.info["dpi"] == pytest.approx((508000, 254000))


# --- Files that others wrote -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "factor"),
    [
        ("µm", 1.0),
        ("\u03bcm", 1.0),
        ("\\u00B5m", 1.0),
        ("um", 1.0),
        ("Micron", 1.0),
        ("micrometer", 1.0),
        ("nm", 1e-3),
        ("Å", 1e-4),
        ("mm", 1e3),
        ("cm", 1e4),
        ("inch", 25400.0),
        ("pixel", None),
        ("reference frame", None),
        (None, None),
    ],
)
def test_units_become_micrometres(spelled: str | None, factor: float | None) -> None:
    assert micrometres(2.0, spelled) == (None if factor is None else pytest.approx(2 * factor))


@pytest.mark.parametrize("length", [0.0, -1.0, math.nan, math.inf])
def test_impossible_lengths_are_unknown(length: float) -> None:
    assert micrometres(length, "um") is None


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


def test_ome_zarr_0_4(tmp_path: Path) -> None:
    path = tmp_path / "old.ome.zarr"
    pixels = ramp((2, 3, 4, 5))
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array(
        "full", shape=pixels.shape, dtype=pixels.dtype, chunks=(1, 1, 4, 5),
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )  # fmt: skip
    array[...] = pixels
    space = [{"name": dim, "type": "space", "unit": "nanometer"} for dim in "yx"]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, *space],
            "datasets": [
                {
                    "path": "full",
                    "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 40, 30]}],
                }
            ],
            "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 2]}],
        }
    ]
    group.attrs["omero"] = {"channels": [{"label": name} for name in ("red", "green", "blue")]}
    found = images.read(path)
    assert found.dims == ("b", "c", "y", "x")
    assert found["c"].values.tolist() == ["red", "green", "blue"]
    assert found.attrs["pixel_size_um"] == pytest.approx({"y": 0.08, "x": 0.06})
    np.testing.assert_array_equal(found.values, pixels)


SHARED_FILES = [
    path for path in sorted(SHARED.rglob("*")) if images.suffix_of(path)
] if SHARED.is_dir() else []  # fmt: skip


@pytest.mark.skipif(not SHARED_FILES, reason="no example files here")
@pytest.mark.parametrize(
    ("name", "dims", "shape", "size_um"),
    [
        ("expanded/biosr_MT_Cell_001_SIMgt.mrc", "yx", (1004, 1004), 0.0313),
        ("expanded/sfsrm_ER_STORM.tif", "yx", (2560, 2560), None),
        ("repeats/rdlsim_MT_raw9_TIRFSIM.mrc", "zyx", (9, 256, 256), 0.0626),
        ("repeats/bohuang_lysosome_t50_1.tif", "byx", (50, 128, 128), 0.1292),
        ("real/rat_hippocampal_neuron.tif", "yx", (512, 512), 0.16),
        ("real/deep3p_glioma_mGFP_raw.tif", "zyx", (60, 100, 161), None),
        ("pairs/biosr_microtubules/p000_sim.tif", "yx", (256, 256), None),
        ("psf/beads_confocal_crop.tif", "zyx", (41, 150, 150), 0.02249),
    ],
)
def test_files_of_real_microscopes(
    name: str, dims: str, shape: tuple[int, ...], size_um: float | None
) -> None:
    found = images.read(SHARED / name, lazy=True)
    assert found.dims == tuple(dims)
    assert found.shape == shape
    assert found.attrs["pixel_size_um"].get("x") == (size_um and pytest.approx(size_um, rel=1e-3))


@pytest.mark.skipif(not SHARED_FILES, reason="no example files here")
@pytest.mark.parametrize("path", SHARED_FILES, ids=lambda path: path.stem)
def test_every_example_file_opens(path: Path) -> None:
    assert images.read(path, lazy=True).isel(y=slice(0, 8), x=slice(0, 8)).values.size > 0


# --- Lazy reading and writing by region ------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".mrc", ".ome.zarr"])
@REUSE
@given(data=st.data())
def test_a_lazy_region_is_that_region(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    path = tmp_path / f"lazy{suffix}"
    written = image("zyx", (3, 7, 9))
    if not path.exists():
        images.write(path, written)
    # (xarray itself fails on slices that are both empty and reversed.)
    place = st.one_of(
        st.integers(-3, 2),
        st.builds(slice, st.integers(0, 1), st.integers(2, 9), st.integers(1, 3)),
        st.just(slice(None, None, -1)),
        st.lists(st.integers(0, 2), min_size=1),
    )
    key = {dim: data.draw(place) for dim in "zyx"}
    region = images.read(path, lazy=True).isel(key)
    np.testing.assert_array_equal(region.values, written.isel(key).values)


def test_a_lazy_region_of_compressed_tiles(tmp_path: Path) -> None:
    path = tmp_path / "tiles.ome.tif"
    pixels = ramp((2, 3, 40, 50))
    tifffile.imwrite(
        path, pixels, tile=(16, 16), compression="zlib", metadata={"axes": "ZCYX"},
        photometric="minisblack",
    )  # fmt: skip
    region = images.read(path, lazy=True).isel(c=1, y=slice(10, 30), x=slice(5, 45))
    np.testing.assert_array_equal(region.values, pixels[:, 1, 10:30, 5:45])


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".mrc", ".ome.zarr"])
def test_a_lazy_image_does_not_fill_memory(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"lazy{suffix}"
    written = image("zyx", (16, 700, 700))
    images.write(path, written)
    region = {"z": 2, "y": slice(100, 110), "x": slice(0, 20)}
    images.read(path, lazy=True).isel(region).load()  # what is imported now is not counted below
    tracemalloc.start()
    try:
        images.read(path, lazy=True).isel(region).load()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < written.nbytes / 5


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".ome.zarr", ".mrc"])
def test_regions_written_in_any_order_make_the_image(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"regions{suffix}"
    pixels = ramp((3, 40, 50), "float32")
    with images.create(
        path, dims=("z", "y", "x"), shape=pixels.shape, dtype="float32", pixel_size_um=SIZES
    ) as out:
        for top in (20, 0):
            for left in (0, 25):
                region = (slice(None), slice(top, top + 20), slice(left, left + 25))
                out[region] = pixels[region]
    found = images.read(path)
    np.testing.assert_array_equal(found.values, pixels)
    assert found.attrs["pixel_size_um"] == pytest.approx(SIZES)


def fail_after_writing(out: Any, failure: type[BaseException]) -> None:
    out[0, 0] = 7
    raise failure


@pytest.mark.parametrize("suffix", images.SUFFIXES[:-1])
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, suffix: str, failure: type[BaseException]
) -> None:
    path = tmp_path / f"image{suffix}"
    images.write(path, image("yx", (4, 5)))
    writing = images.create(path, dims="yx", shape=(4, 5), dtype="uint16", pixel_size_um={})
    with pytest.raises(failure), writing as out:
        fail_after_writing(out, failure)
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(images.read(path).values, ramp((4, 5)))


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".ome.zarr", ".mrc", ".png"])
def test_a_full_disk_leaves_nothing_and_names_the_file(tmp_path: Path, suffix: str) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 65535, (600, 600)).astype(np.uint16)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            images.write(tmp_path / f"image{suffix}", xr.DataArray(noise, dims=("y", "x")))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path / f"image{suffix}")
    assert list(tmp_path.iterdir()) == []


# --- What is refused -------------------------------------------------------------------------


def refused(path: Path, words: str) -> None:
    """Reading fails with one sentence that names the file and says what is wrong."""
    with pytest.raises(UserError, match=words) as caught:
        images.read(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.tif", "does not exist")


def test_an_unknown_ending(tmp_path: Path) -> None:
    refused(tmp_path / "image.jpg", "no known ending")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".mrc"])
def test_a_folder_in_place_of_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"folder{suffix}"
    path.mkdir()
    refused(path, "is a folder")


def test_a_file_in_place_of_a_zarr_folder(tmp_path: Path) -> None:
    path = tmp_path / "file.ome.zarr"
    path.write_bytes(b"PK")
    refused(path, "is a file")


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".png", ".mrc", ".dv"])
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty{suffix}"
    path.touch()
    refused(path, "is empty")


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".png", ".mrc"])
def test_a_file_of_something_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_bytes(b"This is no image at all.\n" * 100)
    refused(path, "copy or export it again|save it as TIFF")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_a_colour_png(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "colour.png"
    Image.new(mode, (5, 4)).save(path)
    refused(path, "colour picture")


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("imagej", [False, True])
def test_a_colour_tiff(tmp_path: Path, samples: int, imagej: bool) -> None:
    path = tmp_path / "colour.tif"
    pixels = ramp((4, 5, samples), "uint8")
    tifffile.imwrite(path, pixels, photometric="rgb", imagej=imagej)
    refused(path, f"colour picture .{samples} samples")


def test_two_axes_without_names(tmp_path: Path) -> None:
    path = tmp_path / "axes.tif"
    tifffile.imwrite(path, ramp((2, 3, 4, 5)), photometric="minisblack")
    refused(path, "axes of unknown meaning")


def test_an_axis_that_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "axes.ome.tif"
    tifffile.imwrite(path, ramp((3, 4, 5)), metadata={"axes": "AYX"}, photometric="minisblack")
    refused(path, "axes of unknown meaning")


def test_several_images_in_one_tiff(tmp_path: Path) -> None:
    path = tmp_path / "several.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(ramp((4, 5)))
        writer.write(ramp((8, 9)))
    refused(path, "2 images")


def test_an_ome_zarr_axis_that_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "axes.zarr"
    images.write(path, image("zyx", (2, 4, 5)))
    group = zarr.open_group(path)
    ome: Any = group.attrs["ome"]
    ome["multiscales"][0]["axes"][0]["name"] = "phase"
    group.attrs["ome"] = ome
    refused(path, "unknown axis 'phase'")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("suffix", [".tif", ".mrc"])
def test_nan_and_infinity(tmp_path: Path, suffix: str, value: float) -> None:
    path = tmp_path / f"nan{suffix}"
    pixels = ramp((4, 5), "float32")
    images.write(path, xr.DataArray(pixels, dims=("y", "x")))
    whole = path.read_bytes()
    place = whole.index(pixels.tobytes()) + 4 * 7
    path.write_bytes(whole[:place] + struct.pack("<f", value) + whole[place + 4 :])
    refused(path, "NaN or infinite")
    assert images.read(path, lazy=True).shape == (4, 5)


@pytest.mark.parametrize(("dtype", "words"), [("complex64", "complex"), ("bool", "type bool")])
def test_pixels_that_are_no_intensities(tmp_path: Path, dtype: str, words: str) -> None:
    path = tmp_path / "type.tif"
    tifffile.imwrite(path, ramp((4, 5), dtype))
    refused(path, words)


def test_a_complex_mrc(tmp_path: Path) -> None:
    path = tmp_path / "complex.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(ramp((4, 5), "complex64"))
    refused(path, "complex")


def test_a_one_bit_png(tmp_path: Path) -> None:
    path = tmp_path / "bits.png"
    Image.new("1", (5, 4)).save(path)
    refused(path, "yes/no")


def test_an_mrc_of_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "none.mrc"
    path.write_bytes(struct.pack("<4i", 0, 4, 1, 2) + bytes(1008))
    refused(path, "no pixels")


def test_a_zarr_of_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "none.zarr"
    images.write(path, image("yx", (4, 5)))
    array: Any = zarr.open_group(path)["0"]
    array.resize((0, 5))
    refused(path, "no pixels")


@pytest.mark.parametrize("missing", ["zarr.json", "0/zarr.json"])
def test_a_zarr_without_metadata(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "part.ome.zarr"
    images.write(path, image("yx", (4, 5)))
    (path / missing).unlink()
    refused(path, "copy it again as a whole")


def test_a_zarr_that_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "table.zarr"
    zarr.open_group(path, mode="w")
    refused(path, "multiscales")


def test_a_zarr_with_a_damaged_chunk(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zarr"
    images.write(path, image("yx", (40, 50)))
    chunk = path / "0" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-20])
    refused(path, "damaged")


WRITERS: dict[str, dict[str, Any]] = {
    "plain.tif": {"metadata": None},
    "shaped.tif": {},
    "imagej.tif": {"imagej": True},
    "scattered.tif": {"contiguous": False, "compression": "zlib"},
    "tiles.ome.tif": {"tile": (16, 16), "compression": "lzw", "metadata": {"axes": "ZYX"}},
    "mapped.ome.tif": {"metadata": {"axes": "ZYX"}},
    "volume.mrc": {},
    "plane.png": {},
}


@pytest.mark.parametrize("name", WRITERS)
@REUSE
@given(part=st.floats(0.001, 0.999))
def test_a_file_cut_off_anywhere_is_never_read_as_something_else(
    tmp_path: Path, name: str, part: float
) -> None:
    path, cut = tmp_path / name, tmp_path / f"cut_{name}"
    pixels = np.random.default_rng(0).integers(1, 60000, (5, 16, 20)).astype(np.uint16)
    if name.endswith(".mrc"):
        images.write(path, xr.DataArray(pixels, dims=("z", "y", "x")))
    elif name.endswith(".png"):
        pixels = pixels[0]
        images.write(path, xr.DataArray(pixels, dims=("y", "x")))
    else:
        tifffile.imwrite(path, pixels, **WRITERS[name])
    whole = path.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * part)])
    # Only what follows the pixels (padding, a closing mark) can be spared.
    with contextlib.suppress(UserError):
        np.testing.assert_array_equal(images.read(cut).values, pixels)


# --- What cannot be written ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "dtype", "instead"),
    [
        (".png", "float32", ".ome.tif"),
        (".png", "uint32", ".ome.tif"),
        (".mrc", "uint32", ".ome.tif"),
        (".mrc", "uint8", ".ome.tif"),
        (".tif", "int64", ".ome.zarr"),
        (".ome.tif", "float16", ".ome.zarr"),
        (".dv", "uint16", ".ome.tif"),
    ],
)
def test_a_pixel_type_the_format_lacks(
    tmp_path: Path, suffix: str, dtype: str, instead: str
) -> None:
    with pytest.raises(UserError, match=f"write {instead}") as caught:
        images.write(tmp_path / f"image{suffix}", image("yx", (4, 5), dtype))
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "dims"), [(".png", "zyx"), (".mrc", "cyx")])
def test_axes_the_format_lacks(tmp_path: Path, suffix: str, dims: str) -> None:
    with pytest.raises(UserError, match=r"write \.ome\.tif"):
        images.write(tmp_path / f"image{suffix}", image(dims, (2, 4, 5)))


@pytest.mark.parametrize("dims", ["ayx", "zx"])
def test_axes_no_format_has(tmp_path: Path, dims: str) -> None:
    array = xr.DataArray(ramp((2, 3, 4)[: len(dims)]), dims=tuple(dims))
    with pytest.raises(UserError, match="cannot be written"):
        images.write(tmp_path / "image.tif", array)


def test_an_image_of_no_pixels_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pixels"):
        images.write(tmp_path / "image.tif", image("yx", (0, 5)))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinity_are_not_written(tmp_path: Path, value: float) -> None:
    bad = image("yx", (4, 5), "float32")
    bad[2, 3] = value
    with pytest.raises(UserError, match="NaN or infinite"):
        images.write(tmp_path / "nan.tif", bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["complex64", "bool"])
def test_pixels_that_are_no_intensities_are_not_written(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(UserError, match="cannot be handled"):
        images.write(tmp_path / "image.zarr", image("yx", (4, 5), dtype))


def test_names_that_do_not_fit_the_channels(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="1 names do not fit 2 channels"),
        images.create(
            tmp_path / "image.tif", dims="cyx", shape=(2, 4, 5), dtype="uint8",
            pixel_size_um={}, channels=["mean"],
        ),
    ):  # fmt: skip
        pass


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.tif", ".tif"),
        ("a.b.ome.tif", ".ome.tif"),
        ("A.OME.TIFF", ".OME.TIFF"),
        ("a.ome.zarr", ".ome.zarr"),
        ("a.PNG", ".PNG"),
        ("a.txt", None),
        ("tif", None),
    ],
)
def test_suffix_of(name: str, suffix: str | None) -> None:
    assert images.suffix_of(Path("folder") / name) == suffix
