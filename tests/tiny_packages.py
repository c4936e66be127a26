"""Small zoo packages made in a moment: of any geometry, or complete with a planted defect.

Descriptions are written out here, by hand, so that the tests of what opens, runs and
checks packages do not lean on what builds them.
"""

import copy
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from PIL import Image
from torch import nn

from tests import tiny_networks

CHANNEL_FIRST = ("batch", "channel", "y", "x")
FORMATS = ("pytorch_state_dict", "torchscript", "onnx")
PERCENTILES = {"min_percentile": 2.0, "max_percentile": 99.8}
DOCUMENTATION = "# Tiny\n\nA network for tests.\n\n## Validation\n\nCompare with the input.\n"
MODEL_CARD = {
    "architecture_type": "CNN",
    "modality": "fluorescence microscopy",
    "task": "image restoration",
    "inference_time": "1 ms",
    "memory_requirements_inference": "1 MB",
    "model_parameter_count": 77,
    "out_of_scope_use": "Anything but tests.",
    "bias_risks_limitations": {
        "known_biases": "None.",
        "risks": "None.",
        "limitations": "Does nothing useful.",
    },
    "training": {"loss_function": "none", "training_epochs": 0.0},
    "evaluations": [
        {
            "dataset_id": "none",
            "dataset_source": "https://example.org/none",
            "dataset_role": "test",
            "sample_count": 1,
            "evaluation_factors": ["none"],
            "evaluation_factors_long": ["no factor"],
            "metrics": ["PSNR"],
            "metrics_long": ["peak signal-to-noise ratio"],
            "results": [[1.0]],
        }
    ],
}
# What no package can do without.
MINIMUM = {
    "format_version": "0.5.9",
    "type": "model",
    "name": "Tiny network",
    "description": "Two convolutions for tests.",
    "authors": [{"name": "A. Tester"}],
    "cite": [{"text": "Tiny, 2026", "url": "https://example.org/tiny"}],
    "license": "BSD-3-Clause",
}

Files = dict[str, bytes]
Description = dict[str, Any]


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def tiff(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array)
    return buffer.getvalue()


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(
    path: Path,
    network: nn.Module,
    *,
    axes: tuple[str, ...] = CHANNEL_FIRST,
    channels: tuple[str, ...] = ("mean",),
    halo: int | None = 4,
    pixel_um: float | None = 0.1,
    output_pixel_um: float | None = None,
    size: Any = None,
    output_size: Any = None,
    offset: int = 0,
    input_channels: tuple[str, ...] = ("raw",),
    input_dtype: str = "float32",
    preprocessing: list[dict[str, Any]] | None = None,
    postprocessing: Sequence[dict[str, Any]] = (),
    weights: tuple[str, ...] = ("torchscript",),
) -> Path:
    """Write what must be in a package and no more, as a folder, or a zip by its suffix.

    Of a state dict the network is `tiny_networks.load(tiny_networks.network_source())`.
    """
    network = network.eval()
    side = size if isinstance(size, int) else 16
    lengths = {"batch": 1, "channel": len(input_channels)}
    example = torch.rand([lengths.get(a, side) for a in axes])
    inputs = [_axis(a, input_channels, pixel_um, size or {"min": 16, "step": 4}) for a in axes]
    outputs = [
        _axis(a, channels, output_pixel_um or pixel_um, output_size or _same(a, offset), halo)
        for a in axes
    ]
    spatial = ["channel", *(a for a in axes if a not in lengths)]
    normalise = {"id": "scale_range", "kwargs": {"axes": spatial, **PERCENTILES}}
    files = {
        "test_input.npy": npy(example.numpy()),
        "test_output.npy": npy(network(example).detach().numpy()),
        **_weights_files(network, example, weights),
    }
    description = {
        **MINIMUM,
        "inputs": [
            {
                **_tensor("input", inputs),
                "data": {"type": input_dtype},
                "preprocessing": [normalise] if preprocessing is None else preprocessing,
            }
        ],
        "outputs": [{**_tensor("output", outputs), "postprocessing": [*postprocessing]}],
        "weights": _weights_entries(weights),
    }
    return _save(path, description, files)


def write_care(path: Path, network: nn.Module, arguments: dict[str, Any]) -> Path:
    """Write a folder as packages of our models are, with the state dict alone."""
    write(path, network, pixel_um=0.08, weights=("pytorch_state_dict",))
    (path / "weights.pt").write_bytes(tiny_networks.state_dict(network))
    description = json.loads((path / "rdf.yaml").read_text())
    architecture = description["weights"]["pytorch_state_dict"]["architecture"]
    architecture |= {"callable": "UNet", "kwargs": arguments}
    training = {"dataset": "noise", "dataset_sha256": "0" * 64}
    description["config"] = {"bioimageio": {"training": training}}
    (path / "rdf.yaml").write_text(json.dumps(description))
    return path


