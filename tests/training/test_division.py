from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.dataset_facts import Facts, Split
from imaging.datasets import Dataset, Item, open_dataset
from training.division import describe_division, split_items


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


def stack_of(tmp_path: Path, *shape: int, names: Sequence[str] = ("a",)) -> Dataset:
    """Images of these axes, the last of b, z, y, x."""
    image = xr.DataArray(np.zeros(shape, np.uint8), dims=("b", "z", "y", "x")[-len(shape) :])
    for side in ("input", "target"):
        for name in names:
            (tmp_path / side).mkdir(exist_ok=True)
            images.write(tmp_path / side / f"{name}.tif", image)
    return open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("shape", "train", "calibration", "validation"),
    [
        ((20, 8, 8), {"z": (0, 14)}, {"z": (15, 17)}, {"z": (18, 20)}),
        ((6, 8, 8), {"z": (0, 2)}, {"z": (3, 4)}, {"z": (5, 6)}),
        ((10, 2, 8, 8), {"b": (0, 6)}, {"b": (7, 8)}, {"b": (9, 10)}),
        ((40, 6, 8, 8), {"z": (0, 2)}, {"z": (3, 4)}, {"z": (5, 6)}),
        ((5, 8, 200), {"x": (0, 80)}, {"x": (90, 140)}, {"x": (150, 200)}),
        ((100, 8), {"y": (0, 40)}, {"y": (45, 70)}, {"y": (75, 100)}),
    ],
)
def test_one_image_is_divided_into_blocks_with_gaps(
    tmp_path: Path,
    shape: tuple[int, ...],
    train: dict[str, tuple[int, int]],
    calibration: dict[str, tuple[int, int]],
    validation: dict[str, tuple[int, int]],
) -> None:
    parts = split_items(stack_of(tmp_path, *shape))
    found = {
        part: [{axis: (b.start, b.stop) for axis, b in item.region.items()} for item in items]
        for part, items in parts.items()
    }
    assert found == {"train": [train], "calibration": [calibration], "validation": [validation]}


def test_two_images_are_divided_each(tmp_path: Path) -> None:
    parts = split_items(stack_of(tmp_path, 8, 100, names="ab"))
    assert [[item.name for item in items] for items in parts.values()] == [["a", "b"]] * 3


def test_files_of_one_recording_are_divided_in_their_order() -> None:
    dataset = dataset_of([None] * 7)
    one = replace(dataset, items=tuple(replace(item, source="cell") for item in dataset.items))
    parts = split_items(one)
    assert {part: [item.name for item in items] for part, items in parts.items()} == {
        "train": ["0", "1", "2"],
        "calibration": ["4"],
        "validation": ["6"],
    }


def test_it_is_said_how_one_stack_was_divided(tmp_path: Path) -> None:
    dataset = stack_of(tmp_path, 20, 8, 8)
    said = describe_division(dataset, split_items(dataset))
    assert said is not None
    assert "train: a z 0 to 13; calibration: a z 15 to 16; validation: a z 18 to 19;" in said


def test_what_a_dataset_says_itself_is_not_said_again() -> None:
    dataset = dataset_of(["validation", "train", "calibration"])
    assert describe_division(dataset, split_items(dataset)) is None


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(UserError, match="'calibration' empty"):
        split_items(dataset_of(["train", "validation"]))
