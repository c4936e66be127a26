import numpy as np
import pytest

from training.simulation import structures
from training.simulation.structures import membranes


def test_same_state_gives_same_field() -> None:
    one = membranes(96, 0.08, np.random.default_rng(5))
    assert np.array_equal(one, membranes(96, 0.08, np.random.default_rng(5)))


def test_other_state_gives_other_field() -> None:
    one = membranes(96, 0.08, np.random.default_rng(5))
    assert not np.array_equal(one, membranes(96, 0.08, np.random.default_rng(6)))


@pytest.mark.parametrize("seed", range(6))
def test_field_is_float32_finite_not_negative_and_never_empty(seed: int) -> None:
    field = membranes(128, 0.08, np.random.default_rng(seed))
    assert field.shape == (128, 128)
    assert field.dtype == np.float32
    assert np.isfinite(field).all()
    assert field.min() >= 0
    assert np.percentile(field, 99) > 10 * np.percentile(field, 2) > 0


def test_most_of_a_field_is_dark() -> None:
    fields = [membranes(128, 0.08, np.random.default_rng(seed)) for seed in range(8)]
    assert np.median([np.mean(field < 0.1) for field in fields]) > 0.4


@pytest.mark.parametrize("pixel_size_um", [0.03, 0.08])
def test_a_tube_shows_two_bright_edges_and_a_dimmer_interior(pixel_size_um: float) -> None:
    # A straight tube of 1.6 µm along x, labelled evenly, imaged with the module's own renderer.
    size = round(8 / pixel_size_um)
    field = structures._Field(size, pixel_size_um, np.random.default_rng(0))  # pyright: ignore[reportPrivateUsage]
    along = np.arange(-1, 9, 0.1)
    axis = structures._Axis(  # pyright: ignore[reportPrivateUsage]
        np.stack([np.full_like(along, 4.0), along], 1), np.full_like(along, 0.8)
    )
    tube = structures._Structure([axis], 1.0, 0.4, 0.0, 0.0, 0.0)  # pyright: ignore[reportPrivateUsage]
    image = np.zeros((size, size))
    structures._add(tube, field, image)  # pyright: ignore[reportPrivateUsage]
    profile = image.mean(1)
    y_um = (np.arange(size) + 0.5) * pixel_size_um
    edges = [y_um[np.where(side, profile, 0).argmax()] for side in (y_um < 4, y_um > 4)]
    assert edges[1] - edges[0] == pytest.approx(1.6, abs=0.1)
    assert profile[np.abs(y_um - 4) < 0.1].mean() < 0.6 * profile.max()
    assert profile[np.abs(y_um - 4) > 1.3].max() < 0.02 * profile.max()
