"""Conformal risk control: by brute force, and its promise by simulation."""

import numpy as np
import pytest
from scipy.stats import binom

from imaging.risk_control import Judged, false_share, fewest_images, lowest_threshold

Generator = np.random.Generator


def image(rng: Generator) -> Judged:
    """Images differ in how many structures they have, and in how many of these are false."""
    count = int(rng.integers(0, 12))
    wrong = rng.beta(1, 5)
    real = rng.random(count) > wrong
    return Judged(rng.normal(2.0 * real, 1.0), real)


def brute_force(images: list[Judged], alpha: float) -> float | None:
    """Try every threshold, and for each the loss at it and at all above, by the definition."""
    everywhere = sorted({-9.0, *(float(s) for one in images for s in one.scores)})
    shares = np.array([[false_share(one, t) for t in everywhere] for one in images])
    fine = [
        threshold
        for i, threshold in enumerate(everywhere)
        if (shares[:, i:].max(axis=1).sum() + 1) / (len(images) + 1) <= alpha + 1e-12
    ]
    return min(fine) if fine else None


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(2))
def test_the_threshold_is_the_lowest_of_all_that_hold(seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    images = [image(rng) for _ in range(22)]
    assert lowest_threshold(images, alpha, -9.0) == brute_force(images, alpha)


def test_the_promise_holds_for_images_of_the_same_kind() -> None:
    rng = np.random.default_rng(0)
    alpha, shares = 0.1, list[float]()
    for _ in range(400):
        threshold = lowest_threshold([image(rng) for _ in range(25)], alpha, -9.0)
        assert threshold is not None
        shares.append(false_share(image(rng), threshold))
    # Of coins that fall with a probability of 10 %, more would with a probability of 0.1 %.
    assert sum(shares) <= binom.ppf(0.999, len(shares), alpha)
    assert np.mean(shares) > alpha / 10  # and not because nothing is believed


@pytest.mark.parametrize(("alpha", "needed"), [(0.1, 9), (0.05, 19), (0.3, 3)])
def test_too_few_images_promise_nothing(alpha: float, needed: int) -> None:
    perfect = Judged(np.ones(3), np.ones(3, np.bool_))
    assert fewest_images(alpha) == needed
    assert lowest_threshold([perfect] * needed, alpha, 0.0) == 0.0
    assert lowest_threshold([perfect] * (needed - 1), alpha, 0.0) is None


def test_scores_may_be_stretched_in_any_way_that_keeps_their_order() -> None:
    rng = np.random.default_rng(1)
    images = [image(rng) for _ in range(30)]
    stretched = [Judged(np.exp(one.scores), one.real) for one in images]
    threshold = lowest_threshold(images, 0.1, -9.0)
    assert threshold is not None
    assert lowest_threshold(stretched, 0.1, 0.0) == pytest.approx(np.exp(threshold))
