import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
from torchmetrics.functional.regression import mean_absolute_error, pearson_corrcoef

from benchmark.metrics import METRICS, NotApplicable
from benchmark.metrics.fidelity import (
    mae,
    nrmse_care,
    pearson,
    psnr,
    si_psnr_a,
    si_psnr_b,
)
from benchmark.metrics.metric import Score

RNG = np.random.default_rng(5)
TRUTH = RNG.gamma(0.3, 100.0, (64, 70))
PREDICTION = 2 * TRUTH + RNG.normal(0, 30, TRUTH.shape) + 100
AFFINE_INVARIANT = [si_psnr_a, si_psnr_b, nrmse_care]


def closed_form(extent: float) -> float:
    """What is left of a regression is σ²(1 − ρ²)."""
    rho = pearson_corrcoef(torch.tensor(TRUTH.ravel()), torch.tensor(PREDICTION.ravel())).item()
    return 10 * math.log10(extent**2 / (TRUTH.var() * (1 - rho**2)))


def test_si_psnr_a_in_terms_of_pearson():
    assert si_psnr_a(TRUTH, PREDICTION) == pytest.approx(closed_form(np.ptp(TRUTH)), abs=1e-4)


def test_si_psnr_b_in_terms_of_pearson():
    low, high = np.percentile(TRUTH, [0.1, 99.9])
    assert si_psnr_b(TRUTH, PREDICTION) == pytest.approx(closed_form(high - low), abs=1e-4)


def test_variants_a_and_b_differ_by_their_ranges():
    low, high = np.percentile(TRUTH, [0.1, 99.9])
    difference = si_psnr_a(TRUTH, PREDICTION) - si_psnr_b(TRUTH, PREDICTION)
    assert difference == pytest.approx(20 * math.log10(np.ptp(TRUTH) / (high - low)))


def test_psnr_is_that_of_scikit_image():
    expected = peak_signal_noise_ratio(TRUTH, PREDICTION, data_range=np.ptp(TRUTH))
    assert psnr(TRUTH, PREDICTION) == pytest.approx(expected, abs=1e-9)


def test_psnr_is_that_of_torchmetrics():
    expected = torchmetrics_psnr(
        torch.tensor(PREDICTION), torch.tensor(TRUTH), data_range=float(np.ptp(TRUTH))
    )
    assert psnr(TRUTH, PREDICTION) == pytest.approx(expected.item(), abs=1e-4)


def test_nrmse_is_si_psnr_b_on_another_scale():
    expected = 10 ** (-si_psnr_b(TRUTH, PREDICTION) / 20)
    assert nrmse_care(TRUTH, PREDICTION) == pytest.approx(expected)


def test_nrmse_by_least_squares():
    low, high = np.percentile(TRUTH, [0.1, 99.9])
    g = (TRUTH.ravel() - low) / (high - low)
    design = np.stack([PREDICTION.ravel(), np.ones(g.size)], axis=1)
    residual = np.linalg.lstsq(design, g)[1][0]
    assert nrmse_care(TRUTH, PREDICTION) == pytest.approx(math.sqrt(residual / g.size))


@pytest.mark.parametrize("metric", AFFINE_INVARIANT)
@given(scale=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3), offset=st.floats(-1e3, 1e3))
def test_invariant_under_affine_intensity(metric: Score, scale: float, offset: float):
    expected = metric(TRUTH, PREDICTION)
    assert metric(TRUTH, scale * PREDICTION + offset) == pytest.approx(expected, rel=1e-6)


@given(scale=st.floats(1e-6, 1e6), offset=st.floats(-1e3, 1e3))
def test_psnr_does_not_depend_on_the_unit_of_both(scale: float, offset: float):
    value = psnr(scale * (TRUTH + offset), scale * (PREDICTION + offset))
    assert value == pytest.approx(psnr(TRUTH, PREDICTION), rel=1e-6)


def test_psnr_sees_an_offset():
    assert psnr(TRUTH, TRUTH + 0.1 * np.ptp(TRUTH)) == pytest.approx(20)


def test_inverted_contrast_scores_the_same():
    assert si_psnr_a(TRUTH, -PREDICTION) == pytest.approx(si_psnr_a(TRUTH, PREDICTION))


def test_unrelated_noise_scores_at_the_floor():
    floor = 20 * math.log10(np.ptp(TRUTH) / TRUTH.std())
    noise = np.random.default_rng(0).normal(size=TRUTH.shape)
    assert si_psnr_a(TRUTH, noise) == pytest.approx(floor, abs=0.05)
    assert floor > 20


@pytest.mark.parametrize("metric", [si_psnr_a, si_psnr_b, psnr])
def test_a_perfect_prediction_is_infinite(metric: Score):
    assert metric(TRUTH, TRUTH) == math.inf


def test_a_perfect_prediction_has_no_error():
    assert nrmse_care(TRUTH, TRUTH) == pytest.approx(0, abs=1e-12)


def test_mae_is_that_of_torchmetrics():
    expected = mean_absolute_error(torch.tensor(PREDICTION), torch.tensor(TRUTH)).item()
    assert mae(TRUTH, PREDICTION) == pytest.approx(expected / np.ptp(TRUTH), rel=1e-9)


def test_pearson_is_that_of_torchmetrics():
    expected = pearson_corrcoef(torch.tensor(TRUTH.ravel()), torch.tensor(PREDICTION.ravel()))
    assert pearson(TRUTH, PREDICTION) == pytest.approx(expected.item(), abs=1e-9)


@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_pearson_changes_only_its_sign(scale: float, offset: float):
    expected = pearson(TRUTH, PREDICTION)
    assert pearson(TRUTH, scale * PREDICTION + offset) == pytest.approx(expected, rel=1e-6)
    assert pearson(TRUTH, offset - scale * PREDICTION) == pytest.approx(-expected, rel=1e-6)


def test_a_constant_prediction_correlates_with_nothing():
    with pytest.raises(NotApplicable, match="prediction is constant"):
        pearson(TRUTH, np.ones_like(TRUTH))


@pytest.mark.parametrize("name", ["si_psnr_a", "si_psnr_b", "psnr"])
def test_peaks_over_noise_are_decibels(name: str) -> None:
    assert METRICS[name].unit == "dB"
