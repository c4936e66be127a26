import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

from benchmark.metrics import NotApplicable
from benchmark.metrics.metric import Score
from benchmark.metrics.structure import (
    micro_ms3im,
    micro_ssim,
    ms_ssim,
    ms_ssim_affine,
    ssim,
    ssim_affine,
)
from tests.benchmark.metrics.peers import peer


def _smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ndimage.gaussian_filter(image, 4), dtype=np.float64)


def images(side: int, kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(side)
    noise = rng.normal(size=(side, side + 16))
    match kind:
        case "random":
            truth = rng.random(noise.shape)
        case "structured":
            truth = np.exp(-4000 * _smooth(noise) ** 2).astype(np.float64)
        case _:  # sparse, dark, above zero
            truth = np.where(rng.random(noise.shape) > 0.999, 520.0, 20.0)
    return truth, truth + 0.1 * np.ptp(truth) * noise + 0.05 * np.ptp(truth)


def tensors(*pair: NDArray[np.float64]) -> list[torch.Tensor]:
    return [torch.from_numpy(image)[None, None] for image in pair]


def of_scikit_image(truth: NDArray[np.float64], prediction: NDArray[np.float64]) -> float:
    value = structural_similarity(
        truth,
        prediction,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=np.ptp(truth),
    )
    return float(value)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", ["random", "structured", "sparse"])
def test_ssim_is_that_of_scikit_image(kind: str):
    truth, prediction = images(96, kind)
    expected = of_scikit_image(truth, prediction)
    assert ssim(truth, prediction) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["random", "structured", "sparse"])
def test_ssim_is_that_of_pytorch_msssim(kind: str):
    pytorch_msssim = pytest.importorskip("pytorch_msssim")
    truth, prediction = images(96, kind)
    expected = pytorch_msssim.ssim(*tensors(truth, prediction), data_range=np.ptp(truth))
    # It keeps its window in float32.
    assert ssim(truth, prediction) == pytest.approx(expected.item(), abs=2e-6)


@pytest.mark.parametrize("kind", ["random", "structured", "sparse"])
def test_ms_ssim_is_that_of_pytorch_msssim(kind: str):
    pytorch_msssim = pytest.importorskip("pytorch_msssim")
    truth, prediction = images(256, kind)
    expected = pytorch_msssim.ms_ssim(*tensors(truth, prediction), data_range=np.ptp(truth))
    assert ms_ssim(truth, prediction) == pytest.approx(expected.item(), abs=5e-6)


def test_ms_ssim_repeats_the_last_line_of_odd_sides():
    truth, prediction = (image[:175, :175] for image in images(176, "structured"))
    whole = [np.pad(image, [(0, 1), (0, 1)], mode="edge") for image in (truth, prediction)]
    # The finest scale has one line more in `whole`; all others are the same.
    assert ms_ssim(truth, prediction) == pytest.approx(ms_ssim(*whole), abs=1e-3)


def test_ms_ssim_of_a_negative_is_zero():
    truth, _ = images(176, "structured")
    assert ms_ssim(truth, truth.max() - truth) == 0


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_ssim_after_affine_fit_is_invariant(scale: float, offset: float):
    truth, prediction = images(48, "structured")
    value = ssim_affine(truth, scale * prediction + offset)
    assert value == pytest.approx(ssim_affine(truth, prediction), rel=1e-6)


def test_ssim_after_affine_fit_is_ssim_of_the_regression_line():
    truth, prediction = images(48, "structured")
    slope, intercept = np.polyfit(prediction.ravel(), truth.ravel(), 1)
    expected = ssim(truth, slope * prediction + intercept)
    assert ssim_affine(truth, prediction) == pytest.approx(expected)


def test_ms_ssim_after_affine_fit_is_ms_ssim_of_the_regression_line():
    truth, prediction = images(176, "structured")
    slope, intercept = np.polyfit(prediction.ravel(), truth.ravel(), 1)
    expected = ms_ssim(truth, slope * prediction + intercept)
    assert ms_ssim_affine(truth, prediction) == pytest.approx(expected)


def test_raw_ssim_reacts_to_an_offset_on_a_dark_background():
    truth = images(96, "sparse")[0] - 20
    shifted = truth + 6 / 255 * np.ptp(truth)
    assert ssim(truth, shifted) < 0.8
    assert ssim_affine(truth, shifted) == pytest.approx(1)


