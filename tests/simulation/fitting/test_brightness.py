"""Planted photons are found although noise lifts bright pixels and lowers dark ones."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from simulation.fitting.brightness import decay, expose, measure_light, share_covered
from simulation.fitting.noise import DetectorFit
from simulation.formation import BRIGHT_PERCENTILE

Floats = NDArray[np.float64]

DETECTOR = DetectorFit(30.0, 200.0, 5.0, 1.35, 1.0, True)
SATURATION = 65535.0


def _images(seed: int, fields: int = 6, side: int = 80) -> Floats:
    """Blobs on an empty background, 1 at the bright level."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((fields, side, side)), (0, 2, 2))
    blobs = np.clip(smooth / smooth.std() - 0.5, 0, None)
    return blobs / np.percentile(blobs, BRIGHT_PERCENTILE, axis=(1, 2), keepdims=True)


def test_exposed_images_have_the_mean_and_variance_of_theory() -> None:
    counts = expose(np.ones((4, 300, 300)), 20.0, 3.0, DETECTOR, SATURATION, (0, 0))
    mean, variance = 200 + 30 * 23, 30**2 * 1.35 * 23 + 25 + 1 / 12
    pixels = counts.size
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / pixels))
    # Of nearly normal numbers; 4 standard errors.
    assert counts.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / pixels))


def test_exposure_follows_from_its_seed() -> None:
    images = _images(0, 2)
    first, again, other = (
        expose(images, 20.0, 1.0, DETECTOR, SATURATION, seed) for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_exposure_clips_where_the_converter_does() -> None:
    counts = expose(np.ones((1, 64, 64)), 100.0, 1.0, DETECTOR, 1023.0, (0, 0))
    assert counts.max() == 1023


def test_fields_may_have_light_of_their_own() -> None:
    photons = np.array([5.0, 50.0])[:, None, None]
    counts = expose(np.ones((2, 200, 200)), photons, 0.0, DETECTOR, SATURATION, (0, 0))
    np.testing.assert_allclose(counts.mean((1, 2)), 200 + 30 * photons[:, 0, 0], rtol=0.02)


@pytest.mark.parametrize(("photons", "background"), [(4.0, 0.5), (30.0, 1.0), (150.0, 10.0)])
def test_planted_light_is_found(photons: float, background: float) -> None:
    planes = list(expose(_images(1), photons, background, DETECTOR, SATURATION, (5, 5)))
    light = measure_light(planes, _images(2), DETECTOR, SATURATION, seed=0)
    assert np.median(light.bright) == pytest.approx(photons, rel=0.15)
    assert np.median(light.background) == pytest.approx(background, rel=0.15)


def test_each_plane_has_its_own_light() -> None:
    photons = np.geomspace(20, 80, 6)[:, None, None]
    planes = list(expose(_images(3), photons, 1.0, DETECTOR, SATURATION, (5, 5)))
    light = measure_light(planes, _images(4), DETECTOR, SATURATION, seed=0)
    np.testing.assert_allclose(light.bright, photons.ravel(), rtol=0.15)


def test_error_is_the_scatter_of_planes_alike() -> None:
    planes = list(expose(_images(5, 12), 20.0, 1.0, DETECTOR, SATURATION, (5, 5)))
    light = measure_light(planes, _images(6, 12), DETECTOR, SATURATION, seed=0)
    assert 0.4 < np.log(light.bright).std() / light.bright_error < 2.5


def test_saturated_planes_do_not_give_less_than_they_show() -> None:
    planes = list(expose(_images(7), 200.0, 1.0, DETECTOR, 4095.0, (5, 5)))
    light = measure_light(planes, _images(8), DETECTOR, 4095.0, seed=0)
    assert (light.bright >= 0.9 * (4095 - 200) / 30).all()


def test_decay_of_an_exponential() -> None:
    levels = 100.0 + 50 * np.exp(-0.1 * np.arange(12))
    found = decay(np.ones((12, 8, 8)) * levels[:, None, None], 100.0)
    assert found is not None
    assert found.best == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)


def test_growing_light_decays_negatively() -> None:
    levels = 100.0 + np.exp(0.05 * np.arange(6))
    found = decay(np.ones((6, 8, 8)) * levels[:, None, None], 100.0)
    assert found is not None
    assert found.best == pytest.approx(-0.05)


def test_interval_of_a_decay_holds_the_truth_in_about_nine_of_ten() -> None:
    rng = np.random.default_rng(0)
    holds: list[bool] = []
    for _ in range(100):
        light = np.exp(-0.02 * np.arange(20) + 0.05 * rng.standard_normal(20))
        found = decay(light[:, None, None] * np.ones((1, 4, 4)), 0.0)
        assert found is not None
        assert found.low <= found.best <= found.high
        holds.append(found.low <= 0.02 <= found.high)
    assert 0.8 <= np.mean(holds) <= 0.98


def test_one_bright_plane_does_not_change_the_decay() -> None:
    levels = np.exp(-0.1 * np.arange(20))
    levels[7] *= 5
    found = decay(np.ones((20, 8, 8)) * levels[:, None, None], 0.0)
    assert found is not None
    assert found.best == pytest.approx(0.1, rel=0.02)


def test_few_planes_or_no_light_have_no_decay() -> None:
    assert decay(np.full((4, 8, 8), 300.0), 100.0) is None
    assert decay(np.full((9, 8, 8), 100.0), 100.0) is None


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("photons", [3.0, 60.0])
def test_planted_share_of_a_field_is_found(share: float, photons: float) -> None:
    """Structure of one brightness, in noise that is larger than it."""
    fields = np.zeros((1, 400, 400))
    fields[:, :, : round(400 * share)] = 1.0
    counts = expose(fields, photons, 2.0, DETECTOR, SATURATION, (7, 7))[0]
    assert share_covered(counts, 2.0, DETECTOR) == pytest.approx(share, rel=0.05)


def test_a_field_darker_than_its_background_holds_no_structure() -> None:
    assert share_covered(np.full((8, 8), 210.0), 2.0, DETECTOR) == 0
