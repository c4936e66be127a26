import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio
from torchmetrics.functional.regression import mean_absolute_error

from benchmark.metrics import METRICS, NotApplicable
from benchmark.metrics.fidelity import nrmse_care
from benchmark.metrics.literature import (
    mae_minmax,
    ms_ssim_minmax,
    nrmse_dfcan,
    nrmse_mean,
    nrmse_range,
    psnr_minmax,
)
from benchmark.metrics.metric import Score

RNG = np.random.default_rng(5)
TRUTH = RNG.gamma(0.3, 100.0, (64, 70))
PREDICTION = 2 * TRUTH + RNG.normal(0, 30, TRUTH.shape) + 100
MAPPED = [(image - image.min()) / np.ptp(image) for image in (TRUTH, PREDICTION)]
ALL = [psnr_minmax, mae_minmax, nrmse_range, nrmse_mean, nrmse_dfcan]


def test_psnr_is_that_of_scikit_image():
    expected = peak_signal_noise_ratio(*MAPPED, data_range=1)
    assert psnr_minmax(TRUTH, PREDICTION) == pytest.approx(expected)


def test_mae_is_that_of_torchmetrics():
    g, p = (torch.tensor(image) for image in MAPPED)
    assert mae_minmax(TRUTH, PREDICTION) == pytest.approx(mean_absolute_error(p, g).item())


@pytest.mark.parametrize(
    ("metric", "norm"),
    [(nrmse_range, "min-max"), (nrmse_mean, "mean"), (nrmse_dfcan, "euclidean")],
)
def test_each_nrmse_is_one_of_scikit_image(metric: Score, norm: str):
    expected = normalized_root_mse(*MAPPED, normalization=norm)
    assert metric(TRUTH, PREDICTION) == pytest.approx(expected)


def test_nrmse_over_the_range_is_psnr_on_another_scale():
    expected = 10 ** (-psnr_minmax(TRUTH, PREDICTION) / 20)
    assert nrmse_range(TRUTH, PREDICTION) == pytest.approx(expected)


def test_ms_ssim_is_that_of_pytorch_msssim():
    pytorch_msssim = pytest.importorskip("pytorch_msssim")
    truth = RNG.random((192, 176))
    prediction = 5 * truth + RNG.normal(size=truth.shape)
    g, p = (
        torch.from_numpy((image - image.min()) / np.ptp(image))[None, None]
        for image in (truth, prediction)
    )
    expected = pytorch_msssim.ms_ssim(g, p, data_range=1).item()
    assert ms_ssim_minmax(truth, prediction) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("metric", ALL)
@settings(max_examples=20)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_each_image_is_mapped_by_itself(metric: Score, scale: float, offset: float):
    expected = metric(TRUTH, PREDICTION)
    assert metric(TRUTH, scale * PREDICTION + offset) == pytest.approx(expected, rel=1e-6)


def test_one_pair_has_two_nrmse():
    """Sparse images look bad in the legacy variant alone."""
    truth = (RNG.random((64, 64)) > 0.999).astype(float)
    noisy = truth + RNG.normal(0, 0.03, truth.shape)
    assert nrmse_dfcan(truth, noisy) > 10 * nrmse_care(truth, noisy)


def test_a_perfect_prediction_is_infinite():
    assert psnr_minmax(TRUTH, 3 * TRUTH + 1) == np.inf


@pytest.mark.parametrize("metric", [*ALL, ms_ssim_minmax])
def test_a_constant_prediction_is_not_applicable(metric: Score):
    with pytest.raises(NotApplicable, match="prediction is constant"):
        metric(TRUTH, np.ones_like(TRUTH))


def test_psnr_is_in_decibels():
    assert METRICS["psnr_minmax"].unit == "dB"
