"""Planted detectors are found; the model of the darkest counts is what the simulator draws."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.ndimage import gaussian_filter

from simulation import detector as steps
from simulation.fitting import noise
from simulation.fitting.noise import DetectorFit, dark_pixels, fit_detector
from simulation.fitting.photon_transfer import (
    ROUNDING_VARIANCE,
    Transfer,
    transfer_of_images,
    transfer_of_repeats,
)

Floats = NDArray[np.float64]

GAIN, OFFSET, READ, EXCESS = 30.0, 200.0, 5.0, 1.35
SLOPE = GAIN * EXCESS


def _record(
    photons: Floats, seed: int, gain: float = GAIN, offset: float = OFFSET, read: float = READ
) -> Floats:
    generator = torch.Generator().manual_seed(seed)
    detected = steps.detect(torch.from_numpy(photons), generator)
    signal = steps.multiply(detected, EXCESS, generator)
    counts = steps.read_out(signal, gain, offset, read, generator)
    return steps.digitise(counts, 65535.0).numpy()


def _ramp(side: int, most: float) -> Floats:
    """No structure: brightness rises evenly along x."""
    return np.tile(np.linspace(0.5, most, side), (side, 1))


def _texture(seed: int, side: int = 192) -> Floats:
    """Blurred blobs of up to some 40 photons on a background of one."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((side, side)), 3)
    return 1 + 15 * np.clip(field / field.std(), 0, None)


def _transfer(slope: float, variance: float, mean: float) -> Transfer:
    return Transfer(np.array([mean]), np.array([variance]), np.ones(1), slope, variance)


def test_slope_of_even_light() -> None:
    planes = [_record(_ramp(192, 40.0), seed) for seed in range(3)]
    assert transfer_of_images(planes).slope == pytest.approx(SLOPE, rel=0.05)


def test_dark_variance_is_the_line_at_its_least_mean() -> None:
    transfer = transfer_of_images([_record(_ramp(192, 40.0), seed) for seed in range(3)])
    expected = SLOPE * (transfer.mean.min() - OFFSET) + READ**2 + ROUNDING_VARIANCE
    assert transfer.dark_variance == pytest.approx(expected, rel=0.1)


def test_structure_does_not_bias_the_slope() -> None:
    transfer = transfer_of_images([_record(_texture(seed), seed) for seed in range(3)])
    assert transfer.slope == pytest.approx(SLOPE, rel=0.07)


def test_slope_of_repeats_of_a_texture() -> None:
    texture = _texture(1)
    run = np.stack([_record(texture, seed) for seed in range(4)])
    assert transfer_of_repeats([run]).slope == pytest.approx(SLOPE, rel=0.03)


def test_motion_between_repeats_does_not_bias_the_slope() -> None:
    texture = _texture(2, side=256)
    run = np.stack([_record(np.roll(texture, shift, 1), shift) for shift in (0, 1)])
    assert transfer_of_repeats([run]).slope == pytest.approx(SLOPE, rel=0.05)


def test_bleaching_between_repeats_does_not_bias_the_slope() -> None:
    texture = _texture(3, side=256)
    run = np.stack([_record(texture * light, seed) for seed, light in enumerate((1.0, 0.9))])
    assert transfer_of_repeats([run]).slope == pytest.approx(SLOPE, rel=0.05)


def test_repeats_of_several_fields_are_not_compared_with_each_other() -> None:
    runs = [np.stack([_texture(field, 64)] * 2) for field in (4, 5)]
    np.testing.assert_allclose(transfer_of_repeats(runs).variance, 0, atol=1e-20)


def test_images_without_noise_keep_a_slope_above_zero() -> None:
    transfer = transfer_of_repeats([np.stack([_texture(6, 64)] * 2)])
    assert transfer.slope > 0
    assert transfer.dark_variance == ROUNDING_VARIANCE


@pytest.mark.parametrize(
    ("gain", "offset", "read"), [(30.0, 200.0, 5.0), (80.0, 450.0, 12.0), (20.0, 100.0, 2.0)]
)
def test_planted_detector_is_found_in_a_texture(gain: float, offset: float, read: float) -> None:
    planes = [_record(_texture(seed), seed, gain, offset, read) for seed in range(3)]
    found = fit_detector(planes, transfer_of_images(planes), from_repeats=False, excess=EXCESS)
    assert found.gain_counts_per_photon == pytest.approx(gain, rel=0.08)
    assert found.offset_counts == pytest.approx(offset, abs=max(1.0, 0.05 * gain))
    assert found.read_noise_counts == pytest.approx(read, rel=0.2)
    assert found.offset_is_seen


def test_planted_detector_is_found_without_structure() -> None:
    planes = [_record(_ramp(192, 30.0), seed) for seed in range(3)]
    found = fit_detector(planes, transfer_of_images(planes), from_repeats=False, excess=EXCESS)
    assert found.gain_counts_per_photon == pytest.approx(GAIN, rel=0.08)
    assert found.offset_counts == pytest.approx(OFFSET, abs=2.0)


