import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from training.simulation import optics


def _point(side: int = 101) -> torch.Tensor:
    image = torch.zeros(side, side, dtype=torch.float64)
    image[side // 2, side // 2] = 1
    return image


@given(st.floats(2, 12))
@settings(max_examples=20, deadline=None)
def test_blur_conserves_energy(fwhm_px: float) -> None:
    assert optics.blur(_point(), fwhm_px).sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("fwhm_px", [2.0, 4.15, 6.2, 11.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_blur_has_the_width_asked_for(fwhm_px: float, axis: int) -> None:
    profile = optics.blur(_point(), fwhm_px).sum(1 - axis).numpy()
    # width at half maximum by interpolating the logarithm, parabolic for a Gaussian
    half = profile.max() / 2
    right = np.flatnonzero(profile >= half)[-1]
    log = np.log(profile[right : right + 2] / half)
    offsets = np.array([right, right + 1]) - 50.0
    crossing = np.interp(0, -log, offsets**2)
    assert 2 * math.sqrt(crossing) == pytest.approx(fwhm_px, rel=0.005)


def test_blur_equals_scipy() -> None:
    image = np.random.default_rng(0).random((3, 60, 70))
    ours = optics.blur(torch.from_numpy(image), 4.0).numpy()
    theirs = gaussian_filter(image, (0, 4 / 2.3548200, 4 / 2.3548200), mode="constant", truncate=6)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_batch_equals_one_by_one() -> None:
    image = torch.rand(2, 3, 40, 48, dtype=torch.float64)
    whole = optics.sample(optics.blur(image, 3.0), 4)
    assert whole.shape == (2, 3, 10, 12)
    torch.testing.assert_close(whole[1, 2], optics.sample(optics.blur(image[1, 2], 3.0), 4))


def test_reach_holds_all_but_a_hundred_thousandth_of_the_light() -> None:
    assert math.erfc(optics.reach_px(5.0) / (5 / 2.3548) / math.sqrt(2)) < 1e-5


def test_sampling_averages_over_the_area_of_a_native_pixel() -> None:
    image = torch.arange(64.0).reshape(8, 8)
    expected = image.reshape(2, 4, 2, 4).mean((1, 3))
    torch.testing.assert_close(optics.sample(image, 4), expected)


def test_widths_subtract_in_square() -> None:
    assert math.hypot(optics.blur_fwhm_um(0.4, 0.07), 0.07) == pytest.approx(0.4)
