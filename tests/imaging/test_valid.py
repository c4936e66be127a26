"""Which pixels count: borders without data and artefacts do not, everything else does."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from imaging import images, valid
from imaging.valid import common_rectangle, find_valid, largest_rectangle, thinned
from tests.flawed_images import SIDE, framed, recorded, structure, with_bar, with_hot_pixels


def _turned() -> NDArray[np.uint16]:
    return ndimage.rotate(recorded().astype(np.float64), 17, order=1).astype(np.uint16)


def _mosaic() -> NDArray[np.uint16]:
    canvas = np.zeros((SIDE + 40, 2 * SIDE - 30), np.uint16)
    canvas[:SIDE, :SIDE] = recorded(1)
    canvas[40:, SIDE - 30 :] = recorded(2)
    return canvas


@pytest.mark.parametrize(
    ("plane", "share"),
    [
        (framed(), 1 - SIDE**2 / ((SIDE + 30) * (SIDE + 20))),
        (_turned(), 1 - SIDE**2 / _turned().size),
        (_mosaic(), 1 - (2 * SIDE**2 - 30 * (SIDE - 40)) / _mosaic().size),
    ],
    ids=["frame", "turned", "mosaic"],
)
def test_a_border_left_by_registration_or_stitching_is_no_data(
    plane: NDArray[np.uint16], share: float
) -> None:
    valid = find_valid(plane)

    assert valid is not None
    # Two more pixels on all sides, which interpolation mixed.
    assert share <= valid.no_data.mean() <= share + 0.07
    assert valid.limits[0] > 50  # no pixel of the border, nor one mixed with it, counts


def test_borders_of_two_constants_are_both_no_data() -> None:
    plane = framed()
    plane = np.concatenate([plane, np.full((plane.shape[0], 30), 4095, np.uint16)], axis=1)
    valid = find_valid(plane)

    assert valid is not None
    assert valid.no_data[:, -30:].all()
    assert (valid.no_data | (plane > 0)).all()


def test_the_percentiles_of_a_framed_field_are_those_of_the_field() -> None:
    plane = framed()
    valid = find_valid(plane)

    assert valid is not None
    inner = recorded()[2:, :-2]  # without what lies two pixels from the frame
    found = np.percentile(plane[valid.pixels], [2, 50, 99.8])
    np.testing.assert_array_equal(found, np.percentile(inner, [2, 50, 99.8]))


@pytest.mark.parametrize(
    "plane",
    [with_bar(65535), with_bar(int(recorded().max())), with_hot_pixels()],
    ids=["bar", "in range", "hot"],
)
def test_artefacts_at_the_maximum_do_not_count(plane: NDArray[np.uint16]) -> None:
    valid = find_valid(plane)

    assert valid is not None
    np.testing.assert_array_equal(valid.artefacts, plane == plane.max())
    assert valid.limits[1] < 400


def test_a_bright_column_at_the_edge_is_no_data() -> None:
    plane = recorded()
    plane[:, 0] = 65535

    valid = find_valid(plane)

    assert valid is not None
    assert valid.pixels[:, :1].sum() == 0
    assert valid.limits[1] < 400


def _disc(radius: float) -> NDArray[np.float64]:
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    return (np.hypot(y, x) < radius).astype(np.float64)


def _beads(count: int) -> NDArray[np.float64]:
    plane = np.zeros((SIDE, SIDE))
    at = np.random.default_rng(4).integers(10, SIDE - 10, (2, count))
    plane[at[0], at[1]] = 1
    return ndimage.gaussian_filter(plane, 2) * 25


_DATA = {
    "camera": recorded(),
    "dark background of a synthetic truth": np.where(structure() > 0.2, structure(), 0),
    "subtracted and clipped": np.clip(recorded().astype(int) - 115, 0, None).astype(np.uint16),
    "photon counts": np.random.default_rng(5).poisson(structure() / 5).astype(np.uint8),
    "binary frame": (np.random.default_rng(6).random((SIDE, SIDE)) < 0.003).astype(np.uint8),
    "saturated": np.minimum(structure(), np.percentile(structure(), 90)),
    "blurred nucleus": ndimage.gaussian_filter(_disc(40), 2, truncate=3) * (1 + structure()),
    "sharp nucleus": _disc(40) * (1 + structure()),
    "beads": np.random.default_rng(7).poisson(100 + 500 * _beads(3)).astype(np.uint16),
    "points without noise": _beads(20),
    "saturated beads": np.minimum(np.random.default_rng(7).poisson(99 + 4e4 * _beads(3)), 4095),
    "constant": np.full((SIDE, SIDE), 7.0),
    "labels": np.arange(SIDE)[:, None] // 8 * np.ones(SIDE, int),
    "one row": np.arange(SIDE)[None],
    "one pixel": np.ones((1, 1)),
}


@pytest.mark.parametrize("plane", _DATA.values(), ids=_DATA.keys())
def test_what_may_be_data_counts(plane: NDArray[np.float64]) -> None:
    assert find_valid(plane) is None


def test_largest_rectangle_against_trying_all() -> None:
    mask = np.random.default_rng(8).random((9, 11)) < 0.8

    rows, columns = largest_rectangle(mask)

    areas = [
        (y2 - y1) * (x2 - x1)
        for y1 in range(9)
        for y2 in range(y1 + 1, 10)
        for x1 in range(11)
        for x2 in range(x1 + 1, 12)
        if mask[y1:y2, x1:x2].all()
    ]
    assert mask[rows, columns].all()
    assert mask[rows, columns].size == max(areas)


def test_planes_are_cut_to_what_counts_in_all_of_them() -> None:
    input, target = recorded(), recorded(1)
    input[:20] = 0
    target[:, -30:] = 0

    cut = common_rectangle([find_valid(input), find_valid(target)], input.shape)

    assert cut == (slice(22, SIDE), slice(0, SIDE - 32))


def test_a_coarser_plane_cuts_a_finer_grid() -> None:
    plane = recorded()
    plane[:20] = 0

    cut = common_rectangle([find_valid(plane)], (2 * SIDE, 2 * SIDE))

    assert cut is not None
    # The last row that does not count is 21; every fine row to which it contributes goes, too.
    assert cut == (slice(45, 2 * SIDE), slice(0, 2 * SIDE))


def test_hot_pixels_all_over_the_field_are_not_cut_away() -> None:
    assert common_rectangle([find_valid(with_hot_pixels())], (SIDE, SIDE)) is None


def test_a_large_plane_is_thinned_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valid, "SEARCHED_PX", 64**2)
    monkeypatch.setattr(valid, "_PART_PX", (100, 600))
    plane = np.arange(1024**2, dtype=np.uint32).reshape(1024, 1024)
    file = tmp_path / "plane.tif"
    images.write(file, xr.DataArray(plane, dims=("y", "x"), attrs={"pixel_size_um": {}}))
    lazy = images.read(file, lazy=True)
    tracemalloc.start()

    found = thinned(lazy)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(found, plane[::16, ::16])
    assert peak < plane.nbytes / 4  # a part is a seventeenth
