import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmark.metrics import METRICS
from benchmark.metrics.volumes import (
    fsc_axial,
    fsc_axial_to_truth,
    fsc_lateral_to_truth,
    si_psnr_axial,
    si_psnr_volume,
    ssim_axial,
)

RNG = np.random.default_rng(0)
TRUTH = ndimage.gaussian_filter(RNG.normal(size=(18, 60, 64)), (1.2, 2, 2))
NOISE = RNG.normal(0, 0.05, TRUTH.shape)
PIXEL_UM, STEP_UM = 0.1, 0.3
SIZES = PIXEL_UM, STEP_UM


def fitted(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    gain, offset = np.polyfit(prediction.ravel(), truth.ravel(), 1)
    return gain * prediction + offset


def test_one_fit_for_the_whole_volume() -> None:
    prediction = 3 * (TRUTH + NOISE) * np.linspace(0.5, 1.5, 18)[:, None, None] - 2
    expected = peak_signal_noise_ratio(TRUTH, fitted(TRUTH, prediction), data_range=np.ptp(TRUTH))
    assert si_psnr_volume(TRUTH, prediction) == pytest.approx(expected)


def test_planes_of_uneven_brightness_cost_the_volume_and_not_its_planes() -> None:
    uneven = TRUTH * np.linspace(0.5, 1.5, 18)[:, None, None]
    assert si_psnr_volume(TRUTH, uneven) < 40
    assert METRICS["si_psnr_a"](TRUTH[3], uneven[3]) > 200


def sections(volume: np.ndarray) -> list[np.ndarray]:
    """The 16 sections of each direction, interpolated in z to threefold."""
    places = [np.floor((np.arange(16) + 0.5) * n / 16).astype(int) for n in volume.shape[1:]]
    cut = [volume[:, y] for y in places[0]] + [volume[:, :, x] for x in places[1]]
    z = (np.arange(54) + 0.5) / 3 - 0.5
    rows = [
        np.stack([np.interp(z, np.arange(18), column) for column in one.T], axis=1) for one in cut
    ]
    return rows


def test_axial_scores_are_those_of_sections() -> None:
    prediction = TRUTH + NOISE
    pairs = [(g, fitted(g, p)) for g, p in zip(sections(TRUTH), sections(prediction), strict=True)]
    psnr = np.mean([peak_signal_noise_ratio(g, p, data_range=np.ptp(g)) for g, p in pairs])
    assert si_psnr_axial(TRUTH, prediction, *SIZES) == pytest.approx(psnr)
    ssim = np.mean(
        [
            structural_similarity(
                g, p, data_range=np.ptp(g), gaussian_weights=True, use_sample_covariance=False
            )
            for g, p in pairs
        ]
    )
    assert ssim_axial(TRUTH, prediction, *SIZES) == pytest.approx(ssim)


def test_a_blur_along_z_costs_axial_scores_more_than_one_across() -> None:
    along = ndimage.gaussian_filter1d(TRUTH, 1.5, 0)
    across = ndimage.gaussian_filter1d(TRUTH, 1.5, 1)
    assert si_psnr_axial(TRUTH, along, *SIZES) < si_psnr_axial(TRUTH, across, *SIZES)


def test_periods_are_in_micrometres_of_their_own_axis() -> None:
    noisy = TRUTH + 4 * NOISE
    for metric, unit in ((fsc_axial_to_truth, 3.0), (fsc_lateral_to_truth, 1.0)):
        period = metric(TRUTH, noisy, *SIZES)
        assert 2 * PIXEL_UM * unit <= period < 20 * PIXEL_UM * unit
        # The same volume in pixels ten times as large.
        assert metric(TRUTH, noisy, 10 * PIXEL_UM, 10 * STEP_UM) == pytest.approx(10 * period)


def test_more_light_resolves_finer_planes_of_repeats() -> None:
    periods: list[float] = []
    for noise in (0.6, 0.2, 0.1):
        one, other = (TRUTH + RNG.normal(0, noise, TRUTH.shape) for _ in range(2))
        periods.append(fsc_axial(one, other, *SIZES))
    assert periods == sorted(periods, reverse=True)
