import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from simulation.fitting.noise_correlation import NOISE_SIGMA_PX, autocorrelation, noise_of


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
