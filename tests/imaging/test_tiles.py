from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.tiles import AxisGeometry, CannotTileError, reflect, tightest, windows

GEOMETRIES = st.builds(
    AxisGeometry,
    minimum=st.integers(1, 64),
    step=st.sampled_from([1, 2, 8, 16]),
    scale=st.sampled_from([Fraction(1), Fraction(2), Fraction(4)]),
    halo=st.integers(0, 40),
    margin=st.integers(0, 10),
)
LENGTHS = st.integers(1, 700)
TILES = st.integers(1, 300)


@settings(max_examples=300)
@given(LENGTHS, GEOMETRIES, TILES)
def test_places_partition_the_output(length: int, axis: AxisGeometry, tile: int) -> None:
    placed = [i for w in windows(length, axis, tile) for i in range(w.place.start, w.place.stop)]

    assert placed == list(range(axis.output_length(length)))


@settings(max_examples=300)
@given(LENGTHS, GEOMETRIES, TILES)
def test_windows_have_one_allowed_length(length: int, axis: AxisGeometry, tile: int) -> None:
    lengths = {w.stop - w.start for w in windows(length, axis, tile)}

    assert len(lengths) == 1
    assert (lengths.pop() - axis.minimum) % axis.step == 0


@settings(max_examples=300)
@given(LENGTHS, GEOMETRIES, TILES)
def test_windows_start_at_multiples_of_the_step(length: int, axis: AxisGeometry, tile: int) -> None:
    assert all((w.start + axis.margin) % axis.step == 0 for w in windows(length, axis, tile))


@settings(max_examples=300)
@given(LENGTHS, GEOMETRIES, TILES)
def test_kept_pixels_are_a_halo_away_from_inner_edges(
    length: int, axis: AxisGeometry, tile: int
) -> None:
    for w in windows(length, axis, tile):
        first, last = w.start + axis.margin, w.stop - axis.margin
        if first > 0:
            assert w.keep.start >= axis.halo * axis.scale
        if last < length:
            assert w.keep.stop <= (last - first - axis.halo) * axis.scale


@settings(max_examples=300)
@given(LENGTHS, GEOMETRIES, TILES)
def test_places_are_chunks_of_one_length(length: int, axis: AxisGeometry, tile: int) -> None:
    *whole, last = [w.place.stop - w.place.start for w in windows(length, axis, tile)]

    assert len(set(whole)) <= 1
    assert all(last <= chunk for chunk in whole)


@settings(max_examples=300)
@given(LENGTHS, GEOMETRIES, TILES)
def test_kept_pixels_lie_where_they_are_placed(length: int, axis: AxisGeometry, tile: int) -> None:
    for w in windows(length, axis, tile):
        assert w.place.start - w.keep.start == (w.start + axis.margin) * axis.scale
        assert w.place.stop - w.place.start == w.keep.stop - w.keep.start


def test_coarser_output_covers_the_last_pixel() -> None:
    axis = AxisGeometry(minimum=16, step=8, scale=Fraction(1, 2), halo=4)

    places = [w.place for w in windows(101, axis, 32)]

    assert (places[0].start, places[-1].stop) == (0, 51)


def test_small_image_needs_one_window() -> None:
    assert len(windows(3, AxisGeometry(minimum=16, step=16), tile=512)) == 1


def test_windows_are_no_longer_than_their_number_needs() -> None:
    """3 windows keep a third of 2048 each, 688 in steps of 16, and 96 at either side: not 1024."""
    axis = AxisGeometry(minimum=208, step=16, halo=96)
    lengths = [w.stop - w.start for w in windows(2048, axis, tile=1024)]
    assert lengths == [880, 880, 880]


def test_two_windows_need_a_halo_at_one_side_only() -> None:
    axis = AxisGeometry(minimum=208, step=16, halo=96)
    assert [w.stop - w.start for w in windows(1024, axis, tile=1000)] == [608, 608]


def test_fixed_length_that_is_all_halo_is_refused() -> None:
    axis = AxisGeometry(minimum=32, step=16, fixed=True, halo=16)

    with pytest.raises(CannotTileError, match="keep nothing"):
        windows(100, axis, 512)


@given(st.integers(1, 30), st.integers(0, 80), st.integers(0, 80))
def test_reflection_agrees_with_numpy(length: int, before: int, after: int) -> None:
    image = np.arange(length)

    np.testing.assert_array_equal(
        image[reflect(-before, length + after, length)],
        np.pad(image, (before, after), mode="reflect"),
    )


@pytest.mark.parametrize(
    "axis",
    [
        AxisGeometry(minimum=32, step=16, halo=16),
        AxisGeometry(minimum=1, step=16, halo=3),
        AxisGeometry(minimum=1, step=1, halo=5, margin=2, scale=Fraction(2)),
    ],
)
def test_the_tightest_window_keeps_all_that_its_halo_allows(axis: AxisGeometry) -> None:
    window = tightest(300, axis)
    first, last = (window.place.start / axis.scale, window.place.stop / axis.scale)
    assert first - (window.start + axis.margin) == axis.halo
    assert (window.stop - axis.margin) - last == axis.halo
    assert (window.start + axis.margin) % axis.step == 0
    assert (window.stop - window.start - axis.minimum) % axis.step == 0
    assert window.keep.stop - window.keep.start == window.place.stop - window.place.start
