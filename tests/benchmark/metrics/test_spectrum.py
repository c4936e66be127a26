import numpy as np
import pytest

from benchmark.metrics.metric import NotApplicable
from benchmark.metrics.spectrum import SpectrumRatio, band_limit_per_um, mean_db, spectrum_ratio
from tests.benchmark.metrics.acquisitions import blurred

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(256, 240))
CONFOCAL = {"modality": "confocal", "numerical_aperture": 1.0, "wavelength_um": 0.5}


def test_a_blur_is_its_transfer_function_squared():
    found = spectrum_ratio(TRUTH, blurred(TRUTH, 1.0))
    expected = 10 * np.log10(np.exp(-((2 * np.pi * found.frequency) ** 2)))
    # Inner rings have few coefficients; at Nyquist the sampled Gaussian is not the Gaussian.
    chosen = (found.frequency > 0.05) & (found.frequency < 0.35)
    np.testing.assert_allclose(found.ratio_db[chosen], expected[chosen], atol=0.3)


@pytest.mark.parametrize(("gain", "db"), [(1.0, 0.0), (10.0, 20.0), (-0.5, -6.0206)])
def test_a_gain_shifts_all_rings(gain: float, db: float):
    np.testing.assert_allclose(spectrum_ratio(TRUTH, gain * TRUTH + 7).ratio_db, db, atol=1e-3)


def test_noise_adds_its_power():
    noise = np.random.default_rng(1).normal(0, 2, TRUTH.shape)
    found = spectrum_ratio(TRUTH, TRUTH + noise)
    assert found.ratio_db[20:].mean() == pytest.approx(10 * np.log10(1 + 4), abs=0.1)


def test_a_flat_prediction_has_no_power_left():
    assert spectrum_ratio(TRUTH, np.zeros_like(TRUTH)).ratio_db.max() < -60


def test_the_mean_is_split_at_the_band():
    spectra = SpectrumRatio(np.array([0.1, 0.2, 0.3, 0.4]), np.array([-1.0, -2.0, -10.0, -20.0]))
    optics = CONFOCAL | {"numerical_aperture": 0.5}  # 2 cycles per µm, 0.2 per pixel
    assert mean_db(spectra, 0.1, optics, inside=True) == -1.5
    assert mean_db(spectra, 0.1, optics, inside=False) == -15


def test_band_of_one_and_two_photons():
    assert band_limit_per_um(CONFOCAL, 0.01) == 4
    assert band_limit_per_um(CONFOCAL | {"modality": "two-photon"}, 0.01) == 8


def test_coarse_pixels_are_the_band():
    assert band_limit_per_um(CONFOCAL | {"sampling": 4}, 0.1) == pytest.approx(1.25)


def test_pixels_too_coarse_to_show_more_than_the_band():
    with pytest.raises(NotApplicable, match="too coarse"):
        mean_db(spectrum_ratio(TRUTH, TRUTH), 0.2, CONFOCAL, inside=False)


@pytest.mark.parametrize("name", ["numerical_aperture", "wavelength_um"])
def test_unknown_optics_is_named(name: str):
    optics = {key: value for key, value in CONFOCAL.items() if key != name}
    with pytest.raises(NotApplicable, match=name):
        band_limit_per_um(optics, 0.1)


def test_smallest_image():
    spectrum_ratio(TRUTH[:32, :32], TRUTH[:32, :32])
    with pytest.raises(NotApplicable, match="32 x 32 pixels, not 31 x 32"):
        spectrum_ratio(TRUTH[:31, :32], TRUTH[:31, :32])


def test_a_constant_truth_is_not_applicable():
    with pytest.raises(NotApplicable, match="constant"):
        spectrum_ratio(np.ones((64, 64)), TRUTH[:64, :64])
