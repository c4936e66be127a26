"""Checks that predict as bioimageio.core does by default: padded by the halo, and in blocks."""

import math
from contextlib import redirect_stderr
from importlib.metadata import version
from io import StringIO
from typing import Any

import numpy as np
from bioimageio.core import PredictionPipeline, Sample
from bioimageio.spec.model.v0_5 import AxisId, ParameterizedSize, WithHalo
from numpy.typing import NDArray

from packages.checks.contents import halos_out_of_step
from packages.checks.numbers import relative_difference, stated_tiles_tolerance
from packages.checks.subject import Arrays, CheckResult, Subject, arrays, judge
from packages.export import CORE_BLOCK_STEPS

CORE = f"bioimageio.core {version('bioimageio.core')}"
SAME_PICTURE = 1e-3
"""Largest difference inside an image, relative to the range, that nobody sees.

A halo that is the network's whole field of view leaves rounding, 1e-6; pooling that begins at
another pixel, or noise from another place of its bank, changes 1e-2 and more.
"""
LARGEST_BLOCK = 2**22
"""Values; larger blocks, as of volumes, would take minutes."""


def predicts_whole(subject: Subject) -> CheckResult:
    """Predict in one piece, which pads by the halo and crops it.

    Statistics are then of the padded image. That is not the package's to change, so how much it
    changes the picture is only said, and the images that are judged are normalised before.
    """
    if len(subject.description.inputs) != 1:
        return CheckResult("n/a", "It has several inputs.")
    weights = subject.formats[0]
    pipeline = subject.pipeline(weights)
    try:
        seen = arrays(pipeline.predict_sample_without_blocking(subject.sample(subject.test_input)))
    except Exception as error:
        return _error(subject, "on the test input", error)
    if wrong := _wrong_shapes(subject.outputs[weights], seen, "the test input"):
        return judge(wrong, "")
    values = {"test input": _difference(subject, subject.outputs[weights], seen)}
    as_seen = f"with the statistics of the padded test input {values['test input']:.1e}"
    if not _varying(subject):
        return CheckResult("passed", f"{CORE}: the right shape; {as_seen} of the range.", values)
    image = _image(subject, _larger(subject))
    prepared = subject.sample(image)
    try:
        pipeline.apply_preprocessing(prepared)
        alone, padded = (_network_alone(pipeline, prepared, pad=pad) for pad in (False, True))
    except Exception as error:
        return _error(subject, f"on {_shape(image)}", error)
    problems = _wrong_shapes(alone, padded, _shape(image))
    if not problems:
        values[_shape(image)] = _difference(subject, alone, padded)
        problems = _too_different(subject, values[_shape(image)], "padded by its halo")
    detail = f"{CORE}: the same at {_shape(image)} within {values.get(_shape(image), 0):.1e}"
    return judge(problems, f"{detail} of the range, {as_seen}.", values)


def predicts_in_blocks(subject: Subject) -> CheckResult:
    """Predict in blocks of the default size, which begin at minus the halo."""
    if len(subject.description.inputs) != 1:
        return CheckResult("n/a", "It has several inputs.")
    if not _varying(subject):
        return CheckResult("n/a", "Its sizes are fixed, so no whole image can be compared.")
    if not _halos(subject):
        problem = f"{CORE} puts blocks side by side, as no halo is stated: state one"
        return CheckResult("missing", f"{problem}.")
    if any("channel" not in [a.id for a in o.axes] for o in subject.description.outputs):
        problem = f"{CORE} joins no blocks of an output without an axis 'channel'"
        return CheckResult("missing", f"{problem}: give the network one.")
    block = _shape_for(subject, dict.fromkeys(_varying(subject), CORE_BLOCK_STEPS))
    if math.prod(block) > LARGEST_BLOCK:
        return CheckResult("n/a", f"Blocks of {'x'.join(map(str, block))} take too long here.")
    weights = subject.formats[0]
    image = _image(subject, block)
    try:
        whole = subject.run(weights, image)
        with redirect_stderr(StringIO()):  # it draws a bar of its own
            blocks = subject.pipeline(weights).predict_sample_with_blocking(subject.sample(image))
    except Exception as error:
        return _error(subject, f"in blocks of {_shape(image)}", error)
    problems = _wrong_shapes(whole, arrays(blocks), _shape(image))
    if problems:
        return judge(problems, "")
    value = _difference(subject, whole, arrays(blocks))
    problems = _too_different(subject, value, f"in blocks of {_shape(image)}")
    detail = f"{CORE}: the same in blocks of {_shape(image)} within {value:.1e} of the range."
    return judge(problems, detail, {_shape(image): value})


