"""Registered channels of one image, which are learnt from and restored together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imaging import images
from imaging.channels import identifiers
from imaging.cli import UserError
from imaging.datasets import Dataset, Item
from imaging.remarks import Remarks
from training.data import Pair, load_pairs


def shared_channels(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of the channels that every image of a dataset has, as identifiers.

    Parameters
    ----------
    dataset
        The headers of its inputs are looked at.

    Returns
    -------
    tuple of str
        At least two.

    Raises
    ------
    UserError
        An image has one channel, or others than the first image.
    """
    found: tuple[Item, tuple[str, ...]] | None = None
    for item in dataset.items:
        image = images.read(item.input, lazy=True)
        if "c" not in image.dims:
            raise UserError(
                f"{item.input} has one channel: leave --channels out, or give stacks of several."
            )
        names = tuple(identifiers(image))
        found = found or (item, names)
        if names != found[1]:
            raise UserError(
                f"{found[0].input} has the channels {', '.join(found[1])} and {item.input} "
                f"{', '.join(names)}: give stacks of the same channels, in one order."
            )
    return () if found is None else found[1]


def load_registered(
    items: tuple[Item, ...], channels: int, remarks: Remarks | None = None, *, volumes: bool = False
) -> list[list[Pair]]:
    """Read the channels of images, as `training.data.load_pairs` reads images of one.

    Parameters
    ----------
    items
        With targets; of each its region.
    channels
        How many all have; of one channel images have no axis c.
    remarks, volumes
        As for `load_pairs`.

    Returns
    -------
    list of list of Pair
        By channel, pairs of the same planes or volumes: those that are blank in no channel.

    Raises
    ------
    UserError
        As of `load_pairs`, or each plane is blank in some channel.
    """
    if channels == 1:
        return [load_pairs(items, remarks, volumes=volumes)]
    by_channel = [
        load_pairs(tuple(replace(item, channel=c) for item in items), remarks, volumes=volumes)
        for c in range(channels)
    ]
    kept = set[str].intersection(*({pair.name for pair in pairs} for pairs in by_channel))
    if not kept:
        raise UserError(
            f"Each plane of {', '.join(str(item.input) for item in items)} is blank in some "
            "channel: nothing can be learnt from them together, leave --channels out."
        )
    return [[pair for pair in pairs if pair.name in kept] for pairs in by_channel]


def brightest(channels: Sequence[Pair]) -> Pair:
    """Return the first of the channels of a plane or volume, with what any shows as its target.

    It tells where there is structure, in whichever channel.
    """
    first, *others = channels
    if not others:
        return first
    return replace(first, target=np.maximum.reduce([pair.target for pair in channels]))
