"""Checks that read the files: what a package contains, and who can open it."""

import ast
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from bioimageio.spec.model.v0_5 import (
    ArchitectureFromFileDescr,
    ParameterizedSize,
    SizeReference,
    WithHalo,
)
from packaging.version import Version
from PIL import Image

from packages.checks.subject import CheckResult, Subject, judge
from packages.models import models
from packages.source import self_contained

NEWEST_FORMAT = Version("0.5.9")
NEWEST_OPSET, NEWEST_IR = 17, 8
"""The newest ONNX that ONNX Runtime 1.13.1 reads, which deepImageJ runs."""
COVER_BYTES = 500_000
COVER_ASPECTS = (1.0, 2.0)
REQUIRED = ("description", "authors", "cite", "license", "tags", "documentation")
MODEL_CARD = (
    "evaluations",
    "training",
    "bias_risks_limitations",
    "inference_time",
    "memory_requirements_inference",
    "model_parameter_count",
    "architecture_type",
    "modality",
    "task",
    "out_of_scope_use",
)
NOT_IN_JDLL = {"softmax", "scale_mean_variance", "custom"}
JDLL_ABSOLUTE, JDLL_RELATIVE = 1.5e-4, 1e-4
"""What deepImageJ's engine allows between an output and the test output, without exception."""


def old_readers_can_open(subject: Subject) -> CheckResult:
    """Apply to the YAML what readers of older formats refuse (docs/decisions/0005).

    The rest of the schema did not change between bioimageio.core 0.10.4 and 0.11.0, and the
    latter validates it when the package is opened.
    """
    content = subject.content
    if str(content["format_version"]).startswith("0.4"):
        return CheckResult(
            "passed", f"Format {content['format_version']} is older than the readers."
        )
    problems: list[str] = []
    if Version(content["format_version"]) > NEWEST_FORMAT:
        problems.append(f"format_version {content['format_version']} is newer than {NEWEST_FORMAT}")
    problems += [f"{where} is not a plain string" for where in _maps_instead_of_strings(content)]
    tensors = [
        *((f"inputs[{i}]", tensor) for i, tensor in enumerate(content["inputs"])),
        *((f"outputs[{i}]", tensor) for i, tensor in enumerate(content["outputs"])),
    ]
    for where, tensor in tensors:
        if "output_of" in tensor:
            problems.append(f"{where} has output_of, which they do not know")
        for position, axis in enumerate(tensor["axes"]):
            if "id" not in axis:
                problems.append(f"{where}.axes[{position}] has no id")
            problems += [
                f"channel name '{name}' of {where} is no identifier"
                for name in axis.get("channel_names", ())
                if not name.isidentifier()
            ]
    return judge(problems, f"Format {content['format_version']} with plain strings and axis ids.")


def onnx_is_portable(subject: Subject) -> CheckResult:
    """Read opset, IR version and data location back from the ONNX file, and open it."""
    weights = subject.description.weights.onnx
    if weights is None:
        return CheckResult("n/a", "There are no ONNX weights.")
    content = subject.read(weights)
    model = onnx.load_from_string(content)
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    problems: list[str] = []
    if opset > NEWEST_OPSET:
        problems.append(f"opset {opset} is newer than {NEWEST_OPSET}")
    if model.ir_version > NEWEST_IR:
        problems.append(f"IR {model.ir_version} is newer than {NEWEST_IR}")
    if opset != weights.opset_version:
        problems.append(f"the description says opset {weights.opset_version}, the file {opset}")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        problems.append("its weights lie in a second file")
    else:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        problems += _fixed_axes(subject, [entry.shape for entry in session.get_inputs()])
    detail = f"Opset {opset}, IR {model.ir_version}, one file, opens in onnxruntime."
    return judge(problems, detail, {"opset": opset, "ir": model.ir_version})


