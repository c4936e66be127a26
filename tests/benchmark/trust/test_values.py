import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.trust.values import bootstrapped, by_distance, rate, redrawn, share


@given(st.integers(1, 60), st.data())
def test_the_interval_of_a_share_is_wilsons(n: int, data: st.DataObject) -> None:
    yes = data.draw(st.integers(0, n))
    found = share("s", [1] * yes + [0] * (n - yes))
    expected = stats.binomtest(yes, n).proportion_ci(method="wilson")
    assert found.value == pytest.approx(yes / n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_share_of_nothing_has_no_value() -> None:
    found = share("s", [])
    assert (found.value, found.low, found.n) == (None, None, 0)


@given(st.integers(1, 200))
def test_the_interval_of_a_rate_is_that_of_a_poisson_count(events: int) -> None:
    found = rate("r", events, 2.0, 1)
    assert found.low is not None
    assert found.high is not None
    assert stats.poisson.sf(events - 1, 2 * found.low) == pytest.approx(0.025)
    assert stats.poisson.cdf(events, 2 * found.high) == pytest.approx(0.025)


def test_shares_by_distance_stand_in_the_middle_of_their_bins() -> None:
    distances, seen = pd.Series([0.11, 0.19, 0.3, 0.35]), pd.Series([0.0, 1.0, 1.0, 1.0])
    found = by_distance("s", distances, seen)
    assert [(v.at_um, v.value, v.n) for v in found] == [(0.15, 0.5, 2), (0.35, 1.0, 2)]


def test_the_bootstrap_draws_whole_images() -> None:
    drawn = redrawn(["a", "b", "a", "c"])
    assert drawn[0].tolist() == [1, 1, 1, 1]
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_the_bootstrap_interval_of_a_mean_is_about_twice_its_error() -> None:
    numbers = np.random.default_rng(0).normal(size=200)
    weights = redrawn(range(200))
    found = bootstrapped("m", weights @ numbers / weights.sum(axis=1), 200)
    assert found.value == pytest.approx(numbers.mean())
    assert found.high is not None
    half = found.high - numbers.mean()
    assert half == pytest.approx(1.96 * numbers.std() / np.sqrt(200), rel=0.15)
