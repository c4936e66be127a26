import numpy as np
import pytest
import torch
from torch.nn import functional as F

from imaging.cli import UserError
from imaging.normalise import normalise
from simulation import formation
from simulation.microscope import Microscope, stack
from simulation.structures import STRUCTURES, Grid
from training.data import Pair
from training.degrade import FreshPatches, sampling_of

PIXEL_UM = 0.08


def _pair(kind: str = "cells", side: int = 256, seed: int = 0, factor: int = 1) -> Pair:
    grid = Grid((side, side), PIXEL_UM)
    target = normalise(STRUCTURES[kind](grid, np.random.default_rng(seed)).image)
    nothing = np.zeros((side // factor, side // factor), np.float32)
    return Pair(kind, nothing, target, (0.0, 0.0), (1.0, 1.0))


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [_pair(side=128, seed=seed) for seed in range(2)]


def _fresh(
    pairs: list[Pair], microscope: Microscope, device: str = "cpu", **changes: int
) -> FreshPatches:
    asked = {"size_px": 64, "batch_size": 4, "seed": 0} | changes
    return FreshPatches(
        pairs, microscope, pixel_size_um=PIXEL_UM, device=torch.device(device), **asked
    )


def test_a_batch_is_a_function_of_seed_and_step(pairs: list[Pair]) -> None:
    one, again = _fresh(pairs, Microscope()), _fresh(pairs, Microscope())
    other = _fresh(pairs, Microscope(), seed=1)
    again.batch(2)
    assert torch.equal(one.batch(5).input, again.batch(5).input)
    assert torch.equal(one.batch(5).target, again.batch(5).target)
    assert not torch.equal(one.batch(5).input, one.batch(6).input)
    assert not torch.equal(one.batch(5).input, other.batch(5).input)


def test_every_tensor_is_made_on_the_device_asked_for(pairs: list[Pair]) -> None:
    """Whatever forgot its device would be on one that holds no data, and could not be used."""
    expected = _fresh(pairs, Microscope()).batch(3)
    with torch.device("meta"):
        asked = _fresh(pairs, Microscope(), device="cpu").batch(3)
    assert torch.equal(asked.input, expected.input)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_records_the_same_targets(pairs: list[Pair]) -> None:
    batch = _fresh(pairs, Microscope(), device="cuda").batch(3)
    expected = _fresh(pairs, Microscope()).batch(3)
    assert torch.equal(batch.target, expected.target)
    assert np.corrcoef(batch.input.flatten(), expected.input.flatten())[0, 1] > 0.5


def test_drawing_ahead_changes_nothing(pairs: list[Pair]) -> None:
    patches = _fresh(pairs, Microscope())
    stream = patches.batches(7)
    for step in (7, 8):
        assert torch.equal(next(stream).input, patches.batch(step).input)


@pytest.mark.parametrize(("sampling", "factor"), [(1, 1), (3, 1), (4, 1), (4, 2), (2, 2)])
def test_input_shows_its_target_in_place(sampling: int, factor: int) -> None:
    """With light in plenty, the target blurred like the input is the input."""
    quiet = Microscope(
        photons=(1e6, 1e6),
        background_photons=(1.0, 1.0),
        excess_noise_factor=(1.0, 1.0),
        saturation_counts=1e12,
        background_variation=(0.0, 0.0),
        vignetting=(0.0, 0.0),
        line_jitter_um=(0.0, 0.0),
        breathing_um=(0.0, 0.0),
        drift_um=(0.0, 0.0),
        labels_per_um2=(1e9, 1e9),
        sampling=sampling,
    )
    batch = _fresh([_pair(side=132, factor=factor)], quiet, size_px=72, batch_size=6).batch(0)
    kernel = formation.kernel(PIXEL_UM, stack([quiet.typical()], batch.input), 20)[:, None]
    blurred = F.avg_pool2d(F.conv2d(batch.target, kernel), factor)
    inner = batch.input[..., 20 // factor : -20 // factor, 20 // factor : -20 // factor]

    def likeness(moved: torch.Tensor) -> float:
        cut = (..., slice(4, -4), slice(4, -4))
        return float(np.corrcoef(moved[cut].flatten(), blurred[cut].flatten())[0, 1])

    in_place = likeness(inner)
    assert in_place > 0.97
    for shift in (-1, 1):
        for axis in (2, 3):
            assert likeness(inner.roll(shift, axis)) < in_place


def test_every_patch_has_its_own_acquisition(pairs: list[Pair]) -> None:
    dim_or_bright = Microscope(photons=(2.0, 2000.0))
    batch = _fresh(pairs, dim_or_bright, batch_size=12).batch(0)
    grain = (batch.input[..., 8:] - batch.input[..., :-8]).std(dim=(1, 2, 3))
    assert grain.max() > 1.5 * grain.min()


def test_images_whose_sides_are_no_whole_number_of_native_pixels() -> None:
    batch = _fresh([_pair(side=131)], Microscope(), size_px=63).batch(0)
    assert batch.input.shape == (4, 1, 63, 63)
    assert bool(batch.input.isfinite().all())


def test_a_patch_may_be_as_large_as_its_image() -> None:
    batch = _fresh([_pair(side=64)], Microscope()).batch(0)
    assert batch.input.shape == (4, 1, 64, 64)


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(UserError, match="smaller than a training patch"):
        _fresh([_pair(side=60)], Microscope())


def test_sampling_follows_from_the_pixels() -> None:
    assert sampling_of(Microscope(), PIXEL_UM) == 4
    assert sampling_of(Microscope(pixel_size_um=0.24), PIXEL_UM) == 3
    with pytest.raises(UserError, match=r"0\.2 µm are no whole number of the data's 0\.08"):
        sampling_of(Microscope(pixel_size_um=0.2), PIXEL_UM)


def test_inputs_that_are_no_whole_number_of_native_pixels_are_refused() -> None:
    with pytest.raises(UserError, match="3 pixels of the targets lie along one of the microscope"):
        _fresh([_pair(side=128, factor=2)], Microscope(sampling=3))
