import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.objects.control_points import (
    CLEAR_UM,
    PER_MARK,
    beside_lines,
    control_points,
)

Line = NDArray[np.float64]

X = np.arange(2.0, 38.0, 0.1)
STRAIGHT = np.stack([X, np.full_like(X, 10.0), np.full_like(X, 4.0)], axis=1)
OTHER = STRAIGHT + np.array([0.0, 2.5, 0.0])
SIZE = (40.0, 40.0)


def drawn(distance: float = 1.0, *, lines: list[np.ndarray] | None = None, seed: int = 0):
    marks, away = beside_lines(
        np.array([20.0]), np.array([10.0 + distance]), np.array([4]), [0], lines or [STRAIGHT]
    )
    controls, of = control_points(
        marks,
        away,
        [0],
        lines or [STRAIGHT],
        clear_of=np.array([[20.0, 10.0 + distance]]),
        size_um=SIZE,
        margin_um=1.0,
        seed=seed,
    )
    return marks, away, controls, of


def test_a_mark_knows_the_nearest_vertex_and_its_distance() -> None:
    marks, away, _, _ = drawn(1.3)
    assert away == pytest.approx([1.3])
    assert X[marks.vertex] == pytest.approx([20.0])


def test_control_points_are_as_far_from_the_line() -> None:
    _, _, controls, _ = drawn(1.3)
    assert len(controls) == PER_MARK
    assert np.abs(controls.y_um - 10.0) == pytest.approx(np.full(PER_MARK, 1.3))


def test_control_points_are_in_the_plane_of_the_line() -> None:
    assert set(drawn()[2].plane) == {4}


def test_control_points_keep_away_from_marks() -> None:
    _, _, controls, _ = drawn()
    away = np.hypot(controls.x_um - 20.0, controls.y_um - 11.0)
    assert away.min() >= CLEAR_UM


def test_control_points_keep_away_from_other_lines() -> None:
    _, _, controls, _ = drawn(2.0, lines=[STRAIGHT, OTHER])
    assert set(np.round(controls.y_um, 6)) == {8.0}


def test_marks_everywhere_leave_no_room() -> None:
    on = [0] * len(X)
    marks, away = beside_lines(X, np.full_like(X, 11.0), np.full(len(X), 4), on, [STRAIGHT])
    every = np.concatenate([np.stack([X, np.full_like(X, y)], axis=1) for y in (9.0, 11.0)])
    controls, _ = control_points(
        marks, away, on, [STRAIGHT], clear_of=every, size_um=SIZE, margin_um=1.0
    )
    assert len(controls) == 0


def test_the_same_seed_draws_the_same() -> None:
    one, other, another = drawn()[2], drawn()[2], drawn(seed=1)[2]
    np.testing.assert_array_equal(one.x_um, other.x_um)
    assert not np.array_equal(one.x_um, another.x_um)
