"""Real images are read with what their files state, and refused where nothing can be fitted."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.images import write
from imaging.intensities import BLANK, NO_DATA
from imaging.remarks import Remarks
from simulation.fitting import stacks as stacks_module
from simulation.fitting.stacks import (
    Stack,
    common_pixel_size_um,
    cut,
    read_stacks,
    saturation_counts,
)


def _counts(*shape: int) -> NDArray[np.uint16]:
    return np.random.default_rng(0).poisson(300, shape).astype(np.uint16)


def _save(path: Path, pixels: NDArray[np.generic], dims: str = "zyx", **sizes_um: float) -> Path:
    image = xr.DataArray(pixels, dims=tuple(dims[-pixels.ndim :]))
    write(path, image.assign_attrs(pixel_size_um=sizes_um))
    return path


def _stack(name: str, pixel_size_um: float | None, brightest: float = 1000.0) -> Stack:
    planes = np.full((1, 64, 64), brightest)
    return Stack(Path(name), planes, None, pixel_size_um, None)


def test_a_stack_in_depth(tmp_path: Path) -> None:
    pixels = _counts(3, 80, 90)
    path = _save(tmp_path / "a.tif", pixels, z=0.5, y=0.2, x=0.2)
    (stack,) = read_stacks([path], Remarks())
    assert stack.path == path
    assert stack.order == "depth"
    np.testing.assert_array_equal(stack.planes, pixels)
    assert stack.planes.dtype == np.float64
    assert stack.pixel_size_um == pytest.approx(0.2)
    assert stack.z_step_um == pytest.approx(0.5)


def test_a_series_in_time(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.tif", _counts(3, 80, 90), "byx", y=0.2, x=0.2)
    assert read_stacks([path], Remarks())[0].order == "time"


def test_a_series_of_stacks_is_in_no_order(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.tif", _counts(2, 3, 80, 90), "bzyx", y=0.2, x=0.2)
    (stack,) = read_stacks([path], Remarks())
    assert stack.planes.shape == (6, 80, 90)
    assert stack.order is None


def test_a_plane_is_in_no_order(tmp_path: Path) -> None:
    (stack,) = read_stacks([_save(tmp_path / "a.tif", _counts(128, 128))], Remarks())
    assert stack.planes.shape == (1, 128, 128)
    assert (stack.order, stack.pixel_size_um, stack.z_step_um) == (None, None, None)


def test_a_stack_of_large_planes_is_thinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks_module, "_MOST_PX", 3 * 128 * 128)
    path = _save(tmp_path / "a.tif", _counts(5, 128, 128), "zyx", z=1.0, y=0.2, x=0.2)
    (stack,) = read_stacks([path], Remarks())
    assert stack.planes.shape == (3, 128, 128)
    assert stack.z_step_um == pytest.approx(2.0)  # planes 0, 2 and 4


def test_a_long_stack_is_thinned(tmp_path: Path) -> None:
    pixels = _counts(128, 48, 48)
    (stack,) = read_stacks([_save(tmp_path / "a.tif", pixels, z=0.5, y=0.2, x=0.2)], Remarks())
    assert len(stack.planes) == 64
    np.testing.assert_array_equal(stack.planes[[0, -1]], pixels[[0, -1]])
    assert stack.z_step_um == pytest.approx(0.5 * 127 / 63)


def test_several_paths_and_folders(tmp_path: Path) -> None:
    for name in ("folder/a", "folder/b", "c"):
        _save(tmp_path / f"{name}.tif", _counts(128, 128))
    found = read_stacks([tmp_path / "folder", tmp_path / "c.tif"], Remarks())
    assert [stack.path.name for stack in found] == ["a.tif", "b.tif", "c.tif"]


def test_a_dataset_gives_the_microscopes_own_pixels(tmp_path: Path) -> None:
    _save(tmp_path / "data" / "input" / "a.tif", _counts(256, 256))
    native = _save(tmp_path / "data" / "native" / "a.tif", _counts(128, 128))
    (stack,) = read_stacks([tmp_path / "data"], Remarks())
    assert stack.path == native
    assert stack.planes.shape == (1, 128, 128)


def test_borders_without_data_and_blank_planes_are_left_out(tmp_path: Path) -> None:
    pixels = _counts(3, 160, 200) + 1
    pixels[:, :, :40] = 0
    pixels[1] = 0
    remarks = Remarks()
    (stack,) = read_stacks([_save(tmp_path / "a.tif", pixels, z=0.5, y=0.2, x=0.2)], remarks)
    mixed = 2  # pixels beside a border, with which interpolation may have mixed it
    np.testing.assert_array_equal(stack.planes, pixels[[0, 2], :, 40 + mixed :])
    assert [entry.sentence for entry in remarks.entries] == [NO_DATA, BLANK]
    assert [list(entry.images) for entry in remarks.entries] == [["a"], ["a"]]


def test_little_data_within_a_border_is_refused(tmp_path: Path) -> None:
    pixels = np.zeros((128, 128), np.uint16)
    pixels[:45] = _counts(45, 128) + 1
    with pytest.raises(UserError, match=r"a\.tif holds data in 128 x 43 pixels only"):
        read_stacks([_save(tmp_path / "a.tif", pixels)], Remarks())


def test_good_images_are_not_remarked_on(tmp_path: Path) -> None:
    remarks = Remarks()
    read_stacks([_save(tmp_path / "a.tif", _counts(128, 128))], remarks)
    assert remarks.entries == []


def _refused() -> dict[str, tuple[NDArray[np.generic], str]]:
    counts = _counts(128, 128)
    saturated = np.where(np.arange(counts.size) % 50 == 0, 4095, counts.ravel())
    return {
        "small": (counts[:40], "too small to fit"),
        "few": (counts[:60, :60], "hold 3600 pixels in all, too few"),
        "flat": (np.full_like(counts, 200), r"is flat \(almost all pixels are 200\)"),
        "saturated": (saturated.reshape(128, 128).astype(np.uint16), r"saturated: 2\.0%.* 4095;"),
        "scaled": (counts.astype(np.float32) / 1000, "holds fractions"),
        "negative": ((counts - 1000.0).astype(np.int16), "negative counts"),
        "huge": (counts.astype(np.float32) * 2.0**40, "more than a converter of 16 bits"),
        "summed": (counts.astype(np.int32) * 1000, "more than a converter of 16 bits"),
    }


@pytest.mark.parametrize("kind", _refused())
def test_what_cannot_be_fitted_is_refused(tmp_path: Path, kind: str) -> None:
    pixels, sentence = _refused()[kind]
    path = _save(tmp_path / f"{kind}.tif", pixels)
    with pytest.raises(UserError, match=f"^.*{kind}.tif .*{sentence}"):
        read_stacks([path], Remarks())


def test_several_channels_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.tif", _counts(2, 128, 128), "cyx")
    with pytest.raises(UserError, match=r"has 2 channels, .* give --channel one of 1, 2\."):
        read_stacks([path], Remarks())


def test_one_of_several_channels_is_fitted_to(tmp_path: Path) -> None:
    pixels = _counts(2, 128, 128)
    path = _save(tmp_path / "a.tif", pixels, "cyx")
    (stack,) = read_stacks([path], Remarks(), "2")
    np.testing.assert_array_equal(stack.planes, pixels[1:])


def test_whole_numbers_stored_as_floats_are_read(tmp_path: Path) -> None:
    (stack,) = read_stacks(
        [_save(tmp_path / "a.tif", _counts(128, 128).astype(np.float32))], Remarks()
    )
    np.testing.assert_array_equal(stack.planes[0], _counts(128, 128))


@pytest.mark.parametrize(
    ("brightest", "expected"),
    [(3, 255), (255, 255), (256, 511), (4000, 4095), (4095, 4095), (4096, 8191), (65535, 65535)],
)
def test_saturation_is_that_of_a_converter(brightest: float, expected: float) -> None:
    stacks = [_stack("a", 0.1, 1.0), _stack("b", 0.1, brightest)]
    assert saturation_counts(stacks) == expected


def test_pixel_size_given_overrules_the_files() -> None:
    assert common_pixel_size_um([_stack("a", 0.1), _stack("b", 0.2)], 0.3, "fit") == 0.3


def test_pixel_size_of_the_files() -> None:
    assert (
        common_pixel_size_um([_stack("a", None), _stack("b", 0.2), _stack("c", 0.2)], None, "fit")
        == 0.2
    )


def test_unknown_pixel_size_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"a does not state its pixel size: .*`fit it` \(0\.1 is an"
    ):
        common_pixel_size_um([_stack("a", None)], None, "fit it")


def test_files_of_different_pixel_size_are_refused() -> None:
    with pytest.raises(UserError, match=r"a has pixels of 0\.1 µm, but b of 0\.2 µm"):
        common_pixel_size_um([_stack("a", 0.1), _stack("b", 0.2)], None, "fit")


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=3),
    st.integers(1, 50),
)
def test_cut_covers_every_pixel_of_every_plane(shapes: list[tuple[int, int]], side: int) -> None:
    sizes = [rows * columns for rows, columns in shapes]
    begins = np.cumsum([0, *sizes])
    planes = [
        np.arange(begin, begin + size, dtype=np.float64).reshape(shape)
        for begin, size, shape in zip(begins, sizes, shapes, strict=False)
    ]
    squares = cut(planes, side)
    expected = min(side, *(length for shape in shapes for length in shape))
    assert squares.shape[1:] == (expected, expected)
    np.testing.assert_array_equal(np.unique(squares), np.arange(begins[-1]))


def test_cut_of_a_multiple_does_not_overlap() -> None:
    squares = cut([np.arange(64.0).reshape(8, 8)], 4)
    assert len(squares) == 4
    assert len(np.unique(squares)) == squares.size
