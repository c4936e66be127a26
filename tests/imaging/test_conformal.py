"""The guarantee, by simulation, and closed forms."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from imaging.calibration import TooFewImagesError, conformal_factor, largest_risk

REPETITIONS = 200


def test_the_guarantee_holds_over_200_repetitions() -> None:
    """Images differ in how wrong their std is, so few of them mislead."""
    rng = np.random.default_rng(0)
    alpha, delta = 0.1, 0.1
    scales = rng.lognormal(0, 0.3, 5000)
    broken = 0
    for _ in range(REPETITIONS):
        of_images = rng.lognormal(0, 0.3, 40)
        factor = conformal_factor(
            [scale * np.abs(rng.normal(size=100)) for scale in of_images], alpha=alpha, delta=delta
        )
        broken += np.mean(2 * norm.sf(factor / scales)) > alpha
    # Were the promise just kept, more would be broken with a probability of 0.1 %.
    assert broken <= binom.ppf(0.999, REPETITIONS, delta)


def test_with_many_images_nothing_is_given_away() -> None:
    rng = np.random.default_rng(1)
    ratios = [np.abs(rng.normal(size=50)) for _ in range(5000)]
    assert conformal_factor(ratios) == pytest.approx(norm.ppf(0.95), rel=0.04)


def test_the_factor_is_the_smallest_that_holds() -> None:
    rng = np.random.default_rng(2)
    ratios = [np.abs(rng.normal(size=100)) for _ in range(50)]
    factor = conformal_factor(ratios)
    largest = largest_risk(50, 0.1, 0.1)
    assert largest is not None
    risks = [
        np.mean([float(np.mean(r > f)) for r in ratios]) for f in (factor, np.nextafter(factor, 0))
    ]
    assert risks[0] <= largest < risks[1]


def test_a_std_that_is_too_small_by_half_doubles_the_factor() -> None:
    ratios = [np.abs(np.random.default_rng(i).normal(size=100)) for i in range(30)]
    doubled = conformal_factor([2 * ratio for ratio in ratios])
    assert doubled == pytest.approx(2 * conformal_factor(ratios))


@pytest.mark.parametrize(("alpha", "delta", "needed"), [(0.1, 0.1, 22), (0.05, 0.1, 45)])
def test_too_few_images_promise_nothing(alpha: float, delta: float, needed: int) -> None:
    # n perfect images are proof when (1 − α)ⁿ ≤ δ.
    conformal_factor([np.zeros(9)] * needed, alpha=alpha, delta=delta)
    with pytest.raises(TooFewImagesError, match=f"takes {needed} images"):
        conformal_factor([np.zeros(9)] * (needed - 1), alpha=alpha, delta=delta)


def test_the_largest_risk_comes_close_to_alpha() -> None:
    risks = [largest_risk(count, 0.1, 0.1) or 0.0 for count in (22, 100, 1000, 10_000)]
    assert risks == sorted(risks)
    assert 0.09 < risks[-1] < 0.1
