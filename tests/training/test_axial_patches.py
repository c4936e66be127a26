"""Patches of planes, recorded along their rows."""

import numpy as np
import pytest

from simulation.fitting.photon_transfer import Transfer
from training.axial import AxialDegradation
from training.axial_patches import AxialPatches, Channel
from training.data import Array, Pair

FACTOR, SIDE = 2, 16
SILENT = Transfer(np.zeros(1), np.zeros(1), np.zeros(1), slope=0.0, dark_variance=0.0)


def patches(plane: Array, noise: Transfer = SILENT) -> AxialPatches:
    pair = Pair("a", plane, plane, lows=(10.0, 10.0), highs=(110.0, 110.0))
    degradation = AxialDegradation(1.5, FACTOR, noise)
    return AxialPatches([Channel([pair], degradation)], size_px=SIDE, batch_size=6, seed=0)


def test_inputs_are_targets_with_rows_blurred_and_sampled() -> None:
    """Of a ramp blur leaves the inside as it is, and coarse rows lie between two fine ones."""
    y, x = np.indices((48, 48), np.float32)
    batch = patches(3 * y + 5 * x).batch(0)
    assert batch.input.shape == (6, 1, SIDE // FACTOR, SIDE)
    assert batch.target.shape == (6, 1, SIDE, SIDE)
    between = (batch.target[:, :, 0::2] + batch.target[:, :, 1::2]) / 2
    # Patches at the plane's edge see its reflection within the reach of the blur.
    np.testing.assert_allclose(batch.input[:, :, 3:-3], between[:, :, 3:-3], atol=1e-3)


def test_both_images_have_the_scale_of_the_file() -> None:
    batch = patches(np.full((40, 40), 60, np.float32)).batch(0)
    np.testing.assert_allclose(batch.input, 0.5, atol=1e-5)
    np.testing.assert_allclose(batch.target, 0.5, atol=1e-5)


def test_any_direction_of_a_plane_may_become_the_axis() -> None:
    y, x = np.indices((40, 40), np.float32)
    slopes = [np.gradient(t[0].numpy()) for t in patches(y + 100 * x).batch(0).target]
    steeper = {bool(np.abs(rows).mean() > np.abs(columns).mean()) for rows, columns in slopes}
    assert steeper == {True, False}


@pytest.mark.parametrize("step", [0, 3])
def test_a_batch_follows_from_seed_and_step(step: int) -> None:
    plane = np.random.default_rng(0).random((40, 40), np.float32)
    noisy = Transfer(np.zeros(1), np.zeros(1), np.zeros(1), slope=1.0, dark_variance=1.0)
    first, again = (patches(plane, noisy).batch(step) for _ in range(2))
    np.testing.assert_array_equal(first.input, again.input)
