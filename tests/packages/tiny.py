"""Tiny packages for tests, written without the code under test."""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

CHANNEL_FIRST = ("batch", "channel", "y", "x")
PERCENTILES = {"min_percentile": 2.0, "max_percentile": 99.8}
ARCHITECTURE = """
from torch import nn


class Network(nn.Conv2d):
    def __init__(self):
        super().__init__(1, 1, 3, padding=1)
"""


class Blur(nn.Module):
    """Two convolutions with zero padding and a pooling to depend on the windows' alignment."""

    def __init__(self, outputs: int = 1, ndim: int = 2) -> None:
        super().__init__()
        convolution: Any = (nn.Conv2d, nn.Conv3d)[ndim - 2]
        torch.manual_seed(0)
        self.down = nn.Sequential(convolution(1, 4, 3, padding=1), nn.ReLU())
        self.pool: Any = (nn.MaxPool2d, nn.MaxPool3d)[ndim - 2](2)
        self.up = nn.Upsample(scale_factor=2)
        self.last: Any = convolution(4, outputs, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.down(image)
        return self.last(features + self.up(self.pool(features)))


class ChannelLast(nn.Module):
    """A network for images with the channels last and x before y."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Blur()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image.permute(0, 3, 2, 1)).permute(0, 3, 2, 1)


def axis(
    name: str,
    *,
    reference: int | None = None,
    scale: float | None = 0.1,
    size: Any = None,
    halo: int | None = None,
    channels: tuple[str, ...] = ("raw",),
) -> dict[str, Any]:
    """Describe an axis by its name; a `reference` is the offset to the size of the input's."""
    if name == "batch":
        return {"type": "batch"}
    if name == "channel":
        return {"type": "channel", "id": "channel", "channel_names": list(channels)}
    described: dict[str, Any] = {"type": "space", "id": name, "size": size}
    if size is None:
        described["size"] = {"min": 16, "step": 4}
    if reference is not None:
        described["size"] = {"tensor_id": "input", "axis_id": name, "offset": reference}
    if scale is not None:
        described |= {"unit": "micrometer", "scale": scale}
    if halo:
        described["halo"] = halo
    return described


def write(
    folder: Path,
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
    weights: tuple[str, ...] = ("torchscript",),
    **changes: Any,
) -> Path:
    """Write a package as a folder; `changes` replace entries of its description."""
    folder.mkdir(parents=True)
    network = network.eval()
    named = [a for a in axes if a not in ("batch", "channel")]
    side = size if isinstance(size, int) else 16
    lengths = {"batch": 1, "channel": len(input_channels)}
    example = torch.rand([lengths.get(a, side) for a in axes])
    np.save(folder / "input.npy", example.numpy())
    np.save(folder / "output.npy", network(example).detach().numpy())
    inputs = [axis(a, scale=pixel_um, size=size, channels=input_channels) for a in axes]
    outputs = [
        axis(
            a,
            reference=None if output_size else offset,
            size=output_size,
            scale=output_pixel_um or pixel_um,
            halo=halo,
            channels=channels,
        )
        for a in axes
    ]
    normalise = {
        "id": "scale_range",
        "kwargs": {"axes": ["channel", *named], **PERCENTILES},
    }
    description = {
        "format_version": "0.5.9",
        "type": "model",
        "name": "a tiny model",
        "description": "for tests",
        "authors": [{"name": "A. Tester"}],
        "cite": [{"text": "none", "doi": "10.1234/none"}],
        "license": "MIT",
        "inputs": [
            {
                "id": "input",
                "axes": inputs,
                "data": {"type": input_dtype},
                "test_tensor": {"source": "input.npy"},
                "preprocessing": [normalise] if preprocessing is None else preprocessing,
            }
        ],
        "outputs": [{"id": "output", "axes": outputs, "test_tensor": {"source": "output.npy"}}],
        "weights": _write_weights(folder, network, example, weights),
    }
    # Every JSON file is a YAML file.
    (folder / "rdf.yaml").write_text(json.dumps(description | changes))
    return folder


def zipped(folder: Path) -> Path:
    """Pack a folder into a zip beside it."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def _write_weights(
    folder: Path, network: nn.Module, example: torch.Tensor, formats: tuple[str, ...]
) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "torchscript" in formats:
            traced: Any = torch.jit.trace(network, example)
            traced.save(folder / "network.ts")
            entries["torchscript"] = {
                "source": "network.ts",
                "pytorch_version": torch.__version__.split("+")[0],
            }
        if "onnx" in formats:
            torch.onnx.export(
                network,
                (example,),
                folder / "network.onnx",
                dynamo=False,
                opset_version=17,
                input_names=["input"],
                output_names=["output"],
                dynamic_axes={
                    name: {i: f"{name}{i}" for i in range(example.ndim)}
                    for name in ("input", "output")
                },
            )
            entries["onnx"] = {"source": "network.onnx", "opset_version": 17}
        if "pytorch_state_dict" in formats:
            torch.save(network.state_dict(), folder / "weights.pt")
            (folder / "model.py").write_text(ARCHITECTURE)
            entries["pytorch_state_dict"] = {
                "source": "weights.pt",
                "pytorch_version": torch.__version__.split("+")[0],
                "architecture": {"source": "model.py", "callable": "Network"},
            }
    for entry in list(entries.values())[1:]:
        entry["parent"] = next(iter(entries))
    return entries
