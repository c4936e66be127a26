"""Small networks for tests, and their weights in the zoo's formats."""

import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

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


def network_source(change: str = "") -> str:
    """The architecture file; `change` is a callable expression applied to the output."""
    return NETWORK.replace("CHANGE", change)


def load(source: str) -> nn.Module:
    """The network that an architecture file defines, with weights from a fixed seed."""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    torch.manual_seed(0)
    network: nn.Module = namespace["Tiny"]()
    return network.eval()


def state_dict(network: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getvalue()


def torchscript(network: nn.Module, example: torch.Tensor | None = None) -> bytes:
    example = torch.zeros(1, 1, 16, 16) if example is None else example
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, example), buffer)
    return buffer.getvalue()


def onnx(network: nn.Module, example: torch.Tensor | None = None, *, opset: int = 17) -> bytes:
    example = torch.zeros(1, 1, 16, 16) if example is None else example
    names = ("input", "output")
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={name: {i: f"{name}{i}" for i in range(example.ndim)} for name in names},
        )
        return path.read_bytes()
