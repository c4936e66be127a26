import errno
import sys
import tracemalloc
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import psutil
import pytest
import tifffile
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from imaging import images
from tests.small_images import REUSE, SIZES, image, ramp

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


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


WRITTEN = (".tif", ".tiff", ".ome.tif", ".ome.tiff", ".png", ".mrc", ".zarr", ".ome.zarr")


@pytest.mark.parametrize("suffix", WRITTEN)
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


@pytest.mark.parametrize("suffix", [".tif", ".ome.zarr"])
def test_what_was_written_leaves_the_memory(tmp_path: Path, suffix: str) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells pages of files apart")
    shape = (64, 256, 256)
    memory = psutil.Process().memory_info
    with images.create(
        tmp_path / f"a{suffix}", dims="zyx", shape=shape, dtype="float32", pixel_size_um={}
    ) as out:
        out[0] = ramp(shape[1:])
        before = memory().shared
        for z in range(1, shape[0]):
            out[z] = ramp(shape[1:])
        assert memory().shared - before < 2**20  # of 16 MiB


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


def test_annotations_of_a_written_file_are_where_programs_look(tmp_path: Path) -> None:
    said = {"intensity_factor": "3.5", "intensities": "input = factor * result"}
    for name in ("a.ome.tif", "a.tif", "a.ome.zarr"):
        with images.create(
            tmp_path / name,
            dims="yx",
            shape=(4, 5),
            dtype="float32",
            pixel_size_um={},
            annotations=said,
        ) as out:
            out[...] = 1

    with tifffile.TiffFile(tmp_path / "a.ome.tif") as ome:
        entries = ElementTree.fromstring(ome.ome_metadata or "").findall(".//{*}M")
        assert {entry.get("K"): entry.text for entry in entries} == said
    with tifffile.TiffFile(tmp_path / "a.tif") as imagej:
        assert (imagej.imagej_metadata or {})["intensity_factor"] == 3.5
    assert zarr.open_group(tmp_path / "a.ome.zarr").attrs["annotations"] == said


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.ome.zarr"])
@pytest.mark.parametrize(("dims", "shape"), [("byx", (3, 4, 5)), ("bczyx", (3, 2, 2, 4, 5))])
def test_the_time_between_frames_is_kept(
    tmp_path: Path, name: str, dims: str, shape: tuple[int, ...]
) -> None:
    written = image(dims, shape).assign_attrs(interval_s=2.5)
    images.write(tmp_path / name, written)
    assert images.read(tmp_path / name).attrs["interval_s"] == 2.5


def test_frames_of_another_program_state_their_interval(tmp_path: Path) -> None:
    """tifffile reads back what it writes; units are those of the OME schema."""
    stack = ramp((3, 4, 5))
    metadata = {"axes": "TYX", "TimeIncrement": 250.0, "TimeIncrementUnit": "ms"}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata=metadata)
    assert images.read(tmp_path / "a.ome.tif").attrs["interval_s"] == 0.25


def test_a_single_frame_has_no_interval(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "TimeIncrement": 250.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", ramp((4, 5)), metadata=metadata)
    assert "interval_s" not in images.read(tmp_path / "a.ome.tif").attrs