def torchscript_loads(subject: Subject) -> CheckResult:
    """Open the TorchScript file with torch alone."""
    weights = subject.description.weights.torchscript
    if weights is None:
        return CheckResult("n/a", "There are no TorchScript weights.")
    network = torch.jit.load(io.BytesIO(subject.read(weights)), map_location="cpu")
    count = sum(parameter.numel() for parameter in network.parameters())
    return CheckResult("passed", f"{count} parameters.", {"parameters": count})


def architecture_is_self_contained(subject: Subject) -> CheckResult:
    """Look for imports other than torch and the standard library in the architecture file."""
    weights = subject.description.weights.pytorch_state_dict
    if weights is None:
        return CheckResult("n/a", "There is no state dict.")
    architecture = weights.architecture
    if not isinstance(architecture, ArchitectureFromFileDescr):
        return CheckResult("failed", f"It comes from the library {architecture.import_from}.")
    foreign = _imported(subject.read(architecture)) - {"torch"} - sys.stdlib_module_names
    return judge([f"it imports {name}" for name in sorted(foreign)], "Torch and standard library.")


def architecture_is_the_rooms(subject: Subject) -> CheckResult:
    """Compare the architecture file with the models of this house."""
    weights = subject.description.weights.pytorch_state_dict
    if weights is None or not isinstance(weights.architecture, ArchitectureFromFileDescr):
        return CheckResult("n/a", "There is no architecture file.")
    source = subject.read(weights.architecture)
    for room in models():
        same = self_contained(room.model_file).encode() == source
        if same or room.description()["name"] == subject.package.name:
            where = f"packages/{room.name}/model.py"
            return judge([] if same else [f"it differs from {where}"], f"The bytes of {where}.")
    return CheckResult("n/a", "It is not one of our models.")


def has_what_the_zoo_asks(subject: Subject) -> CheckResult:
    """Look for the fields and files whose absence the zoo's validation complains about."""
    problems = [f"no {key}" for key in REQUIRED if not subject.content.get(key)]
    problems += [f"no test tensor of '{t.id}'" for t in subject.tensors if t.test_tensor is None]
    documentation = subject.description.documentation
    if documentation is not None:
        text = subject.read(documentation).decode("utf-8")
        if not re.search(r"^#+.*validation", text, re.IGNORECASE | re.MULTILINE):
            problems.append("the documentation has no heading with 'Validation'")
    return judge(problems, f"{', '.join(REQUIRED)}, test tensors, a Validation heading.")


def has_good_covers(subject: Subject) -> CheckResult:
    """Look at type, size and aspect of the covers."""
    wishes: list[str] = []
    if not subject.description.covers:
        wishes.append("no cover")
    for cover in subject.description.covers:
        name, content = Path(str(cover.source)).name, subject.read(cover)
        if len(content) > COVER_BYTES:
            wishes.append(f"{name} has {len(content) / 1000:.0f} KB, more than 500")
        if Path(name).suffix.lower() == ".svg":
            continue
        width, height = Image.open(io.BytesIO(content)).size
        if not any(abs(width / height - aspect) < 0.02 for aspect in COVER_ASPECTS):
            wishes.append(f"{name} is {width} x {height}, neither 2:1 nor 1:1")
    return wish(wishes, f"{len(subject.description.covers)} of the right size and aspect.")


def has_physical_sizes(subject: Subject) -> CheckResult:
    """Look for a unit and a pixel size on each space axis, and for a halo."""
    wishes = [
        f"axis {axis.id} of '{tensor.id}' has no unit"
        for tensor in subject.tensors
        for axis in tensor.axes
        if axis.type == "space" and axis.unit is None
    ]
    outputs = [axis for tensor in subject.description.outputs for axis in tensor.axes]
    halos = [axis.halo for axis in outputs if isinstance(axis, WithHalo)]
    if not halos and any(isinstance(axis.size, SizeReference) for axis in outputs):
        wishes.append("no halo")
    return wish(wishes, f"Units on every axis, halo {max(halos, default=0)} pixels.")


