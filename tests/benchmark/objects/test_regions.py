"""What is measured on planted objects of a mask is known in closed form."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from benchmark.objects.fields import volume_of
from benchmark.objects.regions import (
    CONTRAST,
    SEPARATION,
    Regions,
    area_under_curve,
    find_regions,
    look,
    ratios,
)
from imaging.extent import Extent

PIXEL = 0.1
ROWS, COLUMNS = np.mgrid[:120, :120] * PIXEL
AWAY = np.hypot(ROWS - 6, COLUMNS - 6)
ONE = (AWAY <= 2).astype(np.int64)[None]  # in the middle of the field, 2 µm in radius
Planes = NDArray[np.float64]


def extent(planes: int = 1) -> Extent:
    return Extent({"x": 120, "y": 120}, {"x": PIXEL, "y": PIXEL}, planes, 1.0)


def measured(mask: NDArray[np.int64], planes: Planes, *, is_dark: bool = False) -> dict[str, float]:
    regions = find_regions(mask, (PIXEL, PIXEL))
    seen = look(regions, volume_of(planes, extent(len(planes))), 0.25)
    cluster = np.arange(len(regions.regions))
    return {name: r.draws[0] for name, r in ratios([seen], cluster, is_dark=is_dark).items()}


def places(regions: Regions, of: str) -> NDArray[np.float64]:
    return np.concatenate(
        [np.hypot(getattr(r, of).y_um - 6, getattr(r, of).x_um - 6) for r in regions.regions]
    )


def test_a_brighter_object_is_told_perfectly() -> None:
    assert measured(ONE, 5.0 + ONE)[SEPARATION.name] == 1.0


def test_what_is_equally_bright_everywhere_is_told_by_chance() -> None:
    assert measured(ONE, 5.0 + 0.0 * ONE)[SEPARATION.name] == 0.5


def test_a_ring_that_is_brighter_on_one_side_wins_half_of_the_pairs() -> None:
    plane = np.where(ONE[0] == 1, 2.0, np.where(COLUMNS < 6, 1.0, 3.0))
    assert measured(ONE, plane[None])[SEPARATION.name] == pytest.approx(0.5, abs=0.07)


def test_contrast_is_the_share_of_the_brightness_that_the_surroundings_lack() -> None:
    plane = np.select([AWAY <= 2, AWAY <= 4.2], [3.0, 2.0], 1.0)
    assert measured(ONE, plane[None])[CONTRAST.name] == pytest.approx((3 - 2) / (3 - 1))


def test_neither_gain_nor_offset_matters() -> None:
    rng = np.random.default_rng(1)
    planes = ONE + rng.normal(0, 0.5, ONE.shape)
    assert measured(ONE, 40 * planes - 9) == pytest.approx(measured(ONE, planes))


def test_dark_objects_are_read_the_other_way_round() -> None:
    plane = np.select([AWAY <= 2, AWAY <= 4.2], [3.0, 2.0], 1.0)
    assert measured(ONE, -plane[None], is_dark=True) == pytest.approx(measured(ONE, plane[None]))


def test_an_erased_object_has_no_contrast() -> None:
    assert CONTRAST.name not in measured(ONE, 1.0 - ONE)


def test_places_inside_lie_deep_and_those_around_do_not_touch() -> None:
    regions = find_regions(ONE, (PIXEL, PIXEL))
    # Half of the area of a disc lies within 1/sqrt(2) of its radius.
    assert places(regions, "inside").max() == pytest.approx(2 / np.sqrt(2), abs=0.1)
    around = places(regions, "around")
    assert around.min() > 2.5 - 0.1
    assert around.max() < 3.5 + 0.1


def test_other_objects_are_not_what_surrounds_one() -> None:
    pair = ONE + 2 * (np.hypot(ROWS - 6, COLUMNS - 11) <= 2)
    left = find_regions(pair, (PIXEL, PIXEL)).regions[0].around
    assert np.hypot(left.y_um - 6, left.x_um - 11).min() > 2.5 - 0.1


def test_an_object_without_room_is_counted() -> None:
    crowded = np.ones((1, 120, 120), dtype=np.int64)
    crowded[:, :, 60:] = 7
    regions = find_regions(crowded, (PIXEL, PIXEL))
    assert (len(regions.regions), regions.skipped) == (0, 2)


def test_each_plane_of_a_stack_is_compared_with_itself() -> None:
    """Light that falls with depth does not tell an object from what surrounds it."""
    mask = np.repeat(ONE, 3, axis=0)
    falling = np.array([9.0, 5.0, 1.0])[:, None, None] + 0.0 * mask
    regions = find_regions(mask, (PIXEL, PIXEL))
    of = regions.regions[0]
    assert set(of.inside.plane) == set(of.around.plane) == {0, 1, 2}
    assert measured(mask, falling)[SEPARATION.name] == pytest.approx(0.5, abs=0.07)


def test_the_area_is_the_statistic_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(2)
    ones, others = rng.integers(0, 9, 40).astype(float), rng.integers(0, 7, 60).astype(float)
    expected = mannwhitneyu(ones, others).statistic / (40 * 60)
    assert area_under_curve(ones, others) == pytest.approx(expected)
