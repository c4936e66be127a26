import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from benchmark.metrics.metric import NotApplicable
from benchmark.metrics.squirrel import resolution_scaled_fit
from tests.benchmark.metrics.acquisitions import Plane, blurred, curves, repeats
from tests.benchmark.metrics.peers import peer

IMAGE = blurred(curves(96), 0.7)


def by_hand(reference: Plane, image: Plane) -> tuple[float, float]:
    """Blur in space, fit by least squares and look for the best blur."""

    def residual(sigma: float) -> float:
        design = np.stack([blurred(image, sigma).ravel(), np.ones(image.size)], axis=1)
        return float(np.linalg.lstsq(design, reference.ravel())[1][0])

    found = optimize.minimize_scalar(residual, bounds=(0.5, 10), method="bounded")
    return found.x, found.fun


@pytest.mark.parametrize("sigma", [1.5, 3, 6])
@pytest.mark.parametrize("photons", [20, 2000])
def test_fit_by_hand(sigma: float, photons: float):
    reference, _ = repeats(blurred(IMAGE, sigma), photons)
    found = resolution_scaled_fit(reference, IMAGE)
    expected_sigma, expected_residual = by_hand(reference, IMAGE)
    assert found.sigma_px == pytest.approx(expected_sigma, rel=2e-3)
    residual = np.sum((found.fitted - reference) ** 2)
    assert residual == pytest.approx(expected_residual, rel=1e-4)
    # What regression leaves is var·(1 − ρ²).
    explained = 1 - residual / np.sum((reference - reference.mean()) ** 2)
    assert found.pearson == pytest.approx(np.sqrt(explained), rel=1e-9)


@pytest.mark.filterwarnings("ignore:OpenCL:UserWarning")
@pytest.mark.parametrize("sigma", [2, 4])
@pytest.mark.parametrize("photons", [20, 5000])
def test_errors_are_those_of_nanopyx(sigma: float, photons: float):
    reference, _ = repeats(blurred(IMAGE, sigma), photons)
    _, rse, rsp = peer("nanopyx.methods.squirrel").calculate_error_map(reference, IMAGE)
    found = resolution_scaled_fit(reference, IMAGE)
    assert np.sqrt(np.mean((found.fitted - reference) ** 2)) == pytest.approx(rse, rel=1e-4)
    assert found.pearson == pytest.approx(rsp, abs=1e-3)  # it computes in float32


def test_a_planted_blur_scale_and_offset_are_found():
    reference = 5 * blurred(IMAGE, 2.5) - 40
    found = resolution_scaled_fit(reference, IMAGE)
    assert found.sigma_px == pytest.approx(2.5, rel=1e-3)
    np.testing.assert_allclose(found.fitted, reference, atol=1e-3 * np.ptp(reference))


def test_the_blur_stays_within_its_bounds():
    assert resolution_scaled_fit(blurred(IMAGE, 20), IMAGE).sigma_px == pytest.approx(10, rel=1e-3)
    assert resolution_scaled_fit(IMAGE, blurred(IMAGE, 2)).sigma_px == pytest.approx(0.5, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_invariant_under_affine_intensity(scale: float, offset: float):
    reference, _ = repeats(blurred(IMAGE, 2), 50)
    found = resolution_scaled_fit(reference, scale * IMAGE + offset)
    expected = resolution_scaled_fit(reference, IMAGE)
    assert found.pearson == pytest.approx(expected.pearson, rel=1e-6)
    np.testing.assert_allclose(found.fitted, expected.fitted, atol=1e-4)


def test_inverted_contrast_does_not_fit():
    reference, _ = repeats(blurred(IMAGE, 2), 50)
    found = resolution_scaled_fit(reference, -IMAGE)
    assert found.pearson < 0
    np.testing.assert_allclose(found.fitted, reference.mean())


def test_oblong_images():
    reference = blurred(IMAGE[:, :40], 2)
    assert resolution_scaled_fit(reference, IMAGE[:, :40]).sigma_px == pytest.approx(2, rel=1e-3)


def test_smallest_image():
    resolution_scaled_fit(IMAGE[:16, :20], IMAGE[:16, :20])
    with pytest.raises(NotApplicable, match="16 x 16 pixels, not 15 x 20"):
        resolution_scaled_fit(IMAGE[:15, :20], IMAGE[:15, :20])


def test_constant_images_are_not_applicable():
    flat = np.full(IMAGE.shape, 2.0)
    with pytest.raises(NotApplicable, match="input is constant"):
        resolution_scaled_fit(flat, IMAGE)
    with pytest.raises(NotApplicable, match="prediction is constant"):
        resolution_scaled_fit(IMAGE, flat)