def has_model_card(subject: Subject) -> CheckResult:
    """Look for the model card, sample tensors and further wishes of the zoo."""
    card = subject.content.get("config", {}).get("bioimageio", {})
    wishes = [f"no {key}" for key in MODEL_CARD if not card.get(key)]
    wishes += [f"no sample of '{t.id}'" for t in subject.tensors if t.sample_tensor is None]
    if subject.content.get("id"):
        wishes.append("an id, which the zoo refuses at upload")
    return wish(wishes, f"{len(MODEL_CARD)} entries, and sample tensors.")


def names_its_consumers(subject: Subject) -> CheckResult:
    """Say which programs can take the package, and why others cannot."""
    description = subject.description
    steps = [step.id for tensor in description.inputs for step in tensor.preprocessing]
    steps += [step.id for tensor in description.outputs for step in tensor.postprocessing]
    one_input, one_output = len(description.inputs) == 1, len(description.outputs) == 1
    kinds = [[axis.type for axis in tensor.axes] for tensor in subject.tensors]
    weights = set(subject.formats)
    reasons = {
        "ilastik": [
            *([] if one_input and one_output else ["takes one input and one output"]),
            *([] if all("channel" in k for k in kinds) else ["needs a channel axis"]),
            *(
                []
                if all(k.count("space") in (2, 3) for k in kinds)
                else ["needs 2 or 3 space axes"]
            ),
            *([] if weights - {"onnx"} else ["needs TorchScript or a state dict"]),
        ],
        "deepImageJ": [
            *([] if one_input else ["takes one input"]),
            *([] if weights else ["needs TorchScript, ONNX or a state dict"]),
            *(f"does not know {step}" for step in sorted(NOT_IN_JDLL & set(steps))),
            *(f"finds {name} beyond its tolerance" for name in _beyond_jdll(subject)),
        ],
    }
    refusals = [f"{name} {' and '.join(why)}" for name, why in reasons.items() if why]
    return wish(refusals, f"bioimageio.core, {', '.join(reasons)}.")


def wish(wishes: list[str], otherwise: str) -> CheckResult:
    """Note unmet wishes, or pass.

    Parameters
    ----------
    wishes
        What the zoo would like and does not find, each a clause.
    otherwise
        What to say when there is none.

    Returns
    -------
    CheckResult
        Missing or passed.
    """
    return (
        CheckResult("missing", "; ".join(wishes) + ".")
        if wishes
        else CheckResult("passed", otherwise)
    )


def _maps_instead_of_strings(content: dict[str, Any]) -> list[str]:
    """List entries that formats before 0.5.11 knew as plain strings only."""
    places: dict[str, Any] = {}
    inline_data = content.get("training_data") or {}
    for prefix, resource in (("", content), ("training_data.", inline_data)):
        single = ("documentation", "icon", "license")
        places |= {prefix + key: resource.get(key) for key in single}
        places |= {f"{prefix}covers[{i}]": c for i, c in enumerate(resource.get("covers") or [])}
    return [where for where, entry in places.items() if isinstance(entry, dict)]


def _fixed_axes(subject: Subject, shapes: list[list[int | str | None]]) -> list[str]:
    """List axes that vary in the description and have one size in the ONNX file."""
    return [
        f"axis {axis.id} of '{tensor.id}' has the fixed size {size}"
        for tensor, shape in zip(subject.description.inputs, shapes, strict=True)
        for axis, size in zip(tensor.axes, shape, strict=True)
        if (isinstance(axis.size, ParameterizedSize) or axis.size is None) and isinstance(size, int)
    ]


def _imported(source: bytes) -> set[str]:
    """List the top-level modules that Python source imports; "." is its own folder."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else (node.module or "").split(".")[0])
    return names


def _beyond_jdll(subject: Subject) -> list[str]:
    """Name the formats further from the test output than deepImageJ allows anywhere."""
    return [
        name
        for name, outputs in subject.outputs.items()
        if not all(
            np.allclose(outputs[tensor], expected, JDLL_RELATIVE, JDLL_ABSOLUTE)
            for tensor, expected in subject.test_output.items()
        )
    ]
