"""Which restored structures are believed, on images whose false ones were planted."""

import numpy as np
import pytest

from imaging.structures import find_structures, paint
from imaging.trust_mask import TrustMask
from training.data import Array
from training.restored import Restored
from training.trust_fit import FEWEST_IMAGES, fit_trust

SIDE = 96
GRID = range(8, SIDE, 16)


def spots(brightness: Array) -> Array:
    y, x = np.ogrid[:SIDE, :SIDE]
    return sum(
        (
            one * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
            for one, (row, column) in zip(
                brightness, ((r, c) for r in GRID for c in GRID), strict=True
            )
        ),
        np.zeros((SIDE, SIDE)),
    ).astype(np.float32)


def images(count: int, seed: int) -> list[Restored]:
    """Of 36 spots each, 12 dim ones are invented."""
    rng = np.random.default_rng(seed)
    found: list[Restored] = []
    for _ in range(count):
        false = rng.permutation(36) < 12
        restored = np.where(false, rng.uniform(0.1, 0.3, 36), rng.uniform(0.4, 1.0, 36))
        truth = spots(np.where(false, 0, restored))
        found.append(Restored(spots(restored)[None], truth))
    return found


def fitted(calibration: list[Restored]) -> TrustMask | None:
    return fit_trust(calibration, images(5, seed=1), data="spots", data_sha256="1" * 64)


def test_planted_false_structures_stay_outside_and_real_ones_inside() -> None:
    found = fitted(images(20, seed=0))
    assert found is not None
    assert found.false["0.9"] <= 0.1
    assert found.found["0.9"] == 1.0
    (unseen,) = images(1, seed=2)
    mask = paint(unseen.mean, found.levels)
    middles = np.array([mask[row, column] for row in GRID for column in GRID])
    real = np.array([unseen.truth[row, column] > 0.2 for row in GRID for column in GRID])
    assert middles[real].all()
    assert middles[~real].sum() <= 4  # of 28 structures


def test_a_truth_with_nothing_in_it_is_believed_nowhere() -> None:
    empty = [Restored(one.channels, np.zeros_like(one.truth)) for one in images(20, seed=0)]
    found = fit_trust(empty, images(2, seed=1), data="none", data_sha256="1" * 64)
    assert found is not None
    # Of 20 images, one may be wholly false: 0.1 (20 + 1) − 1 is more than 1, and less than 2.
    highest = sorted(find_structures(one.mean).heights[0] for one in empty)
    assert found.heights["0.9"] == highest[-2]


@pytest.mark.parametrize(
    ("count", "promised"), [(8, None), (9, ["0.9"]), (18, ["0.9"]), (19, ["0.9", "0.95"])]
)
def test_few_images_promise_less_or_nothing(count: int, promised: list[str] | None) -> None:
    perfect = [Restored(one.truth[None], one.truth) for one in images(count, seed=0)]
    found = fitted(perfect)
    assert (None if found is None else list(found.heights)) == promised
    assert FEWEST_IMAGES == 9
