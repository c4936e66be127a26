"""What is known of a restored image as a volume: all that a metric of volumes may ask for."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmark.metrics import MetricInputs, NotApplicable
from benchmark.metrics.metric import VOLUMES
from benchmark.running.grids import Planes, mean_channel, on_common_grid
from benchmark.running.restore import RestorationError
from benchmark.running.scored_part import cut, scored_part
from imaging.datasets import Item

_NO_VOLUME = "It is an image of one plane, not a volume."


def volume_inputs(
    restored: xr.DataArray, item: Item, repeat: xr.DataArray | None = None
) -> list[MetricInputs]:
    """Collect what is known of each volume of a restored image.

    All planes belong to it, those without structure, too; of their pixels the part in which all
    planes of input and truth have data.

    Parameters
    ----------
    restored
        Axes out of b, c, z, y, x; of several channels that is taken which is compared.
    item
        What it was restored from.
    repeat
        What was restored from the repeat of the item, if that was done.

    Returns
    -------
    list of MetricInputs
        By the names in `benchmark.metrics.metric.WHY_MISSING`, on the grid of the truth, or without
        truth on that of the restoration; of an image of one plane the reason why there is none.

    Raises
    ------
    RestorationError
        Restoration and truth differ in size, and not only in their pixel sizes.
    """
    input, truth = item.read_input(), item.read_target()
    on_grid = restored if truth is None else truth
    depth = on_grid.sizes.get("z", 1)
    if depth == 1:
        return [dict.fromkeys(VOLUMES, NotApplicable(_NO_VOLUME))]
    predictions, truths = on_common_grid(restored, truth)
    stacks: dict[str, Planes] = {"prediction_volume": predictions}
    if truths is not None:
        stacks["truth_volume"] = truths
    if repeat is not None:
        stacks["repeat_volume"] = _repeated(repeat, truth)
    shape = (predictions.shape[1], predictions.shape[2])
    part = scored_part([i for i in (input, truth) if i is not None], shape)
    volumes: dict[str, NDArray[np.floating] | NotApplicable] = {}
    for name, planes in stacks.items():
        if planes.shape != predictions.shape:
            volumes[name] = NotApplicable("The repeat is not of the size of what it repeats.")
            continue
        scored = planes if part is None else cut(planes, part, shape)
        volumes[name] = scored.reshape(-1, depth, *scored.shape[1:])
    sizes = sizes_um(on_grid, input)
    known = {"pixel_um": sizes.get("x") or item.pixel_size_um, "step_um": sizes.get("z")}
    return [
        known | {n: v if isinstance(v, NotApplicable) else v[i] for n, v in volumes.items()}
        for i in range(len(predictions) // depth)
    ]


def sizes_um(on_grid: xr.DataArray, input: xr.DataArray) -> dict[str, float]:
    """Return the pixel sizes of a grid by axis; where it says no step, that of as many planes.

    Parameters
    ----------
    on_grid
        The truth, or what was restored.
    input
        As it is read from an item.
    """
    sizes: dict[str, float] = dict(on_grid.attrs.get("pixel_size_um", {}))
    recorded: dict[str, float] = input.attrs.get("pixel_size_um", {})
    if "z" in recorded and on_grid.sizes.get("z") == input.sizes.get("z"):
        sizes.setdefault("z", recorded["z"])
    return sizes


def _repeated(repeat: xr.DataArray, truth: xr.DataArray | None) -> Planes:
    """Return the planes of the repeat; on its own grid where it does not show the same field."""
    try:
        return on_common_grid(repeat, truth)[0]
    except RestorationError:
        own = mean_channel(repeat).values
        return own.reshape(-1, *own.shape[-2:])
