import math

import numpy as np
import pytest
import torch
from scipy import stats

from training.simulation import detector

N = 200_000


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _assert_mean_and_variance(draws: torch.Tensor, mean: float, variance: float) -> None:
    """Compare with theory at 99.99 % confidence: normal mean, variance by its fourth moment."""
    values = draws.double().numpy().ravel()
    z = float(stats.norm.ppf(1 - 0.5e-4))
    assert abs(values.mean() - mean) < z * math.sqrt(variance / values.size)
    fourth = np.mean((values - values.mean()) ** 4)
    assert abs(values.var() - variance) < z * math.sqrt((fourth - variance**2) / values.size)


@pytest.mark.parametrize("photons", [0.3, 4.0, 90.0])
def test_photons_are_poisson(photons: float) -> None:
    draws = detector.detect(torch.full((N,), photons, dtype=torch.float64), _generator())
    _assert_mean_and_variance(draws, photons, photons)


@pytest.mark.parametrize("factor", [1.2, 1.35, 1.5])
@pytest.mark.parametrize("photons", [0.5, 20.0])
def test_excess_noise_multiplies_the_variance(factor: float, photons: float) -> None:
    generator = _generator(1)
    detected = detector.detect(torch.full((N,), photons, dtype=torch.float64), generator)
    signal = detector.multiply(detected, factor, generator)
    _assert_mean_and_variance(signal, photons, factor * photons)
    assert signal.min() >= 0


def test_no_excess_noise_changes_nothing() -> None:
    detected = torch.arange(10.0)
    assert torch.equal(detector.multiply(detected, 1.0, _generator()), detected)


def test_read_out_scales_shifts_and_adds_gaussian_noise() -> None:
    signal = torch.full((N,), 7.0, dtype=torch.float64)
    counts = detector.read_out(signal, 50.0, 400.0, 8.0, _generator(2))
    _assert_mean_and_variance(counts, 7 * 50 + 400, 64)


def test_digitise_rounds_and_clips() -> None:
    counts = torch.tensor([-3.0, 0.4, 0.6, 1234.5001, 70000.0], dtype=torch.float64)
    digital = detector.digitise(counts, 65535)
    assert digital.dtype == counts.dtype
    assert digital.tolist() == [0, 0, 1, 1235, 65535]


def test_expected_photons() -> None:
    expected = detector.expected_photons(torch.tensor([0.0, 0.5, 1.0]), 40.0, 2.0)
    torch.testing.assert_close(expected, torch.tensor([2.0, 22.0, 42.0]))
