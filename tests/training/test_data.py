from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.normalise import normalise
from imaging.remarks import Remarks
from training.data import Batch, Pair, Patches, load_pairs


def write_pair(
    folder: Path, name: str, degraded: np.ndarray, truth: np.ndarray | None = None
) -> None:
    for side, values in (("input", degraded), ("target", degraded if truth is None else truth)):
        (folder / side).mkdir(parents=True, exist_ok=True)
        dims = ("z", "y", "x")[-values.ndim :]
        images.write(
            folder / side / f"{name}.tif",
            xr.DataArray(values, dims=dims, attrs={"pixel_size_um": {}}),
        )


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def pair_of(target: np.ndarray) -> Pair:
    return Pair("p", target * 100 + 7, target, (7.0, 7.0), (107.0, 107.0))


def test_a_stack_gives_one_pair_per_plane(tmp_path: Path) -> None:
    stack = noise(3, 20, 24)
    write_pair(tmp_path, "a", stack)
    pairs = load_pairs(open_dataset(tmp_path).items)
    assert [p.name for p in pairs] == ["a[0]", "a[1]", "a[2]"]
    np.testing.assert_array_equal(pairs[1].input, stack[1])


def test_all_planes_of_a_stack_are_on_one_scale(tmp_path: Path) -> None:
    """The second plane has a fifth of the light, the third none."""
    stack = noise(20, 24) * np.array([1, 0.2, 0.001], np.float32)[:, None, None]
    write_pair(tmp_path, "a", stack * 100, stack)
    pairs = load_pairs(open_dataset(tmp_path).items)
    low, high = np.percentile(stack.astype(np.float64), [2, 99.8])
    for plane, pair in zip(stack, pairs, strict=True):
        np.testing.assert_allclose(pair.target, (plane - low) / (high - low), atol=1e-5)
        np.testing.assert_allclose(pair.normalised_input, pair.target, atol=1e-5)
        assert pair.lows == pytest.approx(np.percentile(stack * 100, [1, 3]))
        assert pair.highs == pytest.approx(np.percentile(stack * 100, [99.5, 99.9]))


def test_a_part_of_an_image_keeps_the_scale_of_the_whole(tmp_path: Path) -> None:
    whole = noise(20, 24) * np.linspace(0, 1, 24, dtype=np.float32)
    write_pair(tmp_path, "a", whole)
    (item,) = open_dataset(tmp_path).items
    (pair,) = load_pairs((replace(item, region={"x": slice(3, 9)}),))
    np.testing.assert_array_equal(pair.input, whole[:, 3:9])
    np.testing.assert_array_equal(pair.target, normalise(whole)[:, 3:9])
    np.testing.assert_allclose(pair.normalised_input, normalise(whole)[:, 3:9], atol=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 1e-10, 1e-30])
def test_faint_images_teach_what_bright_ones_do(tmp_path: Path, unit: float) -> None:
    counts, truth = noise(40, 48) * 1000, noise(40, 48, seed=1)
    batches: list[Batch] = []
    for name, scale in (("bright", 1), ("faint", unit)):
        write_pair(tmp_path / name, "a", counts * np.float32(scale), truth * np.float32(scale))
        pairs = load_pairs(open_dataset(tmp_path / name).items)
        batches.append(Patches(pairs, size_px=32, batch_size=4, seed=0).batch(0))
    torch.testing.assert_close(batches[1].input, batches[0].input, atol=1e-4, rtol=0)
    torch.testing.assert_close(batches[1].target, batches[0].target, atol=1e-4, rtol=0)


def test_frames_and_slices_of_one_size_are_a_pair(tmp_path: Path) -> None:
    stack = noise(3, 20, 24)
    for side, axis in (("input", "b"), ("target", "z")):
        image = xr.DataArray(stack, dims=(axis, "y", "x"))
        (tmp_path / side).mkdir()
        images.write(tmp_path / side / "a.tif", image)
    assert len(load_pairs(open_dataset(tmp_path).items)) == 3


@pytest.mark.parametrize("side", ["input", "target"])
def test_a_blank_plane_is_left_out_and_named(tmp_path: Path, side: str) -> None:
    whole, with_blank = noise(4, 20, 24), noise(4, 20, 24)
    with_blank[2] = 0.5
    both = (with_blank, whole) if side == "input" else (whole, with_blank)
    write_pair(tmp_path, "a", *both)
    remarks = Remarks()
    pairs = load_pairs(open_dataset(tmp_path).items, remarks)
    assert [pair.name for pair in pairs] == ["a[0]", "a[1]", "a[3]"]
    (entry,) = remarks.entries
    assert entry.images == {"a": "counted from 0, plane 2"}


def test_a_part_that_is_blank_is_refused_alone(tmp_path: Path) -> None:
    with_blank = noise(8, 20, 24)
    with_blank[6:] = 0.5
    write_pair(tmp_path, "a", with_blank, noise(8, 20, 24))
    (item,) = open_dataset(tmp_path).items
    with pytest.raises(UserError, match=r"blank in all planes z 6 to 7: .* remove these planes"):
        load_pairs((replace(item, region={"z": slice(6, 8)}),))


