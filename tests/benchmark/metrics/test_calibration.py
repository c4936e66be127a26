"""Planted miscalibration and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from benchmark.metrics import METRICS, NotApplicable
from benchmark.metrics.calibration import ence, mean_z_squared, own_coverage_50
from imaging.calibration import FLOOR

Image = NDArray[np.float64]

RNG = np.random.default_rng(0)
SHAPE = (512, 512)
SIGMA = RNG.gamma(4, 0.02, SHAPE)
MEAN = RNG.normal(size=SHAPE)
TRUTH = MEAN + SIGMA * RNG.normal(size=SHAPE)
# Of a share of 262144 independent pixels, four standard errors.
SHARE = 4 * 0.5 / 512
LEVELS = {"coverage_50": 0.5, "coverage_90": 0.9, "coverage_95": 0.95}


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_mean_z_squared_recovers_a_planted_factor(factor: float) -> None:
    found = mean_z_squared(TRUTH, MEAN, factor * SIGMA)
    assert found == pytest.approx(1 / factor**2, rel=4 * np.sqrt(2) / 512)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", LEVELS)
def test_coverage_is_that_of_theory(name: str, factor: float) -> None:
    bound = norm.ppf((1 + LEVELS[name]) / 2)
    expected = 2 * norm.cdf(factor * bound) - 1
    assert METRICS[name](TRUTH, MEAN, factor * SIGMA) == pytest.approx(expected, abs=SHARE)


@pytest.mark.parametrize("name", LEVELS)
def test_every_coverage_is_best_at_its_level(name: str) -> None:
    assert METRICS[name].direction == "closest"
    assert METRICS[name].ideal == METRICS[f"own_{name}"].ideal == LEVELS[name]


def test_own_intervals_of_errors_that_are_no_gaussians() -> None:
    truth = MEAN + SIGMA * RNG.laplace(size=SHAPE)
    factor = np.log(2)  # the median of |Laplace|
    assert own_coverage_50(truth, MEAN, SIGMA, {"0.5": factor}) == pytest.approx(0.5, abs=SHARE)


def test_an_interval_that_is_not_stated_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="no interval of 50 %"):
        own_coverage_50(TRUTH, MEAN, SIGMA, {"0.9": 1.6})


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.0), (0.5, 1.0), (2.0, 0.5)])
def test_ence_recovers_a_planted_factor(factor: float, expected: float) -> None:
    # RMSE of 8738 Gaussian errors scatters by 0.76 %, and their mean absolute value is 0.6 %.
    assert ence(TRUTH, MEAN, factor * SIGMA) == pytest.approx(expected, abs=0.02)


def test_ence_sees_what_the_mean_does_not() -> None:
    constant = np.full(SHAPE, np.sqrt(np.mean(SIGMA**2)))
    inverted = 1 / SIGMA
    inverted *= np.sqrt(mean_z_squared(TRUTH, MEAN, inverted))
    assert mean_z_squared(TRUTH, MEAN, inverted) == pytest.approx(1)
    assert ence(TRUTH, MEAN, constant) < 0.02 < 0.5 < ence(TRUTH, MEAN, inverted)


@given(st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_the_unit_of_intensities_does_not_matter(gain: float, offset: float) -> None:
    few = (slice(32), slice(32))
    before = TRUTH[few], MEAN[few], SIGMA[few]
    after = gain * before[0] + offset, gain * before[1] + offset, gain * before[2]
    for score in (mean_z_squared, ence):
        assert score(*after) == pytest.approx(score(*before), rel=1e-6)


@pytest.mark.parametrize("name", ["mean_z_squared", "ence", "nll", "crps", "coverage_90"])
def test_impossible_standard_deviations_are_refused(name: str) -> None:
    with pytest.raises(NotApplicable, match="negative"):
        METRICS[name](TRUTH, MEAN, SIGMA - 1)
    with pytest.raises(NotApplicable, match="0 everywhere"):
        METRICS[name](TRUTH, MEAN, np.zeros(SHAPE))


def test_a_pixel_without_doubt_counts_with_the_smallest() -> None:
    assert mean_z_squared([[FLOOR, 1.0]], [[0.0, 0.0]], [[0.0, 1.0]]) == pytest.approx(1)
