"""Checks that ask what the programs of others make of a package."""

from importlib.metadata import version

import numpy as np
from bioimageio.spec.model.v0_5 import (
    ChannelAxis,
    InputTensorDescr,
    OutputTensorDescr,
    ReproducibilityTolerance,
)
from packaging.version import Version

from packages.checks import jdll
from packages.checks.contents import engine_reads_onnx
from packages.checks.subject import CheckResult, Subject, judge, wish

ILASTIK = "ilastik (tiktorch 26.5)"
ILASTIK_AXES = {"batch", "time", "z", "y", "x", "channel"}
NEWEST_TORCH = Version("2.0")
"""The newest libtorch that deepImageJ runs."""
JDLL_ABSOLUTE, JDLL_RELATIVE = 1.5e-4, 1e-4
"""What deepImageJ's engine allows between an output and the test output, without exception."""
LARGEST_TOLERANCE = 0.01
"""Of an output's largest test value: what bioimageio.spec allows from 0.5.14.2 on."""
NEW_SPEC = "bioimageio.spec 0.5.14.2"
COLOURS = {3: "RGB", 4: "RGBA"}


def ilastik_takes_it(subject: Subject) -> CheckResult:
    """Say whether ilastik can take the package: one image in, one out, with axes that it names."""
    description = subject.description
    kinds = [[axis.type for axis in tensor.axes] for tensor in subject.tensors]
    ids = {str(axis.id) for tensor in subject.tensors for axis in tensor.axes}
    one_each = len(description.inputs) == 1 and len(description.outputs) == 1
    wishes = [
        *([] if one_each else ["takes one input and one output"]),
        *([] if all("channel" in k for k in kinds) else ["needs a channel axis"]),
        *([] if all(k.count("space") in (2, 3) for k in kinds) else ["needs 2 or 3 space axes"]),
        *([] if set(subject.formats) - {"onnx"} else ["needs TorchScript or a state dict"]),
        *(f"does not know the axis '{name}'" for name in sorted(ids - ILASTIK_AXES)),
    ]
    return wish(_said_by(ILASTIK, wishes), f"Taken by {ILASTIK}.")


def deepimagej_takes_it(subject: Subject) -> CheckResult:
    """Say whether deepImageJ can take the package, and fail it where the description bars it.

    What the network is, a second input for instance, is no fault of the package.
    """
    description, content = subject.description, subject.content
    steps = {step.id for tensor in description.inputs for step in tensor.preprocessing}
    steps |= {step.id for tensor in description.outputs for step in tensor.postprocessing}
    barred = [
        *([] if len(description.inputs) == 1 else ["takes one input"]),
        *([] if _has_channels(description.inputs[0]) else ["needs a channel axis"]),
        *([] if _runnable_in_java(subject) else ["has no engine as new as the weights"]),
        *(f"does not know {step}" for step in sorted(jdll.NOT_KNOWN & steps)),
        *(f"finds {name} beyond its tolerance" for name in _beyond_tolerance(subject)),
    ]
    faults: list[str] = []
    if not str(content["format_version"]).startswith("0.4"):
        faults += jdll.lacks_id(content) + jdll.misread_axes(content)
        faults += jdll.physical_scales(content) + jdll.untiled_images(content)
        barred += jdll.other_sizes(content) + jdll.refused_images(content)
    said = _said_by(jdll.VERSION, faults + barred)
    return judge(said, "") if faults else wish(said, f"Taken by {jdll.VERSION}.")


def newer_specs_allow_its_tolerances(subject: Subject) -> CheckResult:
    """Apply the rule of newer specs that a tolerance must be small beside the output.

    As there, of several entries the first that concerns an output counts.
    """
    problems: list[str] = []
    for output in subject.description.outputs:
        largest = float(subject.test_output[output.id].max()) * LARGEST_TOLERANCE
        tolerance = _tolerance_of(output, subject)
        if tolerance is not None and tolerance > largest:
            problems.append(
                f"{NEW_SPEC} refuses the absolute tolerance {tolerance:g} of '{output.id}', more "
                f"than {LARGEST_TOLERANCE:.0%} of its largest test value: state at most "
                f"{largest:.2g} in config.bioimageio.reproducibility_tolerance"
            )
    return judge(problems, f"Small enough for {NEW_SPEC}.")


def tiffs_are_images(subject: Subject) -> CheckResult:
    """Say where bioimageio.core writes channels as colours, in a file that few programs open."""
    core = f"bioimageio.core {version('bioimageio.core')}"
    wishes = [
        f"{core} writes the {count} channels of '{output.id}' as one {COLOURS[count]} page of "
        f"{output.dtype}, which Pillow cannot open: let it write .npy, or use `packages predict`"
        for output in subject.description.outputs
        for axis in output.axes
        if isinstance(axis, ChannelAxis) and (count := len(axis.channel_names)) in COLOURS
    ]
    return wish(wishes, f"{core} writes no channels as colours.")


def _said_by(program: str, clauses: list[str]) -> list[str]:
    return [f"{program} {clauses[0]}", *clauses[1:]] if clauses else []


def _has_channels(tensor: InputTensorDescr) -> bool:
    return any(isinstance(axis, ChannelAxis) for axis in tensor.axes)


def _runnable_in_java(subject: Subject) -> bool:
    """Tell whether an engine of JDLL is new enough; state dicts run in a Python of its own."""
    weights = subject.description.weights
    script = weights.torchscript
    if script and Version(str(script.pytorch_version)).release[:2] <= NEWEST_TORCH.release:
        return True
    if weights.onnx and engine_reads_onnx(subject.read(weights.onnx)):
        return True
    return weights.pytorch_state_dict is not None


def _beyond_tolerance(subject: Subject) -> list[str]:
    """Name the formats further from the test output than deepImageJ allows anywhere."""
    return [
        name
        for name, outputs in subject.outputs.items()
        if not all(
            np.allclose(outputs[tensor], expected, JDLL_RELATIVE, JDLL_ABSOLUTE)
            for tensor, expected in subject.test_output.items()
        )
    ]


def _tolerance_of(output: OutputTensorDescr, subject: Subject) -> float | None:
    """Return the absolute tolerance of an output: the first stated, or the default."""
    stated = subject.description.config.bioimageio.reproducibility_tolerance
    if not stated and str(output.dtype).startswith("float"):
        return float(ReproducibilityTolerance().absolute_tolerance)
    concerned = (s for s in stated if not s.output_ids or output.id in s.output_ids)
    first = next(concerned, None)
    return None if first is None else float(first.absolute_tolerance)
