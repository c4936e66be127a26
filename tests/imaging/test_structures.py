import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.structures import FAINTEST, are_shown, covered_share, find_structures, paint

SIDE = 96
Image = NDArray[np.float64]


def spot(y: float, x: float, brightness: float = 1.0) -> Image:
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return brightness * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 2.0**2))


def tube(*gap: int) -> Image:
    """A bright row along the image, dark between two columns."""
    profile = np.exp(-((np.arange(SIDE) - 48) ** 2) / (2 * 2.0**2))
    along = np.ones(SIDE)
    along[slice(*gap) if gap else slice(0)] = 0
    return np.outer(profile, along)


def test_spots_are_structures_where_they_are_and_the_brightest_is_first() -> None:
    found = find_structures(spot(30, 60, 0.5) + spot(70, 20))
    assert found.places[:2].tolist() == [[70, 20], [30, 60]]
    assert found.heights[1] == pytest.approx(found.heights[0] / 2, rel=1e-3)


def test_a_spot_is_one_structure_and_its_flanks_are_none() -> None:
    assert find_structures(spot(48, 48)).places.tolist() == [[48, 48]]


def test_a_tube_is_a_row_of_pieces_that_cover_it_from_end_to_end() -> None:
    found = find_structures(tube())
    on_axis = np.sort(found.places[found.places[:, 0] == 48][:, 1])
    assert np.all((np.diff(on_axis) > 4) & (np.diff(on_axis) <= 8))
    assert on_axis[0] <= 4
    assert on_axis[-1] >= SIDE - 5


def test_no_two_structures_are_closer_than_the_radius_of_a_piece() -> None:
    image = np.random.default_rng(0).random((SIDE, SIDE))
    places = find_structures(image).places.astype(float)
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert apart[apart > 0].min() > 4


def test_a_level_image_has_no_structure() -> None:
    level = np.full((SIDE, SIDE), 0.7)
    assert len(find_structures(level).heights) == 0
    assert not paint(level, [FAINTEST]).any()
    assert covered_share(level, np.ones((SIDE, SIDE), np.uint8)) is None


@pytest.mark.parametrize(("shift", "shown"), [(0, True), (2, True), (5, False)])
def test_a_spot_is_shown_where_the_other_image_has_it_nearby(shift: int, shown: bool) -> None:
    structures = find_structures(spot(48, 48))
    assert are_shown(structures, spot(48, 48 + shift))[0] == shown


@pytest.mark.parametrize(("brightness", "shown"), [(0.6, True), (0.4, False)])
def test_a_spot_is_shown_that_is_half_as_bright(brightness: float, shown: bool) -> None:
    assert are_shown(find_structures(spot(48, 48)), spot(48, 48, brightness))[0] == shown


def test_what_bridges_a_gap_is_not_shown_and_all_else_is() -> None:
    structures = find_structures(tube())
    shown = are_shown(structures, tube(40, 56))
    columns = structures.places[:, 1]
    assert not shown[(columns > 43) & (columns < 52)].any()
    assert shown[(columns < 38) | (columns > 57)].all()


def test_a_mask_lies_on_what_exceeds_its_levels() -> None:
    image = spot(20, 20, 0.1) + spot(48, 48, 0.4) + spot(80, 80)
    dim, middle, bright = sorted(find_structures(image).heights[:3])
    mask = paint(image, [(dim + middle) / 2, (middle + bright) / 2])
    assert [mask[at, at] for at in (20, 48, 80)] == [0, 1, 2]
    rows, columns = np.nonzero(mask == 2)
    assert np.hypot(rows - 80, columns - 80).max() <= 4


def test_an_offset_changes_no_structure_and_a_gain_changes_their_heights_alone() -> None:
    image = np.random.default_rng(1).random((SIDE, SIDE))
    plain, brighter = find_structures(image), find_structures(3 * image - 7)
    of_plain = plain.heights > FAINTEST
    assert np.array_equal(plain.places[of_plain], brighter.places[: of_plain.sum()])
    assert brighter.heights[: of_plain.sum()] == pytest.approx(3 * plain.heights[of_plain])


def test_the_share_of_the_truth_under_a_mask() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, :48] = 1
    assert covered_share(spot(20, 20) + spot(70, 20) + spot(70, 70), mask) == pytest.approx(
        2 / 3, abs=1e-9
    )
