"""What of a pair is learnt from: where input and target have data and no artefacts."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.valid import common_rectangle, find_valid

Array = NDArray[np.float32]
Region = tuple[slice, ...]


def cut_to_counting(
    file: Path, inputs: Array, targets: Array, region: Region
) -> tuple[Array, Array, Region]:
    """Cut both images of a pair to what counts in all planes of both.

    Parameters
    ----------
    file
        To be named.
    inputs, targets
        (..., y, x), of one shape, or the targets on a grid a whole factor finer.
    region
        What is meant, in pixels of the inputs.

    Returns
    -------
    tuple
        Both, and where the region lies in the inputs. Artefacts that are strewn over the field,
        such as hot pixels, have the median of their plane.

    Raises
    ------
    UserError
        Nothing of the region counts in both.
    """
    stacks = [stack.reshape(-1, *stack.shape[-2:]) for stack in (inputs, targets)]
    found = [[find_valid(plane) for plane in planes] for planes in stacks]
    if not any(valid is not None for of_stack in found for valid in of_stack):
        return inputs, targets, region
    rows, columns = inputs.shape[-2:]
    part = common_rectangle([*found[0], *found[1]], (rows, columns)) or (
        slice(0, rows),
        slice(0, columns),
    )
    in_part: list[slice] = []
    for along, wanted, length in zip(part, region[-2:], (rows, columns), strict=True):
        first, last, _ = wanted.indices(length)
        start, stop = max(first, along.start), min(last, along.stop)
        if start >= stop:
            raise UserError(
                f"{file} and its target have no data in common where they are to be learnt from: "
                "check that both show the same field, or remove the pair."
            )
        in_part.append(slice(start - along.start, stop - along.start))
    for i, (whole, of_stack) in enumerate(zip((inputs, targets), found, strict=True)):
        mended = stacks[i].copy()
        for plane, valid in zip(mended, of_stack, strict=True):
            if valid is not None:
                plane[valid.artefacts] = valid.median
        stacks[i] = mended.reshape(whole.shape)[..., *finer(part, whole.shape[-1] // columns)]
    return stacks[0], stacks[1], (*region[:-2], *in_part)


def finer(part: tuple[slice, ...], factor: int) -> tuple[slice, ...]:
    """Return a part of a plane or volume in pixels some times finer; planes stay as many."""
    rows_and_columns = (
        slice(*(end if end is None else factor * end for end in (along.start, along.stop)))
        for along in part[-2:]
    )
    return (*part[:-2], *rows_and_columns)


def without_blank(stack: Array) -> Array:
    """Leave the planes of one value out of (..., y, x), if not all are."""
    has_contrast = stack.min((-2, -1)) < stack.max((-2, -1))
    return stack if has_contrast.all() or not has_contrast.any() else stack[has_contrast]
