import numpy as np
import pytest

from imaging.directions import Direction, direction_to, whitening_of

RNG = np.random.default_rng(0)
MIXING = np.array([[2.0, 0, 0], [1, 1, 0], [0, 0.5, 3]])
USUAL = RNG.normal(size=(4000, 3)) @ MIXING.T
FOLD = np.arange(4000) * 10 // 4000


def test_whitened_scores_are_uncorrelated() -> None:
    white = USUAL @ whitening_of(USUAL).T
    assert np.corrcoef(white.T) == pytest.approx(np.eye(3), abs=0.03)


def test_the_direction_is_the_one_of_theory() -> None:
    shift = np.array([0.0, 1, 1])
    direction, _ = direction_to(USUAL + shift, USUAL, FOLD)
    expected = np.linalg.solve(MIXING @ MIXING.T, shift)
    cosine = expected @ direction.weights / np.linalg.norm(expected)
    assert cosine / np.linalg.norm(direction.weights) == pytest.approx(1, abs=0.01)


def test_one_in_200_usual_windows_lies_beyond_1() -> None:
    direction, held_out = direction_to(USUAL + 3, USUAL, FOLD)
    fresh = RNG.normal(size=(20000, 3)) @ MIXING.T
    assert np.median(direction.strangeness(fresh)) == pytest.approx(0, abs=0.02)
    assert np.mean(direction.strangeness(fresh) > 1) == pytest.approx(0.005, abs=0.003)
    assert np.mean(held_out > 1) == pytest.approx(0.005, abs=0.0003)


def test_positions_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="not two in order"):
        Direction([1.0], [1.0, 1.0])
