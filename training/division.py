"""Which images, or which parts of them, serve for training, calibration and validation."""

from collections.abc import Sequence
from dataclasses import replace

import xarray as xr

from imaging.cli import UserError
from imaging.dataset_facts import SPLITS, Split
from imaging.datasets import Dataset, Item

_FEWEST_SOURCES = 3  # one for each part
_FEWEST_BLOCKS = 6  # images or planes of one source from which blocks are made
# What is cut from planes or images is as much as of many sources; fields are small, and a part of
# them must hold a patch.
_HELD_OUT = 0.1
_HELD_OUT_OF_FIELD = 0.25
_GAP = 0.05  # left out between two parts: neighbours show the same


def split_items(dataset: Dataset, *, volumes: bool = False) -> dict[Split, tuple[Item, ...]]:
    """Return the parts of a dataset, dividing it by source when it does not say how.

    Parameters
    ----------
    dataset
        With or without splits of its own.
    volumes
        Whether stacks are whole volumes, which are not divided by planes.

    Returns
    -------
    dict
        Items by part; none is empty. Without a split of its own, every fifth source is held out,
        in the order of names: alternately for validation and for calibration. Of fewer than three
        sources each is divided: its images into blocks in their order, or else each image into
        blocks of planes or, where these are few, of its field, which `Item.region` names; between
        blocks something is left out.

    Raises
    ------
    UserError
        No targets, or a part is empty.
    """
    if any(item.target is None for item in dataset.items):
        raise UserError(
            f"{dataset.path} has no target/ folder: training needs pairs, "
            "input/NAME and target/NAME."
        )
    if any(item.split for item in dataset.items):
        parts: dict[Split, tuple[Item, ...]] = {part: dataset.split(part) for part in SPLITS}
        for part, items in parts.items():
            if not items:
                raise UserError(
                    f"{dataset.path / 'dataset.toml'} leaves the part '{part}' empty: "
                    "give at least one image to each of train, calibration and validation."
                )
        return parts
    sources = sorted({item.source for item in dataset.items})
    if len(sources) < _FEWEST_SOURCES:
        by_source = [[i for i in dataset.items if i.source == source] for source in sources]
        return _divided(by_source, "b" if volumes else "zb")
    held_out = sources[::5] if len(sources) > 5 else [sources[0], sources[-1]]
    part_of: dict[str, Split] = dict.fromkeys(sources, "train")
    for i, source in enumerate(held_out):
        part_of[source] = "validation" if i % 2 == 0 else "calibration"
    return {
        part: tuple(item for item in dataset.items if part_of[item.source] == part)
        for part in SPLITS
    }


def describe_division(dataset: Dataset, parts: dict[Split, tuple[Item, ...]]) -> str | None:
    """Say how a dataset was divided where it does not say so itself.

    Parameters
    ----------
    dataset
        What was divided.
    parts
        Of `split_items`.

    Returns
    -------
    str or None
        In sentences.
    """
    if any(item.split for item in dataset.items):
        return None
    if len({item.source for item in dataset.items}) >= _FEWEST_SOURCES:
        return (
            f"{dataset.path} does not say which images are for validation: every fifth source is "
            "held out here, but a benchmark on this folder sees them all, trained on or not. "
            "State each image's split in dataset.toml to keep them apart, and its source where "
            "several show one specimen."
        )
    ways = "; ".join(f"{part}: {_named(items)}" for part, items in parts.items())
    return (
        f"{dataset.path} shows fewer than {_FEWEST_SOURCES} specimens, so each is divided: {ways}; "
        "what lies between is left out. Parts of one specimen are alike, so what is measured on "
        "them flatters: add images of other specimens to learn what the model does there, and "
        "benchmark on those."
    )


def _divided(sources: list[list[Item]], stacked: str) -> dict[Split, tuple[Item, ...]]:
    """Divide each source by images, or along an axis that stacks planes, or by field."""
    parts: dict[Split, tuple[Item, ...]] = dict.fromkeys(SPLITS, ())
    for items in sources:
        if len(items) >= _FEWEST_BLOCKS:
            for part, block in _blocks(len(items), _HELD_OUT).items():
                parts[part] += tuple(items[block])
            continue
        for item in items:
            image = item.read_input(lazy=True)
            axis = _axis_of_blocks(image, stacked)
            share = _HELD_OUT if axis in stacked else _HELD_OUT_OF_FIELD
            for part, block in _blocks(image.sizes[axis], share).items():
                parts[part] += (replace(item, region={axis: block}),)
    return parts


def _axis_of_blocks(image: xr.DataArray, stacked: str) -> str:
    """Choose the axis to cut along; planes at other depths differ more than later ones."""
    for axis in stacked:
        if image.sizes.get(axis, 1) >= _FEWEST_BLOCKS:
            return axis
    return "y" if image.sizes["y"] > image.sizes["x"] else "x"


def _blocks(length: int, held_out: float) -> dict[Split, slice]:
    """Divide an axis, with gaps between the parts."""
    held = max(1, round(length * held_out))
    gap = max(1, round(length * _GAP))
    validation = length - held
    calibration = validation - gap - held
    return {
        "train": slice(0, calibration - gap),
        "calibration": slice(calibration, calibration + held),
        "validation": slice(validation, length),
    }


def _named(items: Sequence[Item]) -> str:
    """Name the images of a part, or what of them belongs to it."""
    if len(items) > 1 and not any(item.region for item in items):
        return f"{items[0].name} to {items[-1].name}"
    return ", ".join(f"{item.name}{region_in_words(item)}" for item in items)


def region_in_words(item: Item) -> str:
    """Name what of an image is meant: " z 0 to 5", or nothing where the whole is."""
    return "".join(
        f" {'t' if axis == 'b' else axis} {block.start} to {block.stop - 1}"
        for axis, block in item.region.items()
    )
