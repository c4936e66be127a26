import numpy as np
import pytest

from simulation.structures import Grid, seen_from
from simulation.structures.grid import entry


def test_sides_and_extent_of_a_volume() -> None:
    grid = Grid((5, 20, 30), 0.1, 0.25)
    assert grid.sides_um == pytest.approx([1.25, 2.0, 3.0])
    assert grid.area_um2 == pytest.approx(6)


def test_focus_is_the_centre_of_the_middle_plane() -> None:
    assert Grid((5, 8, 8), 0.1, 0.25).focus_um == pytest.approx([0.625])
    assert Grid((8, 8), 0.1).focus_um.shape == (0,)


def test_an_entry_is_plain_and_rounded() -> None:
    written = entry(np.array([1.00004, 2.00006]), radius_um=np.float64(1 / 3), pair=3, cross=True)
    assert written == {"points_um": [[1.0, 2.0001]], "radius_um": 0.3333, "pair": 3, "cross": True}
    assert type(written["radius_um"]) is float


def test_a_part_moves_what_it_shows_and_leaves_the_rest() -> None:
    geometry = {"points": [entry([1.0, 1.0]), entry([5.0, 2.0])], "tubes": []}
    part = seen_from(geometry, np.array([0.5, 0.25]), np.array([2.0, 2.0]))
    assert part == {"points": [entry([0.5, 0.75])], "tubes": []}


def test_a_tube_that_reaches_into_a_part_stays_whole() -> None:
    geometry = {"tubes": [entry([[-1.0, 1.0], [1.0, 1.0]])]}
    part = seen_from(geometry, np.zeros(2), np.ones(2) * 2)
    assert part == geometry


def test_depths_are_counted_from_the_origin() -> None:
    geometry = {"points": [entry([4.0, 1.0, 1.0])]}
    part = seen_from(geometry, np.array([3.0, 0.0, 0.0]), np.ones(2) * 2)
    assert part["points"][0]["points_um"] == [[1.0, 1.0, 1.0]]


def test_what_lies_above_a_stack_is_left_out() -> None:
    geometry = {"points": [entry([4.0, 1.0, 1.0]), entry([2.0, 1.0, 1.0])]}
    part = seen_from(geometry, np.array([3.0, 0.0, 0.0]), np.ones(3) * 2)
    assert part["points"] == [entry([1.0, 1.0, 1.0])]
