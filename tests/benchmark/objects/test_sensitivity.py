import numpy as np
import pytest

from benchmark.objects.brightness import Definition
from benchmark.objects.sensitivity import LINE, in_spreads, variants

LINES = np.repeat([0, 1], 50)
IS_MARK = np.tile(np.arange(50) < 10, 2)


def test_one_choice_differs_at_a_time() -> None:
    default = Definition()
    for variant in variants():
        other = variant.definition
        changed = (
            (other.search_um != default.search_um)
            + (other.disc_um != default.disc_um)
            + (variant.relative_to != LINE)
        )
        assert changed <= 1
        assert (other.depth_um, other.shaft_um) == (default.depth_um, default.shaft_um)


def test_spreads_are_those_of_control_points_of_the_same_line() -> None:
    values = np.random.default_rng(0).normal(size=100)
    values[LINES == 1] = 100 + 20 * values[LINES == 1]
    scaled = in_spreads(values, LINES, IS_MARK)
    for number in (0, 1):
        controls = scaled[(number == LINES) & ~IS_MARK]
        assert np.median(controls) == pytest.approx(0)
        assert np.median(np.abs(controls)) == pytest.approx(1 / 1.4826)


def test_gain_and_offset_of_a_line_do_not_matter() -> None:
    values = np.random.default_rng(1).normal(size=100)
    other = np.where(LINES == 1, 7 * values - 3, values)
    np.testing.assert_allclose(
        in_spreads(other, LINES, IS_MARK), in_spreads(values, LINES, IS_MARK)
    )


def test_control_points_that_are_alike_have_no_spread() -> None:
    assert not np.isfinite(in_spreads(np.ones(100), LINES, IS_MARK)).any()
