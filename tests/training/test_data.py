from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import Dataset, Facts, Item, Split, open_dataset
from imaging.normalise import normalise
from training.data import Pair, Patches, load_pairs, split_items


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


def dataset_of(splits: list[Split | None], *, target: bool = True) -> Dataset:
    items = tuple(
        Item(f"{i}", Path("i"), Path("t") if target else None, None, f"{i}", split, {}, None)
        for i, split in enumerate(splits)
    )
    return Dataset("d", Path("d"), Facts(), items)


def test_the_split_of_the_dataset_is_kept() -> None:
    parts = split_items(dataset_of(["validation", "train", "calibration", "train"]))
    assert {k: [i.name for i in v] for k, v in parts.items()} == {
        "train": ["1", "3"],
        "calibration": ["2"],
        "validation": ["0"],
    }


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 11, 20, 53])
def test_an_undivided_dataset_is_divided_by_source(count: int) -> None:
    parts = split_items(dataset_of([None] * count))
    assert all(parts.values())
    assert sorted(int(i.name) for items in parts.values() for i in items) == list(range(count))
    assert len(parts["train"]) >= count / 2 or count == 3


def test_a_dataset_without_targets_cannot_be_trained_on() -> None:
    with pytest.raises(UserError, match="no target"):
        split_items(dataset_of([None] * 5, target=False))


def test_two_images_are_too_few() -> None:
    with pytest.raises(UserError, match="at least 3"):
        split_items(dataset_of([None, None]))


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(UserError, match="'calibration' empty"):
        split_items(dataset_of(["train", "validation"]))


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


def test_channels_are_not_taken_for_planes(tmp_path: Path) -> None:
    for side in ("input", "target"):
        (tmp_path / side).mkdir()
        image = xr.DataArray(noise(2, 32, 32), dims=("c", "y", "x"))
        images.write(tmp_path / side / "a.ome.tif", image)
    with pytest.raises(UserError, match="has 2 channels"):
        load_pairs(open_dataset(tmp_path).items)
