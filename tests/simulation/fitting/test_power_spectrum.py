"""Spectra of white noise and of waves, and spectra made of known parts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from simulation.fitting.power_spectrum import BANDS, Spectrum, match, mean_power, radial_power

Floats = NDArray[np.float64]


def _white(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape)


def _falling(images: int, seed: int, scatter: float = 0.1) -> Spectrum:
    """Spectra of blurred structure that differ from each other as those of fields do."""
    frequency = (np.arange(BANDS) + 0.5) / BANDS * np.sqrt(0.5)
    shape = 1e4 * np.exp(-((frequency / 0.12) ** 2)) + 1e-3
    noise = np.exp(scatter * _white(images, BANDS, seed=seed))
    return Spectrum(frequency, shape * noise, np.full(BANDS, 200.0))


def test_white_noise_has_its_variance_at_all_frequencies() -> None:
    spectrum = radial_power(100 + 3 * _white(200, 64, 48))
    assert spectrum.power.shape == (200, BANDS)
    # The mean is taken from the lowest; the corners hold few coefficients.
    seen = (spectrum.frequency > 0.06) & (spectrum.coefficients > 12)
    np.testing.assert_allclose(spectrum.power.mean(0)[seen], 9, rtol=0.05)


def test_bands_hold_all_coefficients() -> None:
    spectrum = radial_power(_white(1, 40, 64))
    assert spectrum.coefficients.sum() == 40 * 64
    assert spectrum.frequency[-1] < np.sqrt(0.5)


def test_each_image_has_a_spectrum_of_its_own() -> None:
    planes = _white(2, 64, 64) * np.array([1.0, 5.0])[:, None, None]
    together = radial_power(planes)
    np.testing.assert_allclose(together.power[1], radial_power(planes[1:]).power[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_lies_at_its_frequency(axis: int) -> None:
    period_um, pixel_size_um = 1.0, 0.125
    wave = np.sin(2 * np.pi * np.arange(128) * pixel_size_um / period_um)
    image = np.tile(wave, (128, 1))
    frequency, power = mean_power([image if axis else image.T], pixel_size_um)
    half_a_band = (frequency[1] - frequency[0]) / 2
    assert frequency[power.argmax()] == pytest.approx(1 / period_um, abs=1.01 * half_a_band)


def test_mean_over_images_of_different_size() -> None:
    images = [100 + 3 * _white(100, 64, 48), 50 + 3 * _white(80, 80, seed=1)]
    _, power = mean_power(images, 0.1)
    np.testing.assert_allclose(power[2:], 9, rtol=0.06)


def test_mean_power_ends_at_the_nyquist_frequency() -> None:
    frequency, power = mean_power([_white(100, 96)], 0.25)
    width = frequency[1] - frequency[0]
    assert frequency[-1] <= 1 / (2 * 0.25) < frequency[-1] + width
    assert power.shape == frequency.shape


def test_small_images_have_power_in_every_band_shown() -> None:
    _, power = mean_power([_white(16, 20), _white(48, 48)], 0.25)
    assert (power > 0).all()


@pytest.mark.parametrize(("amplitude", "noise"), [(0.3, 50.0), (2.0, 400.0), (30.0, 5.0)])
def test_planted_amplitude_and_noise_are_found(amplitude: float, noise: float) -> None:
    structure, other = _falling(12, seed=0), _falling(12, seed=1)
    real = Spectrum(other.frequency, amplitude * other.power + noise, other.coefficients)
    found = match(real, structure, noise, fields=12)
    assert found.amplitude == pytest.approx(amplitude, rel=0.1)
    assert found.noise == pytest.approx(noise, rel=0.05)


def test_noise_may_differ_a_little_from_what_was_expected() -> None:
    structure, other = _falling(12, seed=0), _falling(12, seed=1)
    real = Spectrum(other.frequency, other.power + 100.0, other.coefficients)
    assert match(real, structure, 85.0, fields=12).noise == pytest.approx(100.0, rel=0.05)


def test_the_true_shape_costs_least() -> None:
    other = _falling(12, seed=1)
    real = Spectrum(other.frequency, other.power + 20.0, other.coefficients)
    costs: list[float] = []
    for stretch in (0.8, 1.0, 1.25):
        structure = _falling(12, seed=0)
        power = np.stack(
            [np.interp(structure.frequency * stretch, structure.frequency, one)
             for one in structure.power]
        )  # fmt: skip
        changed = Spectrum(structure.frequency, power, structure.coefficients)
        costs.append(match(real, changed, 20.0, fields=12).cost)
    assert int(np.argmin(costs)) == 1


def test_factors_are_never_negative() -> None:
    # Far less noise than expected, and no structure at all.
    structure = _falling(12, seed=0)
    real = Spectrum(structure.frequency, np.full((3, BANDS), 0.1), structure.coefficients)
    found = match(real, structure, 1000.0, fields=3)
    assert found.amplitude > 0
    assert found.noise > 0
    assert np.isfinite(found.cost)
