import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import skew
from sklearn.metrics import roc_auc_score

from imaging.cli import UserError
from simulation.fitting.classifier import MAX_PATCHES, Separability, describe, separability

Counts = NDArray[np.float64]


def _images(
    seed: int,
    *,
    sigma_px: float = 1.5,
    gain: float = 40.0,
    offset: float = 400.0,
    count: int = 8,
    side: int = 128,
) -> list[Counts]:
    """Random threads, blurred, with Poisson and read noise, in counts."""
    rng = np.random.default_rng(seed)
    images: list[Counts] = []
    for _ in range(count):
        threads = np.abs(gaussian_filter(rng.standard_normal((side, side)), 6)) < 0.008
        photons = 1 + 25 * gaussian_filter(threads.astype(float), sigma_px)
        read_out = gain * rng.poisson(photons) + rng.normal(offset, 8, photons.shape)
        images.append(read_out.round())
    return images


def test_two_draws_of_the_same_are_not_told_apart() -> None:
    same = separability(_images(0), _images(1))
    assert abs(same.auc - 0.5) < 0.1
    assert same.interval[0] < 0.5 < same.interval[1]


@pytest.mark.parametrize(
    "wrong_images",
    [_images(1, sigma_px=3.0), _images(1, gain=52.0), _images(1, offset=420.0)],
    ids=["PSF twice as wide", "gain 30 % too high", "offset 20 counts too high"],
)
def test_a_wrong_microscope_is_found(wrong_images: list[Counts]) -> None:
    wrong = separability(_images(0), wrong_images)
    assert wrong.auc > 0.7
    assert wrong.interval[0] > 0.5


@pytest.fixture(scope="module")
def judged() -> Separability:
    return separability(
        _images(0, count=1, side=192), _images(1, count=1, side=160, sigma_px=2.2), patch_px=16
    )


def test_every_patch_is_scored_once(judged: Separability) -> None:
    places = {(p.image, p.plane, p.y, p.x) for p in judged.simulated}
    assert places == {(0, 0, y, x) for y in range(0, 160, 16) for x in range(0, 160, 16)}
    assert len(judged.simulated) == len(places)


def test_easiest_patches_come_first(judged: Separability) -> None:
    real = [patch.score for patch in judged.real]
    simulated = [patch.score for patch in judged.simulated]
    assert real == sorted(real, reverse=True)
    assert simulated == sorted(simulated)


def test_the_area_is_that_of_the_scores(judged: Separability) -> None:
    real, simulated = judged.real, judged.simulated
    labels = [1] * len(real) + [0] * len(simulated)
    # over all folds together; ours compares within folds, which differs a little
    expected = roc_auc_score(labels, [patch.score for patch in (*real, *simulated)])
    assert judged.auc == pytest.approx(expected, abs=0.03)
    assert judged.interval[0] < judged.auc < judged.interval[1]


def test_stacks_are_cut_through_all_planes() -> None:
    stack = np.stack(_images(0, count=3, side=64))
    found = separability([stack], _images(1, count=2, side=64), patch_px=16)
    assert {patch.plane for patch in found.real} == {0, 1, 2}
    assert {patch.image for patch in found.real} == {0}


def test_many_patches_are_drawn_from() -> None:
    found = separability(_images(0, count=2, side=208), _images(1, count=1, side=64), patch_px=16)
    assert len(found.real) == MAX_PATCHES
    assert len(found.simulated) == 16


def test_the_same_counts_give_the_same_whatever_their_type() -> None:
    real, simulated = _images(0, count=1, side=64), _images(1, count=1, side=64)
    whole = [image.astype(np.uint16) for image in real]
    found = separability(whole, simulated, patch_px=16)
    assert found == separability(real, simulated, patch_px=16)


@pytest.mark.parametrize("real", [[], [np.zeros((20, 200))], [np.zeros((40, 40))]])
def test_too_few_patches_are_refused(real: list[Counts]) -> None:
    with pytest.raises(UserError, match="real images hold fewer than two separate patches"):
        separability(real, _images(1, count=1))


def test_patches_are_described_by_their_statistics() -> None:
    patches = np.random.default_rng(0).gamma(2.0, size=(5, 24, 24))
    flat = patches.reshape(5, -1)
    features = describe(patches)
    np.testing.assert_allclose(features[:, 3], np.median(flat, axis=1))
    np.testing.assert_allclose(features[:, 7], flat.mean(axis=1))
    np.testing.assert_allclose(features[:, 9], skew(flat, axis=1))


def test_the_photon_transfer_slope_is_the_gain() -> None:
    ramp = np.broadcast_to(np.linspace(5, 50, 64), (200, 64, 64))
    photons = np.random.default_rng(0).poisson(ramp).astype(np.float64)
    point = np.zeros((33, 33))
    point[16, 16] = 1
    passed = ((point - gaussian_filter(point, 1.5)) ** 2).sum()  # variance of white noise left
    assert describe(10 * photons)[:, 11].mean() == pytest.approx(10 * passed, rel=0.03)


def test_turning_a_patch_turns_what_has_a_direction() -> None:
    patches: Counts = gaussian_filter(
        np.random.default_rng(0).standard_normal((4, 32, 32)), (0, 1, 2)
    )
    upright, turned = describe(patches), describe(np.swapaxes(patches, 1, 2))
    np.testing.assert_allclose(turned[:, -4:], -upright[:, -4:], atol=1e-9)  # power, y over x
    np.testing.assert_allclose(turned[:, [13, 12]], upright[:, [12, 13]], atol=1e-9)  # lag 1
    np.testing.assert_allclose(turned[:, 16:24], upright[:, 16:24], atol=1e-9)  # radial bands


def test_flat_patches_can_be_described() -> None:
    assert np.isfinite(describe(np.full((2, 32, 32), 400.0))).all()
