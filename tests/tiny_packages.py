"""Build a small, complete zoo package in a second, or one with a planted defect.

The network and its description are written out here, by hand, so that the tests of what opens,
runs and checks packages do not lean on what builds them.
"""

import hashlib
import io
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
import yaml
from PIL import Image

NETWORK = '''"""Two 3x3 convolutions: the output depends on a margin of 2 pixels."""

import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self, hidden: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, hidden, 3, padding=1)
        self.last = nn.Conv2d(hidden, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return CHANGE(self.last(torch.relu(self.first(image))))
'''
DOCUMENTATION = "# Tiny\n\nA network for tests.\n\n## Validation\n\nCompare with the input.\n"

Files = dict[str, bytes]
Description = dict[str, Any]


def network_source(change: str = "") -> str:
    """The architecture file; `change` is a callable expression applied to the output."""
    return NETWORK.replace("CHANGE", change)


def load(source: str) -> torch.nn.Module:
    """The network that an architecture file defines, with weights from a fixed seed."""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    torch.manual_seed(0)
    network: torch.nn.Module = namespace["Tiny"]()
    return network.eval()


def torchscript(network: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 1, 16, 16)), buffer)
    return buffer.getvalue()


def onnx(network: torch.nn.Module, *, opset: int = 17) -> bytes:
    axes = {0: "batch", 2: "y", 3: "x"}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 16, 16),),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": axes, "output": axes},
        )
        return path.read_bytes()


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


@cache
def _files_of(source: str) -> Files:
    """Every file of the package except the description."""
    network = load(source)
    image = np.random.default_rng(0).uniform(0, 1, (1, 1, 32, 48)).astype(np.float32)
    with torch.no_grad():
        restored = network(torch.from_numpy(image)).numpy()
    state = io.BytesIO()
    torch.save(network.state_dict(), state)
    return {
        "model.py": source.encode(),
        "weights.pt": state.getvalue(),
        "torchscript.pt": torchscript(network),
        "model.onnx": onnx(network),
        "test_input.npy": npy(image),
        "test_output.npy": npy(restored),
        "sample_input.tif": tiff(image),
        "sample_output.tif": tiff(restored),
        "documentation.md": DOCUMENTATION.encode(),
        "cover.png": png(),
    }


def _tensor(name: str, files: Files, space: list[dict[str, Any]], channel: str) -> dict[str, Any]:
    return {
        "id": name,
        "description": name,
        "axes": [
            {"type": "batch", "id": "batch"},
            {"type": "channel", "id": "channel", "channel_names": [channel]},
            *space,
        ],
        "data": {"type": "float32", "range": [None, None]},
        "test_tensor": _file(f"test_{name}.npy", files),
        "sample_tensor": _file(f"sample_{name}.tif", files),
    }


def _file(name: str, files: Files) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}


def description_of(files: Files) -> Description:
    """The content of rdf.yaml, in format 0.5.9, with the hashes of `files`."""
    scale = {"type": "space", "unit": "micrometer", "scale": 0.08}
    axes_in = [{**scale, "id": a, "size": {"min": 16, "step": 16}} for a in "yx"]
    axes_out = [
        {**scale, "id": a, "size": {"tensor_id": "input", "axis_id": a}, "halo": 2} for a in "yx"
    ]
    model_card = {
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
    return {
        "format_version": "0.5.9",
        "type": "model",
        "name": "Tiny network",
        "description": "Two convolutions for tests.",
        "authors": [{"name": "A. Tester"}],
        "cite": [{"text": "Tiny, 2026", "url": "https://example.org/tiny"}],
        "license": "BSD-3-Clause",
        "tags": ["2d", "restoration"],
        "timestamp": "2026-01-01T00:00:00",
        "documentation": "documentation.md",
        "covers": ["cover.png"],
        "inputs": [_tensor("input", files, axes_in, "intensity")],
        "outputs": [_tensor("output", files, axes_out, "mean")],
        "weights": {
            "pytorch_state_dict": {
                **_file("weights.pt", files),
                "pytorch_version": "2.6.0",
                "architecture": {
                    **_file("model.py", files),
                    "callable": "Tiny",
                    "kwargs": {"hidden": 4},
                },
            },
            "torchscript": {
                **_file("torchscript.pt", files),
                "pytorch_version": "2.6.0",
                "parent": "pytorch_state_dict",
            },
            "onnx": {
                **_file("model.onnx", files),
                "opset_version": 17,
                "parent": "pytorch_state_dict",
            },
        },
        "config": {"bioimageio": model_card},
    }


def build(
    path: Path,
    *,
    change: str = "",
    spoil_files: Callable[[Files], None] | None = None,
    spoil_description: Callable[[Description], None] | None = None,
) -> Path:
    """Write a package.

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
    files = dict(_files_of(network_source(change)))
    if spoil_files:
        spoil_files(files)
    description = description_of(files)
    if spoil_description:
        spoil_description(description)
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("rdf.yaml", yaml.safe_dump(description, sort_keys=False))
        for name, content in files.items():
            package.writestr(name, content)
    return path
