import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal.windows import tukey

from benchmark.metrics.metric import NotApplicable
from benchmark.metrics.ring_correlation import RingCorrelation, first_crossing, ring_correlation
from tests.benchmark.metrics.acquisitions import Plane, blurred, curves, repeats
from tests.benchmark.metrics.peers import peer

SCENE = curves(256)


def by_hand(one: Plane, two: Plane) -> list[float]:
    """The published formula, ring by ring, on the full transform."""
    side = len(one)
    window = np.outer(tukey(side, 0.25), tukey(side, 0.25))
    f1, f2 = (np.fft.fft2((image - image.mean()) * window) for image in (one, two))
    frequency = np.fft.fftfreq(side) * side
    radius = np.rint(np.hypot(frequency[:, None], frequency))
    curve: list[float] = []
    for ring in range(1, side // 2 + 1):
        a, b = f1[radius == ring], f2[radius == ring]
        curve.append(np.vdot(b, a).real / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real))
    return curve


def test_curve_by_hand():
    one, two = repeats(blurred(SCENE[:64, :64], 1), 50)
    np.testing.assert_allclose(ring_correlation(one, two).correlation, by_hand(one, two), atol=1e-9)


def test_curve_in_closed_form():
    """Two images with signal power S and noise power N correlate as S / (S + N)."""
    rng = np.random.default_rng(1)
    side, sigma, noise = 512, 1.5, 0.02
    scene = blurred(rng.normal(size=(side, side)), sigma)
    one, two = (scene + rng.normal(0, noise, scene.shape) for _ in range(2))
    curve = ring_correlation(one, two)
    signal = np.exp(-((2 * np.pi * sigma * curve.frequency) ** 2))
    expected = signal / (signal + noise**2)
    # Few coefficients make the innermost rings scatter.
    np.testing.assert_allclose(curve.correlation[8:], expected[8:], atol=0.07)
    # Where it crosses 1/7: signal = noise² / 6.
    period = 2 * np.pi * sigma / np.sqrt(np.log(6 / noise**2))
    assert curve.resolution_px() == pytest.approx(period, rel=0.02)
    # Where one image has no noise, √(signal / (signal + noise²)) = 1/2 at signal = noise² / 3.
    period = 2 * np.pi * sigma / np.sqrt(np.log(3 / noise**2))
    to_truth = ring_correlation(scene, one).resolution_px("1/2")
    assert to_truth == pytest.approx(period, rel=0.02)


@pytest.mark.parametrize(("sigma", "photons"), [(1, 200), (2, 20), (2, 5000), (4, 200)])
def test_resolution_is_that_of_nanopyx(sigma: float, photons: float):
    one, two = repeats(blurred(curves(512), sigma), photons)
    expected = peer("nanopyx.methods.squirrel").calculate_frc(one, two)
    # It smooths with a polynomial of third order over 7 % of the rings, not with seven rings.
    assert ring_correlation(one, two).resolution_px() == pytest.approx(expected, rel=0.015)


@settings(max_examples=20, deadline=None)
@given(
    scale=st.floats(1e-3, 1e3),
    other=st.floats(1e-3, 1e3),
    offset=st.floats(-1e3, 1e3),
)
def test_invariant_under_affine_intensity(scale: float, other: float, offset: float):
    one, two = repeats(blurred(SCENE[:64, :64], 1), 50)
    np.testing.assert_allclose(
        ring_correlation(scale * one + offset, other * two - offset).correlation,
        ring_correlation(one, two).correlation,
        atol=1e-6,
    )


def test_noise_stays_within_three_sigma():
    rng = np.random.default_rng(0)
    curve = ring_correlation(*rng.normal(size=(2, 256, 256)))
    beyond = np.abs(curve.correlation) > curve.threshold("3σ")
    # The window correlates neighbouring coefficients, so that there are fewer independent ones.
    assert beyond.mean() < 0.05
    assert curve.correlation.std() > 0.1 * curve.threshold("3σ").mean()


def test_oblong_images_have_round_rings():
    one, two = repeats(blurred(SCENE, 2), 500)
    square = ring_correlation(one[:128, :128], two[:128, :128]).resolution_px()
    oblong = ring_correlation(one[:128], two[:128]).resolution_px()
    assert oblong == pytest.approx(square, rel=0.1)


def test_more_light_resolves_more():
    values = [
        ring_correlation(*repeats(blurred(SCENE, 2), n)).resolution_px() for n in (10, 100, 1000)
    ]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 3


def test_no_crossing_is_unresolved():
    with pytest.raises(NotApplicable, match=r"Unresolved.*stays above 1/7\."):
        ring_correlation(SCENE, SCENE).resolution_px()
    noise = np.random.default_rng(3).normal(size=(2, 256, 256))
    with pytest.raises(NotApplicable, match=r"Unresolved.*stays below 1/2\."):
        ring_correlation(*noise).resolution_px("1/2")


def test_an_empty_ring_does_not_correlate():
    y = np.arange(64.0) / 64
    wave = np.outer(np.sin(2 * np.pi * 3 * y), np.ones(64))
    assert np.isfinite(ring_correlation(wave, wave[::-1]).correlation).all()


@pytest.mark.parametrize("image", [np.ones((64, 64)), np.zeros((64, 64))])
def test_a_constant_image_has_no_frequencies(image: Plane):
    with pytest.raises(NotApplicable, match="constant"):
        ring_correlation(image, SCENE[:64, :64])


def test_smallest_image():
    ring_correlation(SCENE[:32, :40], SCENE[:32, :40])
    with pytest.raises(NotApplicable, match="32 x 32 pixels here, not 31 x 40"):
        ring_correlation(SCENE[:31, :40], SCENE[:31, :40])


def test_the_first_fall_counts_and_is_linear_between_rings():
    frequency = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    excess = np.array([[-1.0, 1, -1, 1, -1], [1, 1, 1, 1, 0], [-1, -1, -1, -1, 1]])
    np.testing.assert_allclose(first_crossing(frequency, excess), [0.25, 0.5, np.nan])


def test_three_sigma_uses_the_independent_half_of_a_ring():
    curve = RingCorrelation(np.array([0.1]), np.array([0.5]), np.array([72.0]))
    assert curve.threshold("3σ") == pytest.approx(3 / 6)
    assert not curve.stays_above("1/2")