def micro_images(
    truth: NDArray[np.float64], prediction: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both without background, over the truth's maximum."""
    g, p = (image - np.percentile(image, 3) for image in (truth, prediction))
    return g / g.max(), p / g.max()


@pytest.mark.parametrize("kind", ["random", "structured"])
def test_micro_ssim_is_the_best_ssim_over_all_scales(kind: str):
    truth, prediction = images(64, kind)
    g, p = micro_images(truth, 3 * prediction + 1)
    scales = np.geomspace(0.1, 1, 231)  # a step of 1 %
    expected = max(of_scikit_image(g, scale * p) for scale in scales)
    assert micro_ssim(truth, 3 * prediction + 1) == pytest.approx(expected, abs=1e-4)


@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
@pytest.mark.parametrize("kind", ["random", "structured"])
def test_micro_ssim_is_that_of_microssim(kind: str):
    microssim = peer("microssim")
    truth, prediction = images(192, kind)
    expected = microssim.micro_structural_similarity(truth, prediction)
    # It divides variances by 120 of 121 pixels of a window.
    assert micro_ssim(truth, prediction) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("kind", ["random", "structured"])
def test_micro_ms3im_is_ms_ssim_at_the_best_scale_of_micro_ssim(kind: str):
    truth, prediction = images(192, kind)
    g, p = micro_images(truth, 3 * prediction + 1)
    best = max(np.geomspace(0.2, 0.5, 93), key=lambda scale: ssim(g, scale * p))
    expected = ms_ssim(g, best * p)
    assert micro_ms3im(truth, 3 * prediction + 1) == pytest.approx(expected, abs=2e-3)


def test_micro_ssim_does_not_collapse_on_a_background_without_noise():
    truth = images(96, "sparse")[0]
    assert micro_ssim(truth, 1e-2 * truth) == pytest.approx(1)
    assert micro_ssim(truth, 1e2 * truth + 50) == pytest.approx(1)


@pytest.mark.parametrize("factor", [10, 100, 1000])
def test_a_hot_pixel_does_not_say_how_bright_a_prediction_is(factor: float):
    truth, prediction = images(64, "structured")
    prediction[20, 30] = factor * truth.max()
    g, p = (image - np.percentile(image, 3) for image in (truth, prediction))
    scales = np.geomspace(0.2, 5, 400)
    expected = max(of_scikit_image(g / g.max(), scale * p / g.max()) for scale in scales)
    assert micro_ssim(truth, prediction) == pytest.approx(expected, abs=1e-3)


def test_micro_ssim_does_not_reward_a_prediction_that_vanishes():
    truth, noisy = images(96, "sparse")
    assert ssim(truth, np.full_like(truth, truth.min())) > 0.9
    assert micro_ssim(truth, noisy) < 0.5


def test_a_truth_without_background_has_no_micro_ssim():
    truth = np.ones((32, 32))
    truth[3, 4] = 0
    with pytest.raises(NotApplicable, match="maximum at percentile 3"):
        micro_ssim(truth, images(16, "random")[0][:, :16].repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("metric", [micro_ssim, micro_ms3im])
@settings(max_examples=10, deadline=None)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_micro_ssim_is_invariant(metric: Score, scale: float, offset: float):
    truth, prediction = images(176, "structured")
    value = metric(truth, scale * prediction + offset)
    assert value == pytest.approx(metric(truth, prediction), rel=1e-4)


def test_inverted_contrast_is_not_micro_similar():
    truth, _ = images(96, "structured")
    assert micro_ssim(truth, -truth) < 0.5


@pytest.mark.parametrize(("metric", "side"), [(micro_ssim, 11), (micro_ms3im, 161)])
def test_smallest_image(metric: Score, side: int):
    truth = np.random.default_rng(0).random((side, side + 3))
    assert metric(truth, truth) == pytest.approx(1)
    with pytest.raises(NotApplicable, match=str(side - 1)):
        metric(truth[1:], truth[1:])


@pytest.mark.parametrize("metric", [micro_ssim, micro_ms3im])
def test_a_constant_prediction_has_no_brightness(metric: Score):
    truth, _ = images(176, "structured")
    with pytest.raises(NotApplicable, match="prediction is constant"):
        metric(truth, np.ones_like(truth))
