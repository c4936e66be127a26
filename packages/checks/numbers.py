"""Checks that run the networks: what a package computes."""

import math
import time
from collections.abc import Mapping
from itertools import combinations
from typing import Any, get_args

import numpy as np
import xarray as xr
from bioimageio.core import test_description
from bioimageio.core.common import SupportedWeightsFormat
from bioimageio.spec.model.v0_5 import (
    BatchAxis,
    InputTensorDescr,
    OutputTensorDescr,
    ParameterizedSize,
    ReproducibilityTolerance,
    SizeReference,
)
from bioimageio.spec.utils import load_image
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.tiles import AxisGeometry, tightest
from packages.checks.github import users_nobody_could_look_up
from packages.checks.subject import CheckResult, Subject, judge
from packages.export import TILES_TOLERANCE
from packages.network import Network
from packages.package import Weights
from packages.restoration import Region
from packages.runner import Runner

FORMATS_TOLERANCE = 1e-4
"""Largest difference between formats that need not be justified, relative to the output's range."""
SAME_TOLERANCE = 1e-5
"""Largest difference, relative to the range, of results that differ by rounding alone."""
SMALL_SIZES = ((1, 1), (7, 13))
KEPT, KEPT_OF_VOLUMES = 128, 32
"""Pixels of a tile's side that are not halo."""
ODD_SIZES = (13, 5)
"""Pixels by which the sides of a tiled image exceed two tiles' parts that are not halo."""

SHOWS_PX = 64
"""Side of an image in pixels in which there is something to see."""


def passes_the_zoos_test(subject: Subject) -> CheckResult:
    """Run `bioimageio test` for each format, each on a description that was never tested.

    A second test of the same description object hides the failures of the first, and the summary
    of a failed test says ``valid-format``: every detail is looked at.
    """
    problems: list[str] = []
    seconds: dict[str, float] = {}
    unknown = users_nobody_could_look_up(subject.description)
    for name in get_args(SupportedWeightsFormat):
        if getattr(subject.description.weights, name, None) is None:
            continue
        if name not in subject.formats:
            # Formats that nothing here runs, as Keras, may hold code too, and are left alone.
            if name in get_args(Weights):
                problems.append(
                    f"{name} was not run, as it is Python code from elsewhere: give --trust"
                )
            continue
        start = time.perf_counter()
        summary = test_description(subject.package.path, weight_format=name, devices=["cpu"])
        seconds[name] = round(time.perf_counter() - start, 2)
        failures = [detail for detail in summary.details if detail.status != "passed"]
        if summary.status != "passed" or failures:
            errors = [error.msg.split("\n")[0].strip(" .") for d in failures for error in d.errors]
            problems.append(f"{name}: {errors[0] if errors else summary.status}")
    took = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    if unknown:
        took += f"; GitHub could not be asked about {', '.join(unknown)}"
    return judge(problems, f"{took}.", seconds)


def has_no_nan(subject: Subject) -> CheckResult:
    """Look for NaN and Inf in test tensors, sample tensors and the outputs of each format."""
    arrays: dict[str, NDArray[Any]] = {
        **{f"test tensor '{name}'": a for name, a in subject.test_input.items()},
        **{f"test tensor '{name}'": a for name, a in subject.test_output.items()},
        **{
            f"sample tensor '{tensor.id}'": load_image(tensor.sample_tensor)
            for tensor in subject.tensors
            if tensor.sample_tensor is not None
        },
        **{
            f"{weights} output '{name}'": array
            for weights, outputs in subject.outputs.items()
            for name, array in outputs.items()
        },
    }
    counts = {name: int((~np.isfinite(array)).sum()) for name, array in arrays.items()}
    problems = [f"{name}: {count} values are NaN or Inf" for name, count in counts.items() if count]
    return judge(problems, f"All of {len(arrays)} tensors are finite.")


