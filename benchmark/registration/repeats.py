"""Make a dataset with repeats out of stacks of frames that show one field over and over."""

from pathlib import Path

import numpy as np
import xarray as xr

from benchmark.registration.frames import why_no_repeats, why_not_averaged
from imaging import images
from imaging.cli import UserError, console
from imaging.dataset_facts import Facts, ImageFacts, write_facts
from imaging.datasets import new_dataset

_FRAMES = ("b", "z")  # many programs write frames as planes


def repeats(
    stacks: list[Path],
    /,
    *,
    out: Path,
    average: int = 1,
) -> None:
    """Make a dataset with repeats out of stacks of frames of one field.

    Parameters are those of `python -m benchmark repeats`, described in its help.
    """
    if average < 1:
        raise UserError(f"--average {average} makes no image: give 1 or more.")
    facts = Facts(
        description="Consecutive frames: each image has the next one as its repeat.",
        provenance={"frames averaged into an image": average},
    )
    left_over = 0
    with new_dataset(out) as folder:
        for path in stacks:
            recorded = _recordings(path, average)
            pairs, alone = divmod(recorded.sizes["b"], 2)
            left_over += alone
            name = path.name.removesuffix(images.suffix_of(path) or "")
            for i in range(pairs):
                image = f"{name}_{i:03}"
                if image in facts.images:
                    raise UserError(f"{path}: another stack has the same name, rename one.")
                images.write(folder / "input" / f"{image}.tif", recorded.isel(b=2 * i))
                images.write(folder / "repeat" / f"{image}.tif", recorded.isel(b=2 * i + 1))
                facts.images[image] = ImageFacts(source=name)
        write_facts(folder, facts)
    without = f", {left_over} without a partner left out" if left_over else ""
    console.print(f"{len(facts.images)} images with a repeat{without} in {out}", soft_wrap=True)


def _recordings(path: Path, average: int) -> xr.DataArray:
    """Read a stack as independent recordings along b: means over so many frames each."""
    stack = images.read(path)
    axis = next((axis for axis in _FRAMES if axis in stack.dims), None)
    count = stack.sizes[axis] // average if axis else 0
    if axis is None or count < 2:
        frames = stack.sizes[axis] if axis else 1
        raise UserError(
            f"{path} has {frames} frames, and an image with its repeat takes {2 * average}: "
            "give a stack of more, or average fewer."
        )
    frames = stack.isel({axis: slice(count * average)})
    if average == 1:
        _refuse(path, why_no_repeats(frames, axis))
        return frames.rename({axis: "b"})
    _refuse(path, why_not_averaged(frames, axis))
    means = frames.coarsen({axis: average}).mean(keep_attrs=True).astype(np.float32)
    _refuse(path, why_no_repeats(means, axis))
    return means.rename({axis: "b"})


def _refuse(path: Path, why: str | None) -> None:
    if why is not None:
        raise UserError(f"{path} holds no repeats: {why}.")
