"""Checks that read the files: what a package contains, and who can open it."""

import ast
import io
import re
import sys
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from bioimageio.spec.model.v0_5 import (
    ArchitectureFromFileDescr,
    ParameterizedSize,
    WithHalo,
)
from packaging.version import Version
from PIL import Image

from packages.checks.subject import CheckResult, Subject, judge, wish
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
    opset = _opset(model)
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


def engine_reads_onnx(content: bytes) -> bool:
    """Tell whether the ONNX Runtime of deepImageJ is new enough for a file.

    Parameters
    ----------
    content
        Of the ONNX file.

    Returns
    -------
    bool
        By opset and IR version.
    """
    model = onnx.load_from_string(content)
    return _opset(model) <= NEWEST_OPSET and model.ir_version <= NEWEST_IR


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


def has_pixel_size_and_halo(subject: Subject) -> CheckResult:
    """Look for a pixel size, on the axes or in config, and for a halo that keeps blocks in phase.

    deepImageJ misreads a scale of the axes, which its own row says.
    """
    pixel = subject.package.pixel_size_um
    wishes = [] if pixel else ["no pixel size in config.restoration_zoo.pixel_size_um"]
    halos = _input_halos(subject)
    for tensor in subject.description.inputs:
        for axis in tensor.axes:
            if not isinstance(size := axis.size, ParameterizedSize):
                continue
            halo = halos.get((str(tensor.id), str(axis.id)))
            if halo is None:
                wishes.append(f"no halo along {axis.id}")
            elif size.min < 2 * halo + size.step:
                wishes.append(f"min along {axis.id} is less than 2 * halo + step")
    wishes += halos_out_of_step(subject)
    sizes = ", ".join(f"{name} {size:g}" for name, size in pixel.items())
    return wish(wishes, f"{sizes} µm; the halo is a multiple of the step.")


def halos_out_of_step(subject: Subject) -> list[str]:
    """Name halos that are no multiple of the step, so that blocks begin out of phase.

    Parameters
    ----------
    subject
        The package.

    Returns
    -------
    list of str
        Clauses with what to change.
    """
    halos = _input_halos(subject)
    axes: dict[str, list[str]] = {}
    for tensor in subject.description.inputs:
        for axis in tensor.axes:
            halo = halos.get((str(tensor.id), str(axis.id)), 0)
            if isinstance(size := axis.size, ParameterizedSize) and halo % size.step:
                change = f"make the halo of {halo:g} a multiple of the step {size.step}"
                axes.setdefault(change, []).append(str(axis.id))
    return [f"{change} along {', '.join(names)}" for change, names in axes.items()]


def has_model_card(subject: Subject) -> CheckResult:
    """Look for the model card, sample tensors and further wishes of the zoo."""
    card = subject.content.get("config", {}).get("bioimageio", {})
    wishes = [f"no {key}" for key in MODEL_CARD if not card.get(key)]
    wishes += [f"no sample of '{t.id}'" for t in subject.tensors if t.sample_tensor is None]
    return wish(wishes, f"{len(MODEL_CARD)} entries, and sample tensors.")


def _maps_instead_of_strings(content: dict[str, Any]) -> list[str]:
    """List entries that formats before 0.5.11 knew as plain strings only."""
    places: dict[str, Any] = {}
    inline_data = content.get("training_data") or {}
    for prefix, resource in (("", content), ("training_data.", inline_data)):
        single = ("documentation", "icon", "license")
        places |= {prefix + key: resource.get(key) for key in single}
        places |= {f"{prefix}covers[{i}]": c for i, c in enumerate(resource.get("covers") or [])}
    return [where for where, entry in places.items() if isinstance(entry, dict)]


def _opset(model: onnx.ModelProto) -> int:
    return max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _input_halos(subject: Subject) -> dict[tuple[str, str], float]:
    """Return the stated halos in pixels of the input, by tensor and axis."""
    scales = {
        (str(tensor.id), str(axis.id)): axis.scale
        for tensor in subject.tensors
        for axis in tensor.axes
    }
    halos: dict[tuple[str, str], float] = {}
    for tensor in subject.description.outputs:
        for axis in tensor.axes:
            if isinstance(axis, WithHalo):
                place = str(axis.size.tensor_id), str(axis.size.axis_id)
                # Floating point makes 112.00000000000001 of 112 pixels of 0.08.
                halos[place] = round(axis.halo * axis.scale / scales[place], 6)
    return halos


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
