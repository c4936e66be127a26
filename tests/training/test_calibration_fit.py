import numpy as np
import pytest
import torch
from torch import nn

from benchmark.metrics import METRICS
from packages.posterior import Calibration
from training import calibration_fit
from training.calibration_fit import (
    Errors,
    calibrate,
    errors_of,
    interval_factors,
    pool,
    scores,
)
from training.data import Pair
from training.restored import restore

LEVELS = {"0.5": "50", "0.9": "90", "0.95": "95"}


def images(count: int) -> list[Errors]:
    """Gaussian errors of images that differ in size, and in how wrong their std is."""
    found: list[Errors] = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        std = rng.gamma(4, 0.02, 2000 + 700 * seed)
        found.append(Errors(std, (0.5 + 0.3 * seed) * std * rng.normal(size=std.shape)))
    return found


@pytest.mark.parametrize("own", [False, True])
def test_scores_are_what_the_benchmark_measures_on_these_images(own: bool) -> None:
    factors = interval_factors(pool(images(3))) if own else None
    planes = [
        {
            "truth": -image.error[None],
            "mean": np.zeros((1, image.error.size)),
            "std": image.std[None],
            "interval_factors": factors,
        }
        for image in images(5)
    ]
    names = {"nll": "nll", "ence": "ence", "mean_z2": "mean_z_squared"} | {
        f"coverage_{level}": f"own_coverage_{share}" if own else f"coverage_{share}"
        for level, share in LEVELS.items()
    }
    expected = {
        entry: np.mean([METRICS[name].of(plane) for plane in planes])
        for entry, name in names.items()
    }
    assert scores(images(5), factors) == pytest.approx(expected, rel=1e-12)


def test_images_that_are_wrong_in_opposite_ways_do_not_cancel() -> None:
    one = images(1)[0]
    error = one.std * np.random.default_rng(1).normal(size=one.std.shape)
    sure, unsure = Errors(one.std / 2, error), Errors(2 * one.std, error)
    assert scores([sure, unsure])["ence"] == pytest.approx(0.75, abs=0.1)


def test_intervals_are_those_of_all_pixels_together() -> None:
    few = images(3)
    ratios = np.concatenate([np.abs(image.error) / image.std for image in few])
    expected = {level: np.quantile(ratios, float(level)) for level in LEVELS}
    assert interval_factors(pool(few)) == pytest.approx(expected, rel=1e-12)


class Overconfident(nn.Module):
    """Restores nothing and states half of the noise."""

    divisor = 4
    factor = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.calibration = Calibration()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        std = torch.full_like(image, 0.1)
        return torch.cat([image, self.calibration(std), image], dim=1)


def pairs(first: int) -> list[Pair]:
    found: list[Pair] = []
    for seed in range(first, first + 4):
        rng = np.random.default_rng(seed)
        truth = rng.random((63, 70))
        noisy = truth + 0.2 * rng.standard_normal(truth.shape)
        low, high = np.percentile(noisy, [2, 99.8])
        image, target = noisy.astype(np.float32), ((truth - low) / (high - low)).astype(np.float32)
        found.append(Pair(str(seed), image, target, (0.0, 0.0), (1.0, 1.0)))
    return found


def test_a_network_is_calibrated_in_place_and_measured_on_other_images() -> None:
    network = Overconfident()
    seen, unseen = restore(network, pairs(0)), restore(network, pairs(10)[:3])
    found = calibrate(network, seen, unseen)
    assert found["before"]["mean_z2"] > 1.2
    assert found["after"]["mean_z2"] == pytest.approx(1, abs=0.05)
    assert found["after"]["coverage_0.9"] == pytest.approx(0.9, abs=0.02)
    assert found["images"] == {"calibration": 4, "validation": 3}
    calibrated = restore(network, pairs(10)[:3])
    assert scores([errors_of(image) for image in calibrated])["mean_z2"] == pytest.approx(
        found["after"]["mean_z2"], rel=1e-5
    )


def test_the_published_fit_is_measured_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_fit, "fit_line", lambda *_: (2.0, 0.0))
    network = Overconfident()
    found = calibrate(network, restore(network, pairs(0)), restore(network, pairs(10)[:3]))
    assert found["linear"]["mean_z2"] == pytest.approx(found["before"]["mean_z2"] / 4)