def build(
    path: Path,
    *,
    change: str = "",
    spoil_files: Callable[[Files], None] | None = None,
    spoil_description: Callable[[Description], None] | None = None,
) -> Path:
    """Write all that the zoo asks for.

    Parameters
    ----------
    path
        The zip to write.
    change
        A callable expression in terms of torch, applied to the network's output.
    spoil_files
        Changes the files in place, before they are hashed.
    spoil_description
        Changes the description in place, after the hashes were taken.

    Returns
    -------
    Path
        `path`.
    """
    files = dict(_complete_files(tiny_networks.network_source(change)))
    if spoil_files:
        spoil_files(files)
    description = _complete_description()
    _add_hashes(description, files)
    if spoil_description:
        spoil_description(description)
    return _save(path, description, files)


@cache
def _complete_files(source: str) -> Files:
    """Every file of a complete package except the description."""
    network = tiny_networks.load(source)
    image = np.random.default_rng(0).uniform(0, 1, (1, 1, 48, 64)).astype(np.float32)
    with torch.no_grad():
        restored = network(torch.from_numpy(image)).numpy()
    return {
        **_weights_files(network, torch.zeros(1, 1, 16, 16), FORMATS, source),
        "test_input.npy": npy(image),
        "test_output.npy": npy(restored),
        "sample_input.tif": tiff(image),
        "sample_output.tif": tiff(restored),
        "documentation.md": DOCUMENTATION.encode(),
        "cover.png": png(),
    }


def _complete_description() -> Description:
    """The content of a complete package's rdf.yaml, without hashes."""
    inputs = [_axis(a, ("intensity",), None, {"min": 48, "step": 16}) for a in CHANNEL_FIRST]
    outputs = [_axis(a, ("mean",), None, _same(a), halo=16) for a in CHANNEL_FIRST]
    tensors = [
        {**_tensor(name, axes), "sample_tensor": {"source": f"sample_{name}.tif"}}
        for name, axes in (("input", inputs), ("output", outputs))
    ]
    return {
        **copy.deepcopy(MINIMUM),
        "id": "tiny-network",
        "tags": ["2d", "restoration"],
        "timestamp": "2026-01-01T00:00:00",
        "documentation": "documentation.md",
        "covers": ["cover.png"],
        "inputs": tensors[:1],
        "outputs": tensors[1:],
        "weights": _weights_entries(FORMATS),
        "config": {
            "bioimageio": copy.deepcopy(MODEL_CARD),
            "restoration_zoo": {"pixel_size_um": {"y": 0.08, "x": 0.08}},
        },
    }


def _axis(
    name: str,
    channels: tuple[str, ...],
    pixel_um: float | None,
    size: Any,
    halo: int | None = None,
) -> Description:
    """Describe an axis by its name; size, pixel size and halo are those of a spatial one."""
    if name == "batch":
        return {"type": "batch", "id": "batch"}
    if name == "channel":
        return {"type": "channel", "id": "channel", "channel_names": list(channels)}
    physical = {} if pixel_um is None else {"unit": "micrometer", "scale": pixel_um}
    around = {"halo": halo} if halo else {}
    return {"type": "space", "id": name, "size": size, **physical, **around}


def _same(axis: str, offset: int = 0) -> Description:
    """The size of an output's axis that follows the input's."""
    return {"tensor_id": "input", "axis_id": axis, "offset": offset}


def _tensor(name: str, axes: list[Description]) -> Description:
    test = {"source": f"test_{name}.npy"}
    return {"id": name, "description": name, "axes": axes, "test_tensor": test}


def _weights_files(
    network: nn.Module, example: torch.Tensor, formats: tuple[str, ...], source: str = ""
) -> Files:
    files: Files = {}
    if "pytorch_state_dict" in formats:
        files["weights.pt"] = tiny_networks.state_dict(network)
        files["model.py"] = (source or tiny_networks.network_source()).encode()
    if "torchscript" in formats:
        files["torchscript.pt"] = tiny_networks.torchscript(network, example)
    if "onnx" in formats:
        files["model.onnx"] = tiny_networks.onnx(network, example)
    return files


def _weights_entries(formats: tuple[str, ...]) -> Description:
    pytorch = {"pytorch_version": torch.__version__.split("+")[0]}
    architecture = {"source": "model.py", "callable": "Tiny", "kwargs": {"hidden": 4}}
    known: Description = {
        "pytorch_state_dict": {"source": "weights.pt", "architecture": architecture, **pytorch},
        "torchscript": {"source": "torchscript.pt", **pytorch},
        "onnx": {"source": "model.onnx", "opset_version": 17},
    }
    entries = {name: entry for name, entry in known.items() if name in formats}
    first, *others = entries
    return entries | {name: {**entries[name], "parent": first} for name in others}


def _add_hashes(content: Any, files: Files) -> None:
    """Add its hash to whatever in a description names a file of the package."""
    entries: list[Any] = []
    if isinstance(content, dict):
        if content.get("source") in files:
            content["sha256"] = hashlib.sha256(files[content["source"]]).hexdigest()
        entries = list(content.values())
    elif isinstance(content, list):
        entries = content
    for entry in entries:
        _add_hashes(entry, files)


def _save(path: Path, description: Description, files: Files) -> Path:
    # Every JSON file is a YAML file.
    whole = {"rdf.yaml": json.dumps(description).encode(), **files}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in whole.items():
                archive.writestr(name, content)
    else:
        path.mkdir(parents=True)
        for name, content in whole.items():
            (path / name).write_bytes(content)
    return path
