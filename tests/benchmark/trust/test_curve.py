import math

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from benchmark.trust.curve import fit_half
from benchmark.trust.values import TrustValue

DISTANCES_UM = np.random.default_rng(0).uniform(0.1, 0.8, 400)
IMAGES = pd.Series(np.arange(400) % 20)


def fitted(seen: np.ndarray) -> TrustValue:
    return fit_half("d50_um", pd.Series(DISTANCES_UM), pd.Series(seen.astype(float)), IMAGES)


def drawn(half_um: float, width_um: float, seed: int = 1) -> np.ndarray:
    chance = 1 / (1 + np.exp(-(DISTANCES_UM - half_um) / width_um))
    return np.random.default_rng(seed).random(400) < chance


@pytest.mark.parametrize("half_um", [0.25, 0.4, 0.6])
def test_the_fit_is_that_of_a_logistic_regression(half_um: float) -> None:
    seen = drawn(half_um, 0.05)
    other = LogisticRegression(C=1e6).fit(DISTANCES_UM[:, None], seen)
    expected = -float(other.intercept_[0]) / float(other.coef_[0, 0])
    assert fitted(seen).value == pytest.approx(expected, abs=0.006)


def test_the_interval_is_as_wide_as_the_information_allows() -> None:
    """1.96 standard errors of d₅₀ by the inverse of the Fisher information of both parameters."""
    z = (DISTANCES_UM - 0.4) / 0.05
    slopes = np.stack([np.full(400, -1 / 0.05), -z / 0.05])
    chance = 1 / (1 + np.exp(-z))
    error = np.sqrt(np.linalg.inv((slopes * chance * (1 - chance)) @ slopes.T)[0, 0])
    found = fitted(drawn(0.4, 0.05))
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.3)


def test_a_sharp_step_is_found() -> None:
    assert fitted(DISTANCES_UM > 0.333).value == pytest.approx(0.333, abs=0.006)


def test_what_is_never_seen_is_infinite() -> None:
    assert fitted(np.zeros(400)).value == math.inf


def test_what_is_always_seen_lies_below_the_shortest() -> None:
    assert (fitted(np.ones(400)).value or 1) < 0.1


def test_no_objects_give_no_value() -> None:
    empty = pd.Series([], dtype=float)
    assert fit_half("d50_um", empty, empty, empty).value is None