def _network_alone(pipeline: PredictionPipeline, prepared: Sample, *, pad: bool) -> Arrays:
    """Predict from what is normalised, without postprocessing: it may measure its input."""
    return arrays(
        pipeline.predict_sample_without_blocking(
            prepared,
            skip_preprocessing=True,
            skip_postprocessing=True,
            skip_input_padding=not pad,
            skip_output_cropping=not pad,
        )
    )


def _varying(subject: Subject) -> dict[AxisId, ParameterizedSize]:
    [tensor] = subject.description.inputs
    return {a.id: a.size for a in tensor.axes if isinstance(a.size, ParameterizedSize)}


def _shape_for(subject: Subject, steps: dict[AxisId, int]) -> tuple[int, ...]:
    """Return the input's shape of one image with sizes min + n * step, for n of each axis."""
    [tensor] = subject.description.inputs
    every = {(tensor.id, axis): n for axis, n in steps.items()}
    sizes = subject.description.get_tensor_sizes(every, batch_size=1).inputs[tensor.id]
    return tuple(sizes[axis.id] for axis in tensor.axes)


def _larger(subject: Subject) -> tuple[int, ...]:
    """Return the shape one step larger than the test input along every axis that varies."""
    [tensor] = subject.description.inputs
    axes = [axis.id for axis in tensor.axes]
    given = dict(zip(axes, subject.test_input[tensor.id].shape, strict=True))
    varying = _varying(subject).items()
    return _shape_for(subject, {a: (given[a] - s.min) // s.step + 1 for a, s in varying})


def _image(subject: Subject, shape: tuple[int, ...]) -> Arrays:
    """Mirror the test input up to a shape, or crop it."""
    [(name, given)] = subject.test_input.items()
    missing = [(0, max(n - m, 0)) for n, m in zip(shape, given.shape, strict=True)]
    mirrored = np.pad(given, missing, mode="symmetric")
    return {name: mirrored[tuple(slice(n) for n in shape)]}


def _shape(image: Arrays) -> str:
    [given] = image.values()
    return "x".join(str(n) for n in given.shape if n > 1)


def _halos(subject: Subject) -> dict[str, list[int]]:
    """Return the halo along each axis of the outputs that have one."""
    halos = {
        str(tensor.id): [a.halo if isinstance(a, WithHalo) else 0 for a in tensor.axes]
        for tensor in subject.description.outputs
    }
    return {name: along for name, along in halos.items() if any(along)}


def _difference(subject: Subject, expected: Arrays, found: Arrays) -> float:
    """Return the largest relative difference farther than the halo from the border."""
    halos = _halos(subject)

    def inside(name: str, array: NDArray[Any]) -> NDArray[Any]:
        halo = halos.get(name, [0] * array.ndim)
        return array[tuple(slice(h, n - h) for h, n in zip(halo, array.shape, strict=True))]

    return max(
        relative_difference(inside(name, array), inside(name, found[name]))
        for name, array in expected.items()
    )


def _wrong_shapes(expected: Arrays, found: Arrays, where: str) -> list[str]:
    return [
        f"{CORE} makes {found[name].shape} of {where} for '{name}', not {array.shape}"
        for name, array in expected.items()
        if found[name].shape != array.shape
    ]


def _too_different(subject: Subject, value: float, how: str) -> list[str]:
    if value <= max(stated_tiles_tolerance(subject) or 0, SAME_PICTURE):
        return []
    advice = "; ".join(halos_out_of_step(subject)) or "state a larger halo"
    return [f"{CORE} makes another picture {how}, by {value:.1e} of the range: {advice}"]


def _error(subject: Subject, where: str, error: Exception) -> CheckResult:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = f"{CORE} fails {where} ({lines[0].rstrip('.')})"
    return judge([": ".join([reason, *halos_out_of_step(subject)])], "")