def test_repeats_give_gain_times_excess_noise() -> None:
    run = np.stack([_record(_texture(7), seed) for seed in range(3)])
    found = fit_detector(list(run), transfer_of_repeats([run]), from_repeats=True)
    product = found.gain_counts_per_photon * found.excess_noise_factor
    assert product == pytest.approx(SLOPE, rel=0.04)
    assert found.offset_counts == pytest.approx(OFFSET, abs=1.5)


def test_a_search_from_near_ends_where_the_long_one_does() -> None:
    planes = [_record(_texture(seed), seed) for seed in range(3)]
    transfer = transfer_of_images(planes)
    found = fit_detector(planes, transfer, from_repeats=False, excess=EXCESS)
    near = replace(found, offset_counts=found.offset_counts + 3, read_noise_counts=2 * READ)
    again = fit_detector(planes, transfer, from_repeats=False, excess=EXCESS, near=near)
    assert again.gain_counts_per_photon == pytest.approx(found.gain_counts_per_photon, rel=0.01)
    assert again.offset_counts == pytest.approx(found.offset_counts, abs=0.2)


def test_background_photons_are_those_of_the_darkest_parts() -> None:
    planes = [_record(_texture(seed), seed) for seed in range(3)]
    found = fit_detector(planes, transfer_of_images(planes), from_repeats=False, excess=EXCESS)
    assert found.background_photons == pytest.approx(1.0, rel=0.15)


def test_offset_of_uneven_darkness_is_not_seen() -> None:
    # A hundred times more light in some of the darkest pixels than in others.
    rng = np.random.default_rng(8)
    planes = [_record(rng.lognormal(3.0, 1.0, (128, 128)), 8)]
    found = fit_detector(planes, _transfer(SLOPE, 100.0, OFFSET), from_repeats=False)
    assert not found.offset_is_seen


def test_variance_of_a_detector() -> None:
    detector = DetectorFit(30.0, 200.0, 5.0, 1.35, 1.0, True)
    assert detector.variance(300.0) == pytest.approx(40.5 * 100 + 25 + 1 / 12)
    assert detector.variance(100.0) == pytest.approx(25 + 1 / 12)


@pytest.mark.parametrize(("photons", "excess"), [(0.3, 1.35), (2.0, 1.2), (5.0, 1.5)])
def test_model_of_dark_counts_is_what_the_simulator_draws(photons: float, excess: float) -> None:
    generator = torch.Generator().manual_seed(0)
    detected = steps.detect(torch.full((400_000,), photons, dtype=torch.float64), generator)
    signal = steps.multiply(detected, excess, generator)
    drawn = steps.read_out(signal, GAIN, OFFSET, READ, generator).round().numpy().astype(int)
    model = noise._Dark(OFFSET, READ, GAIN, excess, photons, 0.0)  # pyright: ignore[reportPrivateUsage]
    first, size = 100, 2048
    expected = model.probabilities(first, size) * len(drawn)
    observed = np.bincount(drawn - first, minlength=size)
    # Rare counts together, so that chi-squared holds.
    often = expected > 50
    observed = np.r_[observed[often], observed[~often].sum()]
    expected = np.r_[expected[often], expected[~often].sum()]
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


def test_model_of_uneven_light_is_negative_binomial() -> None:
    # Electrons follow each photon exactly and the read noise is small: photon numbers are seen.
    spread, photons, gain = 0.8, 2.0, 40.0
    model = noise._Dark(100.0, 2.0, gain, 1.0, photons, spread)  # pyright: ignore[reportPrivateUsage]
    probabilities = model.probabilities(80.0, 4096)
    found = [probabilities[20 + int(gain) * k + np.arange(-15, 16)].sum() for k in range(4)]
    success = 1 / (1 + spread)
    expected = stats.nbinom.pmf(np.arange(4), photons / spread, success)
    np.testing.assert_allclose(found, expected, rtol=0.01)


def test_dark_pixels_are_chosen_by_their_surroundings() -> None:
    # Half of the plane is dark: the choice does not prefer its darker pixels.
    rng = np.random.default_rng(9)
    plane = rng.normal(100.0, 10.0, (128, 128))
    plane[:, 64:] += 500
    chosen = dark_pixels([plane])
    assert len(chosen) == pytest.approx(0.1 * plane.size, rel=0.01)
    assert chosen.mean() == pytest.approx(100.0, abs=4 * 10 / np.sqrt(len(chosen)))
    assert chosen.std() == pytest.approx(10.0, rel=0.05)


def test_dark_pixels_of_planes_of_different_size() -> None:
    dark, bright = np.full((60, 50), 10.0), np.full((90, 80), 99.0)
    assert set(dark_pixels([bright, dark])) == {10.0}