def formats_agree(subject: Subject) -> CheckResult:
    """Compare the outputs of the formats with each other, pair by pair."""
    if len(subject.formats) < 2:
        return CheckResult("n/a", "There are not two weights formats to compare.")
    problems: list[str] = []
    values: dict[str, float] = {}
    for first, second in combinations(subject.formats, 2):
        for name, a in subject.outputs[first].items():
            b = subject.outputs[second][name]
            pair = f"{first}/{second} '{name}'"
            values[pair] = relative_difference(a, b)
            stated = _stated_tolerance(subject, (first, second), name)
            if not (values[pair] <= FORMATS_TOLERANCE or (stated and _within(stated, a, b))):
                problems.append(f"{pair} differ by {values[pair]:.1e} of the range")
    largest = max(values, key=lambda pair: values[pair])
    return judge(problems, f"At most {values[largest]:.1e} of the range ({largest}).", values)


def tiles_equal_whole(subject: Subject) -> CheckResult:
    """Restore an image in tiles and in one piece, and images smaller than a tile."""
    image = _test_image(subject)
    if image is None:
        return CheckResult("n/a", "The input is not an image whose size may vary.")
    try:
        restore = Runner(subject.package, device="cpu")
    except UserError as reason:  # its processing needs whole images
        return CheckResult("n/a", str(reason))
    geometry = Network(subject.package, device="cpu").geometry
    # As many voxels as planes have pixels would take many minutes.
    kept = KEPT_OF_VOLUMES if "z" in geometry else KEPT
    tile = kept + 2 * max(axis.halo + axis.margin for axis in geometry.values())
    for height, width in SMALL_SIZES:
        sized = _of_size(image, height, width)
        # A plane of one pixel is an image with nothing in it, a stack of two unequal ones is not.
        restore(xr.concat([sized, sized + 1], "b"), tile=tile)
    # Three tiles or more along each axis; the image ends where no step of the network does.
    height, width = (max(2 * kept, tile) + odd for odd in ODD_SIZES)
    sized = _of_size(image, height, width)
    whole = restore(sized, tile=tile + 2 * height)
    value = max(
        relative_difference(whole.values, restore(sized, tile=tile).values),
        _difference_inside(restore, sized, whole.values, geometry),
    )
    size, tolerance = f"{height}x{width}", stated_tiles_tolerance(subject) or SAME_TOLERANCE
    problem = f"at {size} tiles differ from the whole by {value:.1e} of the range"
    small = " and ".join(f"{height}x{width}" for height, width in SMALL_SIZES)
    detail = f"At most {value:.1e} of the range ({size}); {small} can be restored."
    return judge([] if value <= tolerance else [problem], detail, {size: value})


def _of_size(image: xr.DataArray, height: int, width: int) -> xr.DataArray:
    """Crop or repeat an image."""
    return image.isel(y=np.arange(height) % image.sizes["y"], x=np.arange(width) % image.sizes["x"])


def _difference_inside(
    restore: Runner,
    image: xr.DataArray,
    whole: NDArray[np.float32],
    geometry: Mapping[str, AxisGeometry],
) -> float:
    """Compare a window that sees no more around what it keeps than the halo with the whole."""
    restoration = restore.prepare(image, (image.sizes["y"], image.sizes["x"]))
    along = tuple(
        (tightest(image.sizes.get(axis, 1), geometry.get(axis, AxisGeometry(1, 1))),)
        for axis in "zyx"
    )
    if restoration.awaits_result:  # it is finished as a whole
        return 0.0
    region = Region(0, along)
    difference = np.abs(restoration.restore(region) - whole[restoration.index(region)])
    return float(difference.max()) / (float(np.ptp(whole)) or 1.0)


def batch_equals_singles(subject: Subject) -> CheckResult:
    """Restore two images of different brightness in one batch and one by one.

    They are the middle of the test input and its mirror image: what a batch shares it shares at any
    size.
    """
    tensor = subject.package.input
    position, size = _batch_axis(tensor)
    if position is None or size == 1:
        return CheckResult("n/a", "The description allows one image per batch only.")
    one = _middle(tensor, subject.test_input[tensor.id]).take([0], position)
    # Another brightness shows statistics that are shared within a batch.
    other = (np.flip(one, -1) * 0.5).astype(one.dtype)
    both = np.concatenate([one, other], position)
    values: dict[str, float] = {}
    for weights in subject.formats:
        batch = subject.run(weights, {tensor.id: both})
        singles = [subject.run(weights, {tensor.id: image}) for image in (one, other)]
        for output in subject.description.outputs:
            position_out, _ = _batch_axis(output)
            if position_out is None:
                return CheckResult("failed", f"Output '{output.id}' has no batch axis.")
            expected = np.concatenate([single[output.id] for single in singles], position_out)
            key = f"{weights} '{output.id}'"
            values[key] = relative_difference(expected, batch[output.id])
    problems = [
        f"{key} differs by {value:.1e} of the range when two images share a batch"
        for key, value in values.items()
        if not value <= SAME_TOLERANCE
    ]
    return judge(problems, f"At most {max(values.values()):.1e} of the range.", values)


