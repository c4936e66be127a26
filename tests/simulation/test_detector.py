import math

import numpy as np
import pytest
import torch
from scipy import stats

from simulation import detector

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


def test_averaging_lines_divides_the_variance_of_the_photons() -> None:
    draws = detector.detect(torch.full((N,), 4.0, dtype=torch.float64), _generator(), 3)
    _assert_mean_and_variance(draws, 4, 4 / 3)


def test_averaging_lines_divides_the_excess_noise() -> None:
    detected = torch.full((N,), 4.0, dtype=torch.float64)
    signal = detector.multiply(detected, 1.3, _generator(), 3)
    _assert_mean_and_variance(signal, 4, 0.3 * 4 / 3)


def test_averaging_lines_divides_the_read_noise() -> None:
    dark = torch.zeros(N, dtype=torch.float64)
    _assert_mean_and_variance(detector.read_out(dark, 50.0, 9.0, 8.0, _generator(), 4), 9, 16)


def test_each_image_has_its_own_detector() -> None:
    generator = _generator(3)
    factor, gain, lines = torch.tensor(
        [[1.0, 1.2, 1.5], [10.0, 20.0, 90.0], [1.0, 2.0, 4.0]], dtype=torch.float64
    ).view(3, 3, 1, 1)
    expected = torch.full((3, 200, 200), 6.0, dtype=torch.float64)
    signal = detector.multiply(
        detector.detect(expected, generator, lines), factor, generator, lines
    )
    counts = detector.read_out(signal, gain, 100.0, 5.0, generator, lines)
    for image, F, g, n in zip(counts, factor, gain, lines, strict=True):
        variance = float((g**2 * F * 6 + 25) / n)
        _assert_mean_and_variance(image, float(g * 6 + 100), variance)


def test_a_point_has_the_mean_and_variance_of_theory() -> None:
    """Photons times F, the read noise, and the rounding, over n scans, in each pixel of a spot."""
    generator = _generator(4)
    distance = torch.arange(-2, 3, dtype=torch.float64)
    profile = torch.exp(-(distance**2) / 2)
    spot = profile[:, None] * profile
    photons, background, factor, gain, offset, read_noise, scans = 12.0, 0.7, 1.3, 40.0, 300.0, 8, 2
    expected = (spot * photons + background).expand(20_000, 5, 5)
    signal = detector.multiply(
        detector.detect(expected, generator, scans), factor, generator, scans
    )
    analogue = detector.read_out(signal, gain, offset, read_noise, generator, scans)
    counts = detector.digitise(analogue, 65535)
    for y, x in np.ndindex(5, 5):
        photons_here = float(spot[y, x]) * photons + background
        variance = (gain**2 * factor * photons_here + read_noise**2) / scans + 1 / 12
        _assert_mean_and_variance(counts[:, y, x], gain * photons_here + offset, variance)


def test_digitise_rounds_and_clips() -> None:
    counts = torch.tensor([-3.0, 0.4, 0.6, 1234.5001, 70000.0], dtype=torch.float64)
    digital = detector.digitise(counts, 65535)
    assert digital.dtype == torch.float64
    assert digital.tolist() == [0, 0, 1, 1235, 65535]


def test_each_image_saturates_at_its_own_count() -> None:
    digital = detector.digitise(torch.full((2, 1, 1), 999.0), torch.tensor([[[255.0]], [[4095.0]]]))
    assert digital.flatten().tolist() == [255, 999]
