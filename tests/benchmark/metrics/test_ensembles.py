"""Against scoringrules and theory."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import scoringrules

from benchmark.metrics.ensembles import crps_of_samples, rank_histogram

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [2, 5, 20])
def test_crps_is_the_fair_one_of_scoringrules(count: int) -> None:
    truth, samples = RNG.normal(size=(30, 40)), RNG.normal(size=(count, 30, 40))
    expected = scoringrules.crps_ensemble(truth, samples, m_axis=0, estimator="fair")
    np.testing.assert_allclose(crps_of_samples(truth, samples), np.asarray(expected), atol=1e-12)


@pytest.mark.parametrize("count", [2, 5])
def test_few_samples_are_not_punished(count: int) -> None:
    truth, samples = RNG.normal(size=200_000), RNG.normal(size=(count, 200_000))
    expected = np.mean(scoringrules.crps_normal(truth, 0.0, 1.0))
    assert np.mean(crps_of_samples(truth, samples)) == pytest.approx(expected, abs=0.01)


def test_crps_of_20_samples_is_faster_than_scoringrules() -> None:
    truth, samples = RNG.normal(size=(128, 128)), RNG.normal(size=(20, 128, 128))
    last = np.ascontiguousarray(np.moveaxis(samples, 0, -1))

    def seconds(work: Callable[[], object]) -> float:
        took: list[float] = []
        for _ in range(2):
            start = time.perf_counter()
            work()
            took.append(time.perf_counter() - start)
        return min(took)

    ours = seconds(lambda: crps_of_samples(truth, samples))
    theirs = seconds(lambda: scoringrules.crps_ensemble(truth, last, estimator="fair"))
    assert ours < theirs


def test_ranks_are_flat_where_truth_and_samples_are_alike() -> None:
    counts = rank_histogram(RNG.normal(size=100_000), RNG.normal(size=(9, 100_000)))
    np.testing.assert_allclose(counts / 10_000, 1, atol=0.05)  # five standard errors


@pytest.mark.parametrize(("spread", "above"), [(0.5, True), (2.0, False)])
def test_ranks_show_samples_that_scatter_too_little_or_too_much(spread: float, above: bool) -> None:
    counts = rank_histogram(RNG.normal(size=10_000), spread * RNG.normal(size=(9, 10_000)))
    outer, inner = counts[[0, -1]].mean(), counts[4:6].mean()
    assert bool(outer > inner) == above


@pytest.mark.parametrize("count", [5, 19])
def test_order_statistics_cover_what_they_should(count: int) -> None:
    counts = rank_histogram(RNG.normal(size=100_000), RNG.normal(size=(count, 100_000)))
    assert counts[1:-1].sum() / 1e5 == pytest.approx((count - 1) / (count + 1), abs=0.01)


def test_equal_values_are_ranked_at_random() -> None:
    counts = rank_histogram(np.zeros(10_000), np.zeros((4, 10_000)))
    np.testing.assert_allclose(counts / 2000, 1, atol=0.1)


@pytest.mark.parametrize("shape", [(1, 3), (2, 4), (3,)])
def test_samples_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="two or more"):
        crps_of_samples(np.zeros(3), np.zeros(shape))