def _middle(tensor: InputTensorDescr, image: NDArray[Any]) -> NDArray[Any]:
    """Cut the middle out, of the smallest size allowed that shows something."""
    along: list[slice] = []
    for axis, length in zip(tensor.axes, image.shape, strict=True):
        side = length
        if isinstance(axis.size, ParameterizedSize):
            steps = math.ceil(max(SHOWS_PX - axis.size.min, 0) / axis.size.step)
            side = min(length, axis.size.min + steps * axis.size.step)
        start = (length - side) // 2
        along.append(slice(start, start + side))
    return image[tuple(along)]


def is_deterministic(subject: Subject) -> CheckResult:
    """Run each format twice on the same input and compare the bits."""
    changed = [
        name
        for name in subject.formats
        if any(
            array.tobytes() != subject.outputs[name][tensor].tobytes()
            for tensor, array in subject.run(name, subject.test_input).items()
        )
    ]
    return judge(
        [f"{name} gives other values when run again" for name in changed],
        f"The same bits twice: {', '.join(subject.formats)}.",
    )


def relative_difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest difference of two arrays as a fraction of the first one's range.

    Parameters
    ----------
    a, b
        Arrays of one shape.

    Returns
    -------
    float
        ``max |a - b| / (max a - min a)``; the plain difference where `a` is constant, infinite
        where the shapes differ.
    """
    if a.shape != b.shape:
        return float("inf")
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.abs(a - b).max() / (np.ptp(a) or 1.0))


def stated_tiles_tolerance(subject: Subject) -> float | None:
    """Return the difference that a package states for its tiles, relative to the range.

    Parameters
    ----------
    subject
        The package.

    Returns
    -------
    float or None
        No more than `build` states for a network that draws samples.
    """
    stated = subject.package.own_entries.get("tiles_tolerance")
    return min(stated, TILES_TOLERANCE) if isinstance(stated, float) else None


def _stated_tolerance(
    subject: Subject, weights: tuple[Weights, ...], output: str
) -> ReproducibilityTolerance | None:
    for stated in subject.description.config.bioimageio.reproducibility_tolerance:
        concerns_format = not stated.weights_formats or set(weights) & set(stated.weights_formats)
        if concerns_format and (not stated.output_ids or output in stated.output_ids):
            return stated
    return None


def _within(stated: ReproducibilityTolerance, a: NDArray[Any], b: NDArray[Any]) -> bool:
    close = np.isclose(b, a, stated.relative_tolerance, stated.absolute_tolerance)
    return float((~close).mean()) * 1e6 <= stated.mismatched_elements_per_million


def _batch_axis(tensor: InputTensorDescr | OutputTensorDescr) -> tuple[int | None, int | None]:
    """Position and size of the batch axis."""
    for position, axis in enumerate(tensor.axes):
        if isinstance(axis, BatchAxis):
            return position, axis.size
    return None, None


def _test_image(subject: Subject) -> xr.DataArray | None:
    """Test input as an image, or None where it is none that could be of another size."""
    tensor = subject.package.input
    names = {"batch": "b", "channel": "c"}
    dims = [names.get(axis.type, str(axis.id)) for axis in tensor.axes]
    varies = {
        str(axis.id): isinstance(axis.size, ParameterizedSize | SizeReference)
        for axis in tensor.axes
    }
    if not set(dims) <= set("bczyx") or not (varies.get("y") and varies.get("x")):
        return None
    image = xr.DataArray(subject.test_input[tensor.id].astype(np.float32), dims=dims)
    return image.isel({d: 0 for d in dims if d == "b" or (d in "cz" and image.sizes[d] == 1)})
