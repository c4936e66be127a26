from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize
from skimage.metrics import structural_similarity

from benchmark.metrics import METRICS, NotApplicable, normalise
from benchmark.metrics.consistency import chi_square, data_consistency, error_map, rse, rsp, rssim
from benchmark.metrics.squirrel import resolution_scaled_fit
from imaging.deconvolution import NoiseModel, blur_and_sample
from tests.benchmark.metrics.acquisitions import Plane, blurred, curves, repeats

SCENE = blurred(curves(128), 1.0)
INPUT, _ = repeats(blurred(SCENE, 2), 100)
MICROSCOPE = {
    "blur_fwhm_um": 0.4,
    "gain_counts_per_photon": 12.0,
    "offset_counts": 300.0,
    "read_noise_counts": 15.0,
    "excess_noise_factor": 1.0,
}
PIXEL_UM = 0.08


def acquired(scene: Plane, photons: float, excess: float = 1.0, seed: int = 0) -> Plane:
    """Counts of the microscope's own pixels, four times coarser, with exactly its noise."""
    view = blur_and_sample(len(scene), 4, MICROSCOPE["blur_fwhm_um"] / PIXEL_UM)
    mean = view @ scene @ view.T
    mean = mean / mean.max() * photons + 3
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=mean.shape) * np.sqrt((excess - 1) * mean)
    counts = 12 * (rng.poisson(mean) + noise) + 300 + rng.normal(0, 15, mean.shape)
    return np.rint(counts)


def test_rse_is_the_root_mean_square_of_the_map():
    found = error_map(INPUT, SCENE)
    fit = resolution_scaled_fit(normalise(INPUT), SCENE)
    np.testing.assert_allclose(found, np.abs(fit.fitted - normalise(INPUT)))
    assert rse(INPUT, SCENE) == pytest.approx(np.sqrt(np.mean(found**2)))


def test_rse_does_not_depend_on_the_unit_of_the_input():
    assert rse(7 * INPUT + 100, SCENE) == pytest.approx(rse(INPUT, SCENE))


def test_a_missing_structure_shows_in_the_map_where_it_is():
    missing = SCENE.copy()
    missing[40:70, 40:70] = 0
    found = error_map(INPUT, missing)
    assert found[45:65, 45:65].mean() > 2 * np.delete(found, slice(30, 80), axis=0).mean()


def test_rssim_is_ssim_of_input_and_fit():
    fitted = resolution_scaled_fit(INPUT, SCENE).fitted
    expected = structural_similarity(
        INPUT,
        fitted,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=np.ptp(INPUT),
    )
    assert rssim(INPUT, SCENE) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["rse", "rsp", "rssim"])
def test_displaced_structure_scores_worse_and_worse(name: str):
    metric = METRICS[name]
    values = [metric(INPUT, np.roll(SCENE, shift, axis=0)) for shift in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=metric.direction == "higher")
    assert len(set(values)) == 4


def test_a_blur_without_detail_scores_perfectly():
    """The trap that the documentation names."""
    assert rsp(INPUT, INPUT) > 0.99
    assert rse(INPUT, blurred(SCENE, 1.9)) == pytest.approx(rse(INPUT, SCENE), rel=0.01)


@pytest.mark.parametrize("photons", [20, 200, 2000])
@pytest.mark.parametrize("excess", [1.0, 1.5])
def test_the_truth_is_consistent_with_its_data(photons: float, excess: float):
    known = MICROSCOPE | {"excess_noise_factor": excess}
    values = [
        data_consistency(acquired(SCENE, photons, excess, seed), SCENE, PIXEL_UM, known)
        for seed in range(8)
    ]
    # 8 x 1024 pixels scatter by √(2 / 8192) and, with few photons, somewhat more.
    assert np.mean(values) == pytest.approx(1, abs=0.06)


def test_consistency_does_not_depend_on_the_scale_of_a_restoration():
    native = acquired(SCENE, 200)
    expected = data_consistency(native, SCENE, PIXEL_UM, MICROSCOPE)
    found = data_consistency(native, 5 * SCENE - 3, PIXEL_UM, MICROSCOPE)
    assert found == pytest.approx(expected, rel=1e-6)


def test_averaged_scans_have_less_noise() -> None:
    scans = np.mean([acquired(SCENE, 50, seed=seed) for seed in range(4)], axis=0)
    known = MICROSCOPE | {"averaged_lines": 4}
    assert data_consistency(scans, SCENE, PIXEL_UM, known) == pytest.approx(1, abs=0.1)


def test_a_contradiction_exceeds_the_noise():
    native = acquired(SCENE, 2000)
    values = [
        data_consistency(native, restored, PIXEL_UM, MICROSCOPE)
        for restored in (SCENE, np.roll(SCENE, 1, axis=0), np.roll(SCENE, 3, axis=0))
    ]
    assert values == sorted(values)
    assert values[-1] > 5


def test_a_view_that_follows_the_noise_is_below_one():
    photons = np.random.default_rng(0).poisson(np.full((32, 32), 50.0)).astype(float)
    assert chi_square(photons, photons, NoiseModel(0.0, 1.0, 0.0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("noise", [0.5, 5.0, 15.0])
@pytest.mark.parametrize("read_variance", [1e-2, 1.0])
def test_the_fit_is_the_best_wherever_a_restoration_is_dark(noise: float, read_variance: float):
    rng = np.random.default_rng(0)
    scene = rng.gamma(0.3, 20, (32, 32))
    photons, view = rng.poisson(scene).astype(float), scene + noise * rng.normal(size=scene.shape)

    shape = (view - view.mean()) / view.std()

    def fitted(line: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mean = np.maximum(line[0] + line[1] * shape, 0) * photons.mean()
        return mean, mean + read_variance

    def loss(line: Sequence[float]) -> float:
        variance = fitted(line)[1]
        return float(np.mean(variance - (photons + read_variance) * np.log(variance)))

    grid = ((0, 4), (0, 4))
    best = np.ravel(np.asarray(optimize.brute(loss, grid, Ns=200, finish=optimize.fmin)))
    mean, variance = fitted(best.tolist())
    expected = float(np.mean((mean - photons) ** 2 / variance))
    found = chi_square(photons, view, NoiseModel(0.0, 1.0, read_variance))
    assert found == pytest.approx(expected, rel=0.03)


def test_an_image_without_photons_is_not_applicable():
    with pytest.raises(NotApplicable, match="no photons"):
        chi_square(np.zeros((8, 8)), np.eye(8), NoiseModel(0.0, 1.0, 1.0))


@pytest.mark.parametrize("name", sorted(MICROSCOPE))
def test_an_unknown_parameter_is_named(name: str):
    known = {key: value for key, value in MICROSCOPE.items() if key != name}
    with pytest.raises(NotApplicable, match=name):
        data_consistency(acquired(SCENE, 200), SCENE, PIXEL_UM, known)


def test_pixels_that_do_not_divide_are_not_applicable():
    with pytest.raises(NotApplicable, match="30 x 32 pixels do not divide the 128 x 128"):
        data_consistency(acquired(SCENE, 200)[:30], SCENE, PIXEL_UM, MICROSCOPE)


def test_a_constant_restoration_is_not_applicable():
    with pytest.raises(NotApplicable, match="prediction is constant"):
        data_consistency(acquired(SCENE, 200), np.ones_like(SCENE), PIXEL_UM, MICROSCOPE)
