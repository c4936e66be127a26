import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmark.metrics.fidelity import si_psnr_a
from imaging.deconvolution import NoiseModel, blur_and_sample, deconvolve

FWHM = 5.25  # fine pixels: 0.42 µm at 0.08 µm
SIDE = 64
A = blur_and_sample(SIDE, 4, FWHM)
RNG = np.random.default_rng(11)


def points() -> NDArray[np.float64]:
    image = np.zeros((SIDE, SIDE))
    image[RNG.integers(8, SIDE - 8, 12), RNG.integers(8, SIDE - 8, 12)] = (
        1e7  # photons: no noise to speak of
    )
    return image


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    factor=st.integers(1, 5),
    native=st.integers(2, 12),
    fwhm=st.floats(0, 12),
)
def test_transpose_is_the_adjoint_of_blurring_and_summing(
    seed: int, factor: int, native: int, fwhm: float
):
    rng = np.random.default_rng(seed)
    x, y = rng.random(native * factor), rng.random(native)
    blurred = ndimage.gaussian_filter1d(x, fwhm / 2.354820045) if fwhm > 1e-3 else x
    forward = blurred.reshape(native, factor).sum(axis=1)
    operator = blur_and_sample(native * factor, factor, fwhm)
    np.testing.assert_allclose(operator @ x, forward, atol=1e-9)
    assert forward @ y == pytest.approx(x @ (operator.T @ y))


def test_forward_model_keeps_flux():
    np.testing.assert_allclose(A.sum(axis=0), 1)


def test_every_iteration_keeps_flux():
    photons = A @ points() @ A.T
    ideal = NoiseModel(background_photons=0, excess_noise_factor=1, read_variance=1e-12)
    for iterations in (1, 2, 30):
        assert deconvolve(photons, A, A, ideal, iterations).sum() == pytest.approx(photons.sum())


def test_points_without_noise_come_back_better_than_by_interpolation():
    truth = points()
    photons = A @ truth @ A.T
    ideal = NoiseModel(background_photons=0, excess_noise_factor=1, read_variance=1e-12)
    bicubic = np.array(
        Image.fromarray(photons.astype("f")).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    )
    restored = deconvolve(photons, A, A, ideal)
    assert si_psnr_a(truth, restored) > si_psnr_a(truth, bicubic) + 3


def test_known_background_is_no_part_of_the_object():
    photons = A @ points() @ A.T
    read = NoiseModel(background_photons=50, excess_noise_factor=1, read_variance=1e-12)
    assert deconvolve(photons + 50, A, A, read).sum() == pytest.approx(photons.sum(), rel=0.02)


def test_stops_when_the_residual_is_as_large_as_the_noise():
    detector = NoiseModel(background_photons=2, excess_noise_factor=1.4, read_variance=0.5)
    smooth = 400 * ndimage.gaussian_filter(RNG.random((SIDE, SIDE)), 3)
    mean = A @ smooth @ A.T + 2
    multiplied = RNG.poisson(RNG.poisson(mean) / 0.4) * 0.4
    photons = multiplied + RNG.normal(0, np.sqrt(0.5), mean.shape)

    def residual(estimate: NDArray[np.float64]) -> float:
        model = A @ estimate @ A.T + 2
        return float(np.mean((photons - model) ** 2 / (1.4 * model + 0.5)))

    assert residual(smooth) == pytest.approx(1, abs=0.2)
    estimates = [deconvolve(photons, A, A, detector, n) for n in range(1, 30)]
    residuals = [residual(estimate) for estimate in estimates]
    stopped = next(i for i, value in enumerate(residuals) if value <= 1)
    for later in estimates[stopped:]:
        np.testing.assert_array_equal(later, estimates[stopped])


def test_dark_frames_give_an_estimate_that_is_finite_and_not_negative():
    detector = NoiseModel(background_photons=0, excess_noise_factor=1.2, read_variance=4)
    estimate = deconvolve(RNG.normal(0, 2, (16, 16)), A, A, detector)
    assert np.isfinite(estimate).all()
    assert estimate.min() >= 0
