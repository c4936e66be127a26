import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from training.simulation.fitting.statistics import (
    NOISE_SIGMA_PX,
    autocorrelation,
    noise_of,
    radial_power,
)


def _white(*shape: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(seed).standard_normal(shape)


def test_planes_are_filtered_each_by_itself() -> None:
    stack = _white(3, 20, 24)
    expected = stack[1] - gaussian_filter(stack[1], NOISE_SIGMA_PX)
    np.testing.assert_allclose(noise_of(stack)[1], expected, atol=1e-12)


@pytest.mark.parametrize("lag_px", [1, 2, 3])
@pytest.mark.parametrize("axis", [-2, -1])
def test_autocorrelation_of_a_running_mean(lag_px: int, axis: int) -> None:
    white = _white(400, 400)
    mean_of_three = sum(np.roll(white, shift, axis) for shift in range(3))
    found = autocorrelation(np.asarray(mean_of_three), lag_px, axis)
    assert found == pytest.approx(1 - lag_px / 3, abs=0.01)


def test_white_noise_lies_at_its_variance() -> None:
    images = [100 + 3 * _white(100, 64, 48), 50 + 3 * _white(80, 80, seed=1)]
    _, power = radial_power(images, 0.1)
    np.testing.assert_allclose(power[1:], 9, rtol=0.05)


def test_a_wave_lies_at_its_frequency() -> None:
    period_um, pixel_size_um = 1.0, 0.125
    wave = np.sin(2 * np.pi * np.arange(128) * pixel_size_um / period_um)
    frequency, power = radial_power([np.tile(wave, (128, 1))], pixel_size_um)
    half_a_band = (frequency[1] - frequency[0]) / 2
    assert frequency[power.argmax()] == pytest.approx(1 / period_um, abs=1.01 * half_a_band)


def test_bands_end_at_the_nyquist_frequency() -> None:
    frequency, power = radial_power([_white(40, 64)], 0.25)
    width = frequency[1] - frequency[0]
    assert frequency[0] - width / 2 == pytest.approx(0)
    assert frequency[-1] + width / 2 == pytest.approx(1 / (2 * 0.25))
    assert len(power) == 10
