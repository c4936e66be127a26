"""Metadata of a run: how its weights were trained, what they reach, what they cost."""

import itertools
import math
import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from imaging import __version__
from imaging.datasets import Dataset
from imaging.measure import Measure
from imaging.training_metadata import (
    FurtherData,
    InferenceCost,
    Metadata,
    Reached,
    Request,
    TrainingData,
)
from packages.care.model import as_planes
from packages.network_contract import channels_in, divisors
from training.counting import finer
from training.data import Batch, Pair
from training.loop import State
from training.pixel_sizes import find_pixel_size_um, find_z_step_um
from training.recipe import N, Recipe

# Sides of windows by the number of their axes. Those that measure cost hold 2¹⁶ or 2²⁰ pixels.
_EXAMPLE = {2: (256, 256), 3: (32, 128, 128)}
_COST = {2: (256, 256), 3: (16, 256, 256)}
_LIBRARIES = ("torch", "numpy", "lightning-fabric")


def collect_metadata(
    recipe: Recipe[N],
    request: Request,
    dataset: Dataset,
    state: State[N],
    device: torch.device,
    *,
    precision: str,
    training_images: int,
    calibration_images: int,
    also: tuple[FurtherData, ...] = (),
) -> Metadata:
    """Collect how weights are trained, for the model card of their package.

    Parameters
    ----------
    recipe
        Which model.
    request
        What was asked for.
    dataset
        What it is trained on.
    state
        The network, whose speed is measured, and what it has reached.
    device
        Where it is trained.
    precision
        Of the arithmetic that trains.
    training_images, calibration_images
        How many images each part gives.
    also
        What else is trained on.

    Returns
    -------
    Metadata
        Of weights that are not calibrated.
    """
    return Metadata(
        model=recipe.model,
        request=request,
        loss=recipe.loss_name,
        data=TrainingData(
            name=dataset.name,
            description=dataset.facts.description or "",
            pixel_size_um=find_pixel_size_um(dataset),
            provenance=dataset.facts.provenance,
            training_images=training_images,
            calibration_images=calibration_images,
            also=also,
            z_step_um=find_z_step_um(dataset) if "z" in divisors(state.average) else None,
        ),
        versions=versions(),
        device=f"{_device_name(device)}, {precision}",
        inference=_inference_cost(state.average, device),
        reached=reached_by(state),
    )


def reached_by(state: State[N]) -> Reached:
    """Return what a training has come to, without errors."""
    return Reached(state.step, round(state.seconds, 1), state.best_loss)


def versions() -> dict[str, str]:
    """Return the versions of this project and of the libraries that numbers depend on."""
    return {name: version(name) for name in _LIBRARIES} | {"restoration-zoo": __version__}


@torch.no_grad()
def mean_absolute_errors(network: nn.Module, fixed: Batch) -> dict[str, float]:
    """Compare the mean absolute error of restored and of unrestored crops.

    Parameters
    ----------
    network
        Restores; as many of its first channels are compared as the truth has.
    fixed
        Crops with their truth.

    Returns
    -------
    dict
        ``error_restored`` and ``error_input``, in normalised intensity; the latter interpolated
        where the truth is finer.
    """
    device = next(network.parameters()).device
    target = fixed.target.to(device)
    seen = fixed.input.to(device)
    restored = as_planes(network(seen)[:, : target.shape[1]])
    target = as_planes(target)
    unrestored = F.interpolate(
        as_planes(seen), target.shape[-2:], mode="bilinear", align_corners=False
    )
    return {
        "error_restored": float(F.l1_loss(restored, target)),
        "error_input": float(F.l1_loss(unrestored, target)),
    }


def cut_example(pairs: Sequence[Pair]) -> Pair:
    """Cut the window with most structure: it becomes the package's test image and cover.

    Parameters
    ----------
    pairs
        Of any size.

    Returns
    -------
    Pair
        At most 256 pixels a side of its input, of a volume 128 and 32 planes; the mean of the
        normalised truth, held between 0 and 1, is largest in it.
    """
    index, window = find_example(pairs)
    return cut_window(pairs[index], window)


def find_example(pairs: Sequence[Pair]) -> tuple[int, tuple[slice, ...]]:
    """Find the window that `cut_example` cuts: in which pair, and where in its input."""
    windows = [(i, window) for i, pair in enumerate(pairs) for window in _windows(pair.input.shape)]

    def structure(candidate: tuple[int, tuple[slice, ...]]) -> float:
        i, window = candidate
        return float(pairs[i].target[finer(window, pairs[i].factor)].clip(0, 1).mean())

    return max(windows, key=structure)


def cut_window(pair: Pair, window: tuple[slice, ...]) -> Pair:
    """Cut a window, in pixels of its input, out of a pair."""
    target = pair.target[finer(window, pair.factor)]
    return replace(pair, input=np.array(pair.input[window]), target=np.array(target))


def _windows(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Return windows of an image that overlap by three quarters along each axis."""
    along: list[list[slice]] = []
    for length, longest in zip(shape, _EXAMPLE[len(shape)], strict=True):
        side = min(length, longest)
        starts = range(0, length - side + 1, longest // 4)
        along.append([slice(start, start + side) for start in starts])
    return list(itertools.product(*along))


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {device.type.upper()}, {torch.get_num_threads()} threads"


@torch.no_grad()
def _inference_cost(network: nn.Module, device: torch.device) -> InferenceCost:
    """Measure a window of the size that images are usually restored in, after one to warm up.

    Attention over a whole megapixel would fit into no memory.
    """
    sides = _COST[len(divisors(network))]
    image = torch.zeros(1, channels_in(network), *sides, device=device)
    windows = 2**20 / math.prod(sides)
    network(image)
    with Measure(device) as cost:
        network(image)
    return InferenceCost(
        seconds_per_megapixel=round(windows * cost.seconds, 4),
        peak_mib_per_megapixel=round(windows * cost.peak_mib, 1),
        device=_device_name(device),
    )
