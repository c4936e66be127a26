import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from torch import nn

from packages.posterior import KNOTS, Calibration
from training.calibration import (
    Errors,
    calibrate,
    fit_isotonic,
    fit_line,
    interval_factors,
    scores,
)
from training.data import Pair


def planted(truth: NDArray[np.float64], stated: NDArray[np.float64], seed: int = 0) -> Errors:
    """Gaussian errors of true standard deviations, of which others are stated."""
    return Errors(stated, truth * np.random.default_rng(seed).standard_normal(truth.shape))


def calibrated(errors: Errors, std: NDArray[np.float64]) -> NDArray[np.float64]:
    knots, values = fit_isotonic(errors)
    module = Calibration()
    module.load_state_dict({"knots": torch.from_numpy(knots), "values": torch.from_numpy(values)})
    return module(torch.from_numpy(std).float()).double().numpy()


TRUE = np.random.default_rng(1).uniform(0.05, 0.5, 400_000)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_planted_miscalibration_is_undone(power: float) -> None:
    stated = 0.4 * TRUE**power
    probe = np.linspace(0.1, 0.45, 8)
    np.testing.assert_allclose(calibrated(planted(TRUE, stated), 0.4 * probe**power), probe, 0.05)


def test_isotonic_beats_the_line_where_the_relation_is_curved() -> None:
    stated = 0.4 * TRUE**2
    seen, unseen = planted(TRUE, stated), planted(TRUE, stated, seed=2)
    slope, offset = fit_line(seen)
    line = Errors(np.maximum(slope * stated + offset, 1e-6), unseen.error)
    isotonic = Errors(calibrated(seen, stated), unseen.error)
    assert scores(isotonic)["nll"] < scores(line)["nll"]
    assert scores(isotonic)["ence"] < 0.1 * scores(unseen)["ence"]


def test_the_line_is_found_where_there_is_one() -> None:
    slope, offset = fit_line(planted(TRUE, (TRUE - 0.02) / 1.5))
    assert slope == pytest.approx(1.5, rel=0.02)
    assert offset == pytest.approx(0.02, abs=0.003)


@given(st.integers(1, 400), st.integers(0, 10), st.floats(0, 5))
def test_knots_increase_and_values_do_not_fall(count: int, seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    errors = Errors(np.abs(spread * rng.normal(size=count)), rng.normal(size=count))
    knots, values = fit_isotonic(errors)
    assert knots.shape == values.shape == (KNOTS,)
    assert (np.diff(knots) > 0).all()
    assert (np.diff(values) >= 0).all()
    assert np.isfinite(values).all()


def test_scores_of_true_gaussians_are_those_of_theory() -> None:
    found = scores(planted(TRUE, TRUE))
    for level in (0.5, 0.9, 0.95):
        assert found[f"coverage_{level}"] == pytest.approx(level, abs=0.003)
    assert found["mean_z2"] == pytest.approx(1, abs=0.01)
    assert found["ence"] < 0.02
    entropy = np.mean(norm(scale=TRUE).entropy())
    assert found["nll"] == pytest.approx(entropy, abs=0.01)


def test_factors_of_laplacian_errors_are_not_those_of_a_gaussian() -> None:
    draws = np.random.default_rng(0).laplace(size=400_000)
    factors = interval_factors(Errors(np.ones_like(draws), draws))
    for level, factor in factors.items():
        assert factor == pytest.approx(-np.log(1 - float(level)), rel=0.02)


class Overconfident(nn.Module):
    """Restores nothing and states half of the noise."""

    divisor = 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.calibration = Calibration()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        std = torch.full_like(image, 0.1)
        return torch.cat([image, self.calibration(std), image], dim=1)


def pairs(first: int) -> list[Pair]:
    found: list[Pair] = []
    for seed in range(first, first + 4):
        rng = np.random.default_rng(seed)
        truth = rng.random((63, 70))
        noisy = truth + 0.2 * rng.standard_normal(truth.shape)
        low, high = np.percentile(noisy, [2, 99.8])
        image, target = noisy.astype(np.float32), ((truth - low) / (high - low)).astype(np.float32)
        found.append(Pair(str(seed), image, target, (0.0, 0.0), (1.0, 1.0)))
    return found


def test_a_network_is_calibrated_in_place_and_measured_on_other_images() -> None:
    network = Overconfident()
    found = calibrate(network, pairs(0), pairs(10))
    assert found["before"]["mean_z2"] > 1.2
    assert found["after"]["mean_z2"] == pytest.approx(1, abs=0.05)
    assert found["after"]["coverage_0.9"] == pytest.approx(0.9, abs=0.02)
    assert found["images"] == {"calibration": 4, "validation": 4}
    again = calibrate(network, pairs(0), pairs(10))
    assert again == found
