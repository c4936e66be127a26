"""How much finer than their inputs the targets of a dataset are."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from imaging import images
from imaging.cli import UserError
from imaging.datasets import Dataset, Item

FINEST = 4
"""Pixels of a target along one of its input, at most."""
_PLANE = ("y", "x")


def find_factor(dataset: Dataset) -> int:
    """Find how many pixels of a target lie along one of its input.

    Parameters
    ----------
    dataset
        With targets; headers are looked at.

    Returns
    -------
    int
        From 1 to `FINEST`.

    Raises
    ------
    UserError
        The targets are no whole factor as fine as their inputs, or not all the same.
    """
    found: tuple[Item, int] | None = None
    for item in dataset.items:
        factor = factor_of(item)
        found = found or (item, factor)
        if factor != found[1]:
            raise UserError(
                f"{item.target} is {factor} times as fine as its input and {found[0].target} "
                f"{found[1]} times: a model restores to one grid, so train on one kind at a time."
            )
    return found[1] if found else 1


def factor_of(item: Item) -> int:
    """Return the factor of one pair by its headers; errors are those of `factor_between`."""
    if item.target is None:
        raise UserError(f"{item.input} has no target: training needs pairs.")
    image, truth = (images.read(file, lazy=True) for file in (item.input, item.target))
    return factor_between(item.input, image.sizes, item.target, truth.sizes)


def factor_between(
    file: Path, sizes: Mapping[Any, int], target: Path, target_sizes: Mapping[Any, int]
) -> int:
    """Return how many pixels of a target lie along one of its input.

    Parameters
    ----------
    file, target
        To be named.
    sizes, target_sizes
        Of their images, by axis.

    Returns
    -------
    int
        From 1 to `FINEST`.

    Raises
    ------
    UserError
        It is no whole number, or planes and frames differ.
    """
    # What one program writes as frames is written as slices by another.
    stacks = [_lengths(each, outside=_PLANE) for each in (sizes, target_sizes)]
    factors = {target_sizes[axis] / sizes[axis] for axis in _PLANE}
    factor = round(max(factors))
    if stacks[0] != stacks[1] or factors != {factor} or not 1 <= factor <= FINEST:
        raise UserError(
            f"{file} has {_said(sizes)} but {target} {_said(target_sizes)}: the two images of a "
            f"pair must have the same size, or the target 2 to {FINEST} times as many pixels along "
            "y and x, a whole number."
        )
    return factor


def _lengths(sizes: Mapping[Any, int], *, outside: Iterable[str]) -> list[int]:
    return [length for axis, length in sizes.items() if axis not in outside]


def _said(sizes: Mapping[Any, int]) -> str:
    lengths = " x ".join(str(length) for length in sizes.values())
    return f"{lengths} pixels ({', '.join(str(axis) for axis in sizes)})"