def test_targets_are_normalised_by_their_own_percentiles(tmp_path: Path) -> None:
    truth = noise(20, 24, seed=1)
    write_pair(tmp_path, "a", noise(20, 24), truth)
    np.testing.assert_array_equal(
        load_pairs(open_dataset(tmp_path).items)[0].target, normalise(truth)
    )


def test_sizes_of_a_pair_must_agree(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", noise(20, 24), noise(20, 25))
    with pytest.raises(UserError, match="must have the same size"):
        load_pairs(open_dataset(tmp_path).items)


@pytest.mark.parametrize("side", ["input", "target"])
def test_constant_images_are_refused(tmp_path: Path, side: str) -> None:
    flat = np.zeros((20, 24), np.float32)
    write_pair(
        tmp_path,
        "a",
        flat if side == "input" else noise(20, 24),
        flat if side == "target" else noise(20, 24),
    )
    with pytest.raises(UserError, match=f"{side}.*constant"):
        load_pairs(open_dataset(tmp_path).items)


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    pairs = [pair_of(noise(64, 80))]
    one = Patches(pairs, size_px=32, batch_size=4, seed=3)
    again = Patches(pairs, size_px=32, batch_size=4, seed=3)
    other = Patches(pairs, size_px=32, batch_size=4, seed=4)
    assert torch.equal(one.batch(5).input, again.batch(5).input)
    assert not torch.equal(one.batch(5).input, one.batch(6).input)
    assert not torch.equal(one.batch(5).input, other.batch(5).input)


def test_drawing_ahead_changes_nothing() -> None:
    patches = Patches([pair_of(noise(64, 80))], size_px=32, batch_size=4, seed=0)
    stream = patches.batches(7)
    for step in (7, 8, 9):
        assert torch.equal(next(stream).input, patches.batch(step).input)


def test_input_and_target_of_a_patch_show_the_same_place() -> None:
    patches = Patches([pair_of(noise(64, 80))], size_px=32, batch_size=8, seed=0)
    batch = patches.batch(0)
    assert batch.input.shape == (8, 1, 32, 32)
    torch.testing.assert_close(batch.input, batch.target, atol=1e-5, rtol=0)


def test_empty_background_does_not_dominate() -> None:
    """Structure in 1/64 of the image: uniform patches of 32 px would meet it in about 8 %."""
    target = np.zeros((256, 256), np.float32)
    target[100:132, 100:132] = 1
    patches = Patches([pair_of(target)], size_px=32, batch_size=400, seed=0)
    with_structure = (patches.batch(0).target.amax(dim=(1, 2, 3)) > 0).float().mean()
    assert 0.25 < float(with_structure) < 0.95


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(UserError, match="smaller than a training patch"):
        Patches([pair_of(noise(31, 80))], size_px=32, batch_size=1, seed=0)


def test_a_nearly_constant_image_is_refused(tmp_path: Path) -> None:
    truth = np.zeros((32, 32), np.float32)
    truth[3, 3] = 1
    write_pair(tmp_path, "a", noise(32, 32), truth)
    with pytest.raises(UserError, match="constant or nearly so"):
        load_pairs(open_dataset(tmp_path).items)


def test_values_beyond_float32_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", noise(32, 32))
    tifffile.imwrite(tmp_path / "target/a.tif", noise(32, 32).astype(np.float64) * 1e300)
    with pytest.raises(UserError, match="rescale it"):
        load_pairs(open_dataset(tmp_path).items)


@pytest.mark.parametrize("sides", [("input", "target"), ("target",)])
def test_channels_are_not_taken_for_planes(tmp_path: Path, sides: tuple[str, ...]) -> None:
    write_pair(tmp_path, "a", noise(32, 32))
    for side in sides:
        image = xr.DataArray(noise(2, 32, 32), dims=("c", "y", "x"))
        images.write(tmp_path / side / "a.tif", image)
    with pytest.raises(UserError, match=rf"{sides[0]}.a\.tif has 2 channels"):
        load_pairs(open_dataset(tmp_path).items)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_finer_target_shows_the_place_of_its_input(factor: int) -> None:
    """Each pixel of the input is the mean of those of the target in it."""
    target = noise(48 * factor, 40 * factor)
    means = target.reshape(48, factor, 40, factor).mean(axis=(1, 3))
    pair = replace(pair_of(target), input=means * 100 + 7)
    batch = Patches([pair], size_px=16 * factor, batch_size=6, seed=1).batch(0)
    assert batch.input.shape == (6, 1, 16, 16)
    expected = torch.nn.functional.avg_pool2d(batch.target, factor)
    torch.testing.assert_close(batch.input, expected, atol=1e-5, rtol=0)


def test_a_part_of_an_image_is_the_same_part_of_its_finer_target(tmp_path: Path) -> None:
    truth = noise(40, 48)
    write_pair(tmp_path, "a", truth[::2, ::2], truth)
    (item,) = open_dataset(tmp_path).items
    (pair,) = load_pairs((replace(item, region={"x": slice(3, 9)}),))
    np.testing.assert_array_equal(pair.input, truth[::2, ::2][:, 3:9])
    np.testing.assert_array_equal(pair.target, normalise(truth)[:, 6:18])
