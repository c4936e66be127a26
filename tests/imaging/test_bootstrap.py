import numpy as np
import pytest
from scipy.stats import bootstrap

from imaging.bootstrap import RESAMPLES, estimate_mean


def test_interval_is_scipys_percentile_bootstrap_when_every_image_has_its_own_source() -> None:
    values = np.random.default_rng(3).normal(30, 2, 25)
    ours = estimate_mean(values, np.arange(25))
    theirs = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    # Both are Monte Carlo: their percentiles scatter by about 1 % of the width of the interval.
    tolerance = 0.04 * (theirs.high - theirs.low)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=tolerance)


def test_images_of_one_source_are_drawn_together() -> None:
    means = np.random.default_rng(5).normal(30, 2, 12)
    repeated = estimate_mean(np.repeat(means, 10), np.repeat(np.arange(12), 10))
    single = estimate_mean(means, np.arange(12))
    assert (repeated.low, repeated.high) == pytest.approx((single.low, single.high))


def test_two_sources_of_different_size_follow_the_closed_form() -> None:
    # Draws are aa, ab, ba, bb: means 0, 3/4, 3/4 and 1, each extreme with probability 1/4.
    estimate = estimate_mean([0.0, 1.0, 1.0, 1.0], ["a", "b", "b", "b"])
    assert (estimate.mean, estimate.low, estimate.high) == (0.75, 0.0, 1.0)


def test_one_source_has_no_interval() -> None:
    estimate = estimate_mean([1.0, 3.0], ["a", "a"])
    assert (estimate.mean, estimate.low, estimate.high) == (2.0, None, None)


def test_infinite_scores_have_no_interval() -> None:
    estimate = estimate_mean([np.inf, np.inf], ["a", "b"])
    assert (estimate.mean, estimate.low) == (np.inf, None)
