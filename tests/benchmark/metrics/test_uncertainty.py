"""Against scoringrules, uncertainty-toolbox, scipy and closed forms."""

import numpy as np
import pytest
import scoringrules
import uncertainty_toolbox as uct
from scipy.integrate import quad
from scipy.stats import norm, spearmanr

from benchmark.metrics import METRICS, NotApplicable
from benchmark.metrics.metric import Score
from benchmark.metrics.uncertainty import (
    ause,
    crps,
    disagreement_rank_correlation,
    error_rank_correlation,
    nll,
    own_width_90,
    rank_ceiling,
    share_of_rank_ceiling,
    sharpness,
    width_90,
)
from imaging.calibration import gaussian_factor

RNG = np.random.default_rng(0)
SHAPE = (64, 80)
SIGMA = RNG.gamma(4, 0.02, SHAPE)
MEAN = RNG.normal(size=SHAPE)
TRUTH = MEAN + SIGMA * RNG.normal(size=SHAPE)
FLAT = MEAN.ravel(), SIGMA.ravel(), TRUTH.ravel()


def test_nll_is_that_of_uncertainty_toolbox() -> None:
    assert nll(TRUTH, MEAN, SIGMA) == pytest.approx(uct.nll_gaussian(*FLAT), rel=1e-12)


def test_sharpness_is_that_of_uncertainty_toolbox() -> None:
    assert sharpness(MEAN, SIGMA) == pytest.approx(uct.sharpness(FLAT[1]), rel=1e-12)


def test_crps_is_that_of_scoringrules() -> None:
    expected = np.mean(scoringrules.crps_normal(TRUTH, MEAN, SIGMA))
    assert crps(TRUTH, MEAN, SIGMA) == pytest.approx(expected, rel=1e-12)


def test_crps_without_doubt_is_the_mean_absolute_error() -> None:
    expected = np.mean(np.abs(TRUTH - MEAN))
    assert crps(TRUTH, MEAN, np.full(SHAPE, 1e-6)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("score", [nll, crps])
@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_the_right_std_has_the_best_proper_score(score: Score, factor: float) -> None:
    assert score(TRUTH, MEAN, SIGMA) < score(TRUTH, MEAN, factor * SIGMA)


def test_the_width_holds_the_stated_share() -> None:
    std = np.full(SHAPE, 0.3)
    low, high = norm.interval(0.9, 0, 0.3)
    assert width_90(MEAN, std) == pytest.approx(high - low)
    assert own_width_90(MEAN, std, {"0.9": gaussian_factor(0.9)}) == pytest.approx(high - low)


def test_sparsification_is_that_of_a_plain_loop() -> None:
    squares = (TRUTH - MEAN).ravel() ** 2

    def removed(order: np.ndarray) -> list[float]:
        kept = squares[order]  # the most certain first
        return [float(np.sqrt(kept[: n + 1].mean())) for n in range(kept.size)]

    by_std, by_error = removed(np.argsort(SIGMA.ravel())), removed(np.argsort(squares))
    expected = np.mean(np.subtract(by_std, by_error)) / np.sqrt(squares.mean())
    assert ause(TRUTH, MEAN, SIGMA) == pytest.approx(expected, rel=1e-10)


def test_a_std_that_says_nothing_leaves_the_area_above_the_oracle() -> None:
    def oracle(kept: float) -> float:
        bound = norm.ppf((1 + kept) / 2)
        return float(np.sqrt(1 - 2 * bound * norm.pdf(bound) / kept))

    expected = 1 - quad(oracle, 0, 1)[0]
    error = np.random.default_rng(1).normal(size=(512, 512))
    assert ause(error, 0 * error, 1 + 0 * error) == pytest.approx(expected, abs=2e-3)


def test_the_layout_of_equal_stds_does_not_matter() -> None:
    error = np.sort(np.random.default_rng(2).normal(size=4096)).reshape(64, 64)
    std = np.repeat([1.0, 2.0], 32)[:, None] * np.ones((64, 64))
    mixed = np.random.default_rng(3).permutation(64)
    assert ause(error, 0 * error, std) == pytest.approx(ause(error[mixed], 0 * error, std[mixed]))


def test_a_perfect_mean_has_no_order_of_errors() -> None:
    with pytest.raises(NotApplicable, match="without error"):
        ause(MEAN, MEAN, SIGMA)


def test_rank_correlations_are_those_of_scipy() -> None:
    error = np.abs(TRUTH - MEAN)
    expected = spearmanr(error.ravel(), SIGMA.ravel())[0]
    assert error_rank_correlation(TRUTH, MEAN, SIGMA) == pytest.approx(expected)
    assert disagreement_rank_correlation(TRUTH, MEAN, SIGMA) == pytest.approx(expected)


def test_a_right_std_reaches_the_ceiling() -> None:
    sigma = np.random.default_rng(4).gamma(4, 0.02, (512, 512))
    error = sigma * np.random.default_rng(5).normal(size=sigma.shape)
    assert share_of_rank_ceiling(error, 0 * error, sigma) == pytest.approx(1, abs=0.02)
    assert rank_ceiling(sigma) < 0.6  # what few expect


def test_a_shuffled_std_has_no_share_of_the_ceiling() -> None:
    shuffled = np.random.default_rng(6).permutation(SIGMA.ravel()).reshape(SHAPE)
    assert share_of_rank_ceiling(TRUTH, MEAN, shuffled) == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("name", ["error_rank_correlation", "share_of_rank_ceiling"])
def test_equal_stds_have_no_ranks(name: str) -> None:
    with pytest.raises(NotApplicable, match="All uncertainties are equal"):
        METRICS[name](TRUTH, MEAN, np.ones(SHAPE))
