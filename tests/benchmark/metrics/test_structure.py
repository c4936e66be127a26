import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.structure import ms_ssim, ssim, ssim_affine


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


def test_raw_ssim_reacts_to_an_offset_on_a_dark_background():
    truth = images(96, "sparse")[0] - 20
    shifted = truth + 6 / 255 * np.ptp(truth)
    assert ssim(truth, shifted) < 0.8
    assert ssim_affine(truth, shifted) == pytest.approx(1)
