import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.metrics.decorrelation import cutoff_period_px
from benchmark.metrics.metric import NotApplicable
from tests.benchmark.metrics.acquisitions import Plane, blurred, curves, repeats
from tests.benchmark.metrics.peers import peer

SCENE = curves(256)


def band_limited(cutoff: float, side: int = 256) -> Plane:
    """White noise up to a frequency, and a thousandth of it beyond."""
    noise = np.random.default_rng(0).normal(size=(side, side))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    passed = np.where(frequency < cutoff, 1, 1e-3)
    return np.fft.ifft2(np.fft.fft2(noise) * passed).real


@pytest.mark.parametrize("cutoff", [0.1, 0.2, 0.3, 0.4])
def test_the_cutoff_of_a_band_is_found(cutoff: float):
    assert 1 / cutoff_period_px(band_limited(cutoff)) == pytest.approx(cutoff, abs=0.01)


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_resolution_is_that_of_nanopyx(sigma: float):
    # Where there is hardly any noise; with noise its values change from run to run.
    image, _ = repeats(blurred(SCENE, sigma), 5000)
    expected = peer("nanopyx.methods.squirrel").calculate_decorr_analysis(image)
    assert cutoff_period_px(image) == pytest.approx(expected, rel=0.1)


def test_sharper_images_have_shorter_periods():
    values = [cutoff_period_px(repeats(blurred(SCENE, s), 5000)[0]) for s in (1, 1.5, 2, 3, 4)]
    assert values == sorted(values)
    assert len(set(values)) == 5


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3), offset=st.floats(-1e3, 1e3))
def test_invariant_under_affine_intensity(scale: float, offset: float):
    image, _ = repeats(blurred(SCENE[:64, :64], 1.5), 1000)
    value = cutoff_period_px(scale * image + offset)
    assert value == pytest.approx(cutoff_period_px(image), rel=1e-6)


def test_noise_alone_is_unresolved():
    with pytest.raises(NotApplicable, match=r"Unresolved.*maximum\."):
        cutoff_period_px(np.random.default_rng(0).normal(size=(256, 256)))


def test_smallest_image():
    image = band_limited(0.2, side=64)
    cutoff_period_px(image[:32, :40])
    with pytest.raises(NotApplicable, match="32 x 32 pixels, not 31 x 40"):
        cutoff_period_px(image[:31, :40])


def test_a_constant_image_is_not_applicable():
    with pytest.raises(NotApplicable, match="constant"):
        cutoff_period_px(np.full((64, 64), 3.0))
