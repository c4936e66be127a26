"""What is known of a restored image: everything that a metric may ask for, plane by plane."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from benchmark.metrics import MetricInputs, NotApplicable, normalise
from benchmark.running.grids import (
    Planes,
    mean_channel,
    named_channel,
    on_common_grid,
    onto_grid,
    planes_in,
)
from benchmark.running.restore import RestorationError
from benchmark.running.scored_part import cut, onto_part, scored_part
from imaging import images
from imaging.datasets import Item
from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from imaging.scores import Delivery
from imaging.trust_mask import TrustMask

Stacks = dict[str, Planes | list[Planes | NotApplicable] | NotApplicable]

_OWN_CHANNELS = ("mean", "std", "sample", "disagreement")
_DELIVERED = ("prediction", "delivered", *_OWN_CHANNELS)
_SPREADS = ("std", "disagreement")
_OWN_SCALE = NotApplicable(
    "The package delivers on a scale of its own, not with percentiles 2 and 99.8 of the image at 0 "
    "and 1, so that only what allows any gain and offset can be compared."
)


def metric_inputs(
    restored: xr.DataArray,
    item: Item,
    interval_factors: Mapping[str, float],
    repeat: xr.DataArray | None = None,
    delivery: Delivery = "planes",
    trust_mask: TrustMask | None = None,
) -> list[MetricInputs]:
    """Collect what is known of each plane of a restored image.

    Each plane of the truth has its percentiles 2 and 99.8 at 0 and 1; what is delivered of an image
    of several planes is brought to the scale of each plane by the truth's gain and offset. What a
    package says of its uncertainty is taken without any fit: a standard deviation means something
    on the scale on which it is stated, or nothing.
    Planes without structure in the truth are left out where others have some. Only the part of the
    field is known in which all planes of input and truth have data.

    Parameters
    ----------
    restored
        Axes out of b, c, z, y, x.
    item
        What it was restored from.
    interval_factors
        Half-widths of the package's own intervals, in standard deviations, by nominal coverage.
    repeat
        What was restored from the repeat of the item, if that was done.
    delivery
        On which scale the package delivers.
    trust_mask
        What the package promises of structures.

    Returns
    -------
    list of MetricInputs
        By the names in `benchmark.metrics.metric.WHY_MISSING`, on the grid of the truth, or without
        truth on that of the restoration; and ``z``, the number of the plane in its volume.

    Raises
    ------
    RestorationError
        Restoration and truth differ in size, and not only in their pixel sizes.
    """
    input, truth = item.read_input(), item.read_target()
    predictions, truths = on_common_grid(restored, truth)
    on_grid = restored if truth is None else truth
    common: dict[str, object] = {
        "pixel_um": on_grid.attrs.get("pixel_size_um", {}).get("x") or item.pixel_size_um,
        "tolerance_um": item.tolerance_um,
        "microscope": item.microscope or None,
        "interval_factors": interval_factors or None,
        "trust_mask": trust_mask,
    }
    measured = _planes_on_grid(input, predictions.shape[-2:])
    stacks: Stacks = {
        "prediction": predictions,
        "delivered": predictions,
        "mean": predictions,  # where no channel has this name, the only one is meant
        "input": measured,
        **_own_channels(restored, predictions.shape),
    }
    if delivery == "own":
        stacks |= dict.fromkeys(("delivered", "mean", "std"), _OWN_SCALE)
    if repeat is not None:
        stacks["repeat"] = _planes_of_repeat(repeat, truth, predictions.shape)
    if item.native is not None:
        native = images.read(item.native)
        stacks["native"] = native.values.reshape(-1, *native.shape[-2:])
    together = dict.fromkeys(("image", "part"), len(predictions))
    sharing = {**together, "volumes": restored.sizes.get("z", 1)}.get(delivery, 1)
    shape = predictions.shape[-2:]
    part = scored_part([i for i in (input, truth) if i is not None], shape, _step(stacks, shape))
    if part is not None:
        if delivery in ("image", "volumes") and len(measured) == len(predictions):
            _rescale(stacks, *onto_part(measured, input, part, sharing))
        stacks = {
            name: cut(stack, part, shape) if isinstance(stack, np.ndarray) else stack
            for name, stack in stacks.items()
        }
        truths = None if truths is None else cut(truths, part, shape)
    if truths is not None:
        stacks["truth"] = [_normalised(plane) for plane in truths]
        if sharing > 1:
            _rescale(stacks, *_from_shared_scale(truths, sharing))
    known: list[MetricInputs] = []
    depth = on_grid.sizes.get("z", 1)
    for i in range(len(predictions)):
        plane = common | {"z": i % depth}
        for name, stack in stacks.items():
            if isinstance(stack, NotApplicable):
                plane[name] = stack
            elif len(stack) == len(predictions):
                plane[name] = stack[i]
        known.append(plane)
    with_structure = [plane for plane in known if not isinstance(plane.get("truth"), NotApplicable)]
    return with_structure or known


def judging_sample(known: MetricInputs) -> MetricInputs | None:
    """Return what is known when the single sample is judged instead of the mean.

    Parameters
    ----------
    known
        Of a plane, as `metric_inputs` gives it.

    Returns
    -------
    MetricInputs or None
        The sample as prediction, and nothing of the package's uncertainty or of a repeat, which is
        the mean's; None without sample.
    """
    sample = known.get("sample")
    if sample is None or isinstance(sample, NotApplicable):
        return None
    silent = NotApplicable("One sample says nothing of its uncertainty.")
    alone = NotApplicable("The repeat is compared with the mean: a sample's noise is drawn twice.")
    delivered = known.get("delivered")
    scale = delivered if isinstance(delivered, NotApplicable) else sample
    known = {**known, "prediction": sample, "delivered": scale, "repeat": alone}
    return known | dict.fromkeys((*_OWN_CHANNELS, "trust_mask"), silent)


def _own_channels(
    restored: xr.DataArray, shape: tuple[int, ...]
) -> dict[str, Planes | NotApplicable]:
    """Return the channels of a package by name, where they have the shape of what is judged."""
    found: dict[str, Planes | NotApplicable] = {}
    for name in _OWN_CHANNELS:
        channel = named_channel(restored, name)
        if channel is None:
            continue
        planes = planes_in(channel)
        if name == "sample" and planes.shape != shape:
            planes = _planes_on_grid(channel, shape[-2:])
        found[name] = planes
        if planes.shape != shape:
            found[name] = NotApplicable(
                "The package restores on a grid of its own, and interpolation changes an "
                "uncertainty."
            )
    return found


def _planes_of_repeat(
    repeat: xr.DataArray, truth: xr.DataArray | None, shape: tuple[int, ...]
) -> Planes | NotApplicable:
    try:
        planes, _ = on_common_grid(repeat, truth)
    except RestorationError:
        planes = planes_in(mean_channel(repeat))
    if planes.shape == shape:
        return planes
    return NotApplicable("The repeat is not of the same size as the image it repeats.")


def _step(stacks: Stacks, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many pixels, along y and x, lie along one of the microscope's."""
    native = stacks.get("native")
    if not isinstance(native, np.ndarray):
        return 1, 1
    rows, columns = (max(n // k, 1) for n, k in zip(shape, native.shape[-2:], strict=True))
    return rows, columns


def _rescale(stacks: Stacks, gain: Planes, offset: Planes) -> None:
    """Bring what is delivered to another scale."""
    for name in _DELIVERED:
        stack = stacks.get(name)
        if isinstance(stack, np.ndarray):
            stacks[name] = gain * stack + (0 if name in _SPREADS else offset)


def _from_shared_scale(truths: Planes, sharing: int) -> tuple[Planes, Planes]:
    """Return gain and offset from the scale that so many planes share to that of each of them."""
    levels = [LOW_PERCENTILE, HIGH_PERCENTILE]
    bottom, top = np.percentile(truths, levels, axis=(1, 2))
    groups = truths.reshape(-1, sharing, *truths.shape[1:])
    blank = groups.min((2, 3)) == groups.max((2, 3))  # packages leave these out of the scale
    low, high = np.repeat(
        [
            np.percentile(planes if flat.all() else planes[~flat], levels)
            for planes, flat in zip(groups, blank, strict=True)
        ],
        sharing,
        axis=0,
    ).T
    extent = np.where(top > bottom, top - bottom, 1)  # flat planes are left out
    return ((high - low) / extent)[:, None, None], ((low - bottom) / extent)[:, None, None]


def _normalised(plane: Planes) -> Planes | NotApplicable:
    try:
        return normalise(plane)
    except NotApplicable as reason:
        return reason


def _planes_on_grid(image: xr.DataArray, shape: tuple[int, ...]) -> Planes:
    return planes_in(xr.DataArray(onto_grid(image, (shape[0], shape[1])), dims=image.dims))
