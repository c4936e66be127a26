"""What a network gives in the zoo's two formats without Python, on an image of another size."""

import io
import warnings

import onnxruntime
import torch
from torch import Tensor, nn

from tests import tiny_networks as tiny


def run_exported(network: nn.Module, example: Tensor, image: Tensor) -> dict[str, Tensor]:
    """Export a network with an example and run each file on an image, which may be larger."""
    network = network.eval()
    session = onnxruntime.InferenceSession(tiny.onnx(network, example))
    (output,) = session.run(None, {"input": image.numpy()})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript; Fiji reads nothing newer
        traced = torch.jit.load(io.BytesIO(tiny.torchscript(network, example)))
        return {"onnx": torch.as_tensor(output), "torchscript": traced(image)}
