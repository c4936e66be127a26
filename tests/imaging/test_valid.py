"""Which pixels count: borders without data and artefacts do not, everything else does."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from imaging.valid import common_rectangle, find_valid, largest_rectangle

SIDE = 128


def _structure(seed: int = 0) -> NDArray[np.float64]:
    """Return smooth structure from 0 to 1, a tenth of it bright."""
    noise = np.random.default_rng(seed).random((SIDE, SIDE))
    smooth = ndimage.gaussian_filter(noise, 3)
    return np.clip((smooth - smooth.min()) / (smooth.max() - smooth.min()), 0, 1) ** 4


def _recorded(seed: int = 0) -> NDArray[np.uint16]:
    """Return structure as a camera with an offset of 100 records it."""
    return np.random.default_rng(seed).poisson(100 + 200 * _structure(seed)).astype(np.uint16)


def _framed() -> NDArray[np.uint16]:
    return np.pad(_recorded(), ((30, 10), (0, 20)))


def _turned() -> NDArray[np.uint16]:
    return ndimage.rotate(_recorded().astype(np.float64), 17, order=1).astype(np.uint16)


def _mosaic() -> NDArray[np.uint16]:
    canvas = np.zeros((SIDE + 40, 2 * SIDE - 30), np.uint16)
    canvas[:SIDE, :SIDE] = _recorded(1)
    canvas[40:, SIDE - 30 :] = _recorded(2)
    return canvas


@pytest.mark.parametrize(
    ("plane", "share"),
    [
        (_framed(), 1 - SIDE**2 / ((SIDE + 40) * (SIDE + 20))),
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


def test_the_percentiles_of_a_framed_field_are_those_of_the_field() -> None:
    plane = _framed()
    valid = find_valid(plane)

    assert valid is not None
    inner = _recorded()[2:-2, :-2]  # without what lies two pixels from the frame
    found = np.percentile(plane[valid.pixels], [2, 50, 99.8])
    np.testing.assert_array_equal(found, np.percentile(inner, [2, 50, 99.8]))


def _bar(maximum: int) -> NDArray[np.uint16]:
    plane = _recorded()
    plane[110:114, 60:120] = maximum
    return plane


def _hot() -> NDArray[np.uint16]:
    plane = _recorded()
    plane[np.random.default_rng(3).random(plane.shape) < 0.004] = 4095
    return plane


@pytest.mark.parametrize(
    "plane", [_bar(65535), _bar(int(_recorded().max())), _hot()], ids=["bar", "in range", "hot"]
)
def test_artefacts_at_the_maximum_do_not_count(plane: NDArray[np.uint16]) -> None:
    valid = find_valid(plane)

    assert valid is not None
    np.testing.assert_array_equal(valid.artefacts, plane == plane.max())
    assert valid.limits[1] < 400


def test_a_bright_column_at_the_edge_is_no_data() -> None:
    plane = _recorded()
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
    "camera": _recorded(),
    "dark background of a synthetic truth": np.where(_structure() > 0.2, _structure(), 0),
    "subtracted and clipped": np.clip(_recorded().astype(int) - 115, 0, None).astype(np.uint16),
    "photon counts": np.random.default_rng(5).poisson(_structure() / 5).astype(np.uint8),
    "binary frame": (np.random.default_rng(6).random((SIDE, SIDE)) < 0.003).astype(np.uint8),
    "saturated": np.minimum(_structure(), np.percentile(_structure(), 90)),
    "blurred nucleus": ndimage.gaussian_filter(_disc(40), 2, truncate=3) * (1 + _structure()),
    "sharp nucleus": _disc(40) * (1 + _structure()),
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
    input, target = _recorded(), _recorded(1)
    input[:20] = 0
    target[:, -30:] = 0

    cut = common_rectangle([find_valid(input), find_valid(target)], input.shape)

    assert cut == (slice(22, SIDE), slice(0, SIDE - 32))


def test_a_coarser_plane_cuts_a_finer_grid() -> None:
    plane = _recorded()
    plane[:20] = 0

    cut = common_rectangle([find_valid(plane)], (2 * SIDE, 2 * SIDE))

    assert cut is not None
    # The last row that does not count is 21; every fine row to which it contributes goes, too.
    assert cut == (slice(45, 2 * SIDE), slice(0, 2 * SIDE))


def test_hot_pixels_all_over_the_field_are_not_cut_away() -> None:
    assert common_rectangle([find_valid(_hot())], (SIDE, SIDE)) is None
