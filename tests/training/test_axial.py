"""What planes become when they are recorded along one of their axes as along the optical axis."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from simulation.fitting.photon_transfer import Transfer
from training.axial import AxialDegradation, measure_sigma_px, sigma_between

SIGMA_PX, FACTOR = 2.0, 3


def noise(slope: float = 0.0, dark: float = 0.0) -> Transfer:
    nothing = np.zeros(1)
    return Transfer(nothing, nothing, nothing, slope=slope, dark_variance=dark)


def test_rows_are_blurred_and_sampled_in_the_middle_of_theirs() -> None:
    degradation = AxialDegradation(SIGMA_PX, FACTOR, noise())
    plane = np.random.default_rng(0).random((30 + 2 * degradation.margin_px, 4), np.float32)
    recorded = degradation.record(plane, np.random.default_rng(0))
    blurred = ndimage.gaussian_filter1d(plane, SIGMA_PX, axis=0, truncate=10)
    middles = blurred[degradation.margin_px + FACTOR // 2 :: FACTOR][:10]
    np.testing.assert_allclose(recorded, middles, atol=2e-3)


def test_recorded_rows_are_as_noisy_as_the_plane() -> None:
    """What blur averages away is added again."""
    rng = np.random.default_rng(0)
    light, dark, slope = 50.0, 9.0, 0.5
    degradation = AxialDegradation(SIGMA_PX, FACTOR, noise(slope, dark))
    deviation = math.sqrt(dark + slope * light)
    plane = rng.normal(light, deviation, (300 + 2 * degradation.margin_px, 400))
    recorded = degradation.record(plane.astype(np.float32), rng)
    assert recorded.std() == pytest.approx(deviation, rel=0.02)


def test_variances_of_blurs_add_up() -> None:
    """Of Gaussians, whose width at half maximum is 2.3548 standard deviations."""
    lateral, axial = 0.3, 1.2
    sigma = sigma_between(lateral, axial)
    assert (2.3548 * sigma) ** 2 + lateral**2 == pytest.approx(axial**2, rel=1e-4)


def blobs(axial_px: float, planes: int, every: int) -> NDArray[np.float64]:
    """Return white noise under a PSF of 1.5 pixels, and so many along z."""
    white = np.random.default_rng(0).standard_normal((planes * every, 96, 96))
    return ndimage.gaussian_filter(white, (axial_px, 1.5, 1.5))[::every]


def test_blur_along_z_is_measured_on_the_stack() -> None:
    """Of structure that is alike in all directions, here points."""
    stack = blobs(axial_px=4.0, planes=16, every=4)
    measured = measure_sigma_px([stack], 4.0)
    assert measured == pytest.approx(math.sqrt(4.0**2 - 1.5**2), rel=0.05)


def test_noise_of_pixels_is_no_sharpness() -> None:
    stack = blobs(axial_px=4.0, planes=16, every=4)
    noisy = stack + np.random.default_rng(1).normal(0, stack.std(), stack.shape)
    assert measure_sigma_px([noisy], 4.0) == pytest.approx(math.sqrt(4.0**2 - 1.5**2), rel=0.1)


@pytest.mark.parametrize("axial_px", [0.0, 60.0])
def test_blur_that_cannot_be_measured_is_none(axial_px: float) -> None:
    """Planes that have nothing in common, or are all alike."""
    assert measure_sigma_px([blobs(axial_px, planes=9, every=1)], 2.0) is None
