"""One network in the zoo's three weights formats, and the halo measured on it."""

import copy
import importlib.util
import multiprocessing
import warnings
import zipfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

ONNX_OPSET = 17  # the newest that deepImageJ's ONNX Runtime (1.13) reads
TILES_TOLERANCE = 0.002  # of the range: what a package may say its tiles differ at most
TILES_PRECISION = 1e-4  # of a channel's range: differences below this are not seen
CORE_BLOCK_STEPS = 10  # by which bioimageio.core's default block exceeds the smallest size
_CUT_OFF = 64  # pixels of the image that a window leaves out, so that its edge lies inside
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can state: the same bytes every time


def load_network(
    model_file: Path, architecture: str, arguments: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> nn.Module:
    """Build a network from its self-contained file, as a user of the package will.

    Parameters
    ----------
    model_file
        Python file that imports torch and the standard library only.
    architecture
        Name of the class in it.
    arguments
        Of the class.
    weights
        Its state dict.

    Returns
    -------
    Module
        In evaluation mode, on the CPU.

    Raises
    ------
    RuntimeError
        The weights do not fit the architecture.
    """
    # TorchScript stores the name: it must not tell where the file lay.
    spec = importlib.util.spec_from_file_location(model_file.stem, model_file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{model_file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = getattr(module, architecture)(**arguments)
    network.load_state_dict(weights)
    return network.eval()


def save_state_dict(network: nn.Module, path: Path) -> None:
    """Write the weights, without code."""
    torch.save({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    _drop_circumstances(path)


def save_torchscript(
    model_file: Path,
    architecture: str,
    arguments: Mapping[str, Any],
    state_dict: Path,
    example: Tensor,
    path: Path,
) -> None:
    """Write network and weights as TorchScript.

    It is traced in a process of its own, because the names that torch invents for traced classes
    count on through a process, and the same inputs must give the same bytes.

    Parameters
    ----------
    model_file, architecture, arguments
        As for `load_network`.
    state_dict
        File written by `save_state_dict`.
    example
        Input of any allowed size, shape (batch, channel, y, x).
    path
        File to write.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        pool.submit(
            _trace, model_file, architecture, dict(arguments), state_dict, example.numpy(), path
        ).result()


def save_onnx(network: nn.Module, example: Tensor, path: Path, *, axes: Mapping[int, str]) -> None:
    """Write network and weights as one ONNX file of opset 17.

    Parameters
    ----------
    network
        In evaluation mode.
    example
        Input of any allowed size.
    path
        File to write.
    axes
        Names of the dimensions that vary, by position.
    """
    with warnings.catch_warnings(), torch.no_grad():
        # The newer exporter cannot write IR 8, which deepImageJ needs.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=False,
            opset_version=ONNX_OPSET,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": dict(axes), "output": dict(axes)},
        )
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, path)


@torch.no_grad()
def measure_halo(network: nn.Module, divisor: int, factor: int = 1) -> int:
    """Measure how far an output pixel can depend on the input.

    A twin of the network whose weights are all positive lets every influence through: what a lit
    cell of the input can reach in the dark is what any image can reach.

    Parameters
    ----------
    network
        Shape (batch, 1, y, x) in, (batch, channels, factor · y, factor · x) out.
    divisor
        Sides are multiples of it; a cell of this side is lit.
    factor
        Pixels of the output along one of the input.

    Returns
    -------
    int
        Pixels of the input from the cell's edge to the farthest change, rounded up to a multiple of
        `divisor`.

    Raises
    ------
    ValueError
        The influence has no end: the network is not local.
    """
    twin = copy.deepcopy(network).double().eval()
    for parameter in twin.parameters():
        if parameter.ndim > 1:
            parameter.fill_(1.0 / parameter[0].numel())
        else:
            parameter.zero_()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.weight.fill_(1.0)
    cells = 3
    while cells <= 129:
        image = torch.zeros(1, 1, cells * divisor, cells * divisor, dtype=torch.float64)
        start = cells // 2 * divisor
        image[..., start : start + divisor, start : start + divisor] = 1.0
        dark = twin(torch.zeros_like(image))
        changed = (twin(image) - dark)[0].abs().amax(dim=(0, 1)).nonzero().flatten()
        first, last = int(changed.min()), int(changed.max())
        if first > 0 and last < factor * cells * divisor - 1:
            reach = max(factor * start - first, last - (factor * (start + divisor) - 1))
            return -(-reach // (factor * divisor)) * divisor
        cells = 2 * cells - 1
    raise ValueError("every output pixel depends on the whole image: the network has no halo")


class EffectiveHalo(NamedTuple):
    """How far the edge of a tile is noticed, and what of it is left farther inside.

    Attributes
    ----------
    halo
        Pixels of the input, a multiple of the divisor.
    remainder
        Root mean square of what the restored image, the first channel, differs by farther from a
        tile's edge, in normalised intensity.
    """

    halo: int
    remainder: float


@torch.no_grad()
def measure_effective_halo(
    network: nn.Module, image: Tensor, divisor: int, factor: int = 1
) -> EffectiveHalo:
    """Measure how far the edge of a tile can be noticed, on an image.

    For networks that pass over an image many times: what could reach an output pixel is then far
    more than what does. Windows of the image are restored by themselves and compared with the
    whole.

    Parameters
    ----------
    network
        In evaluation mode; shape (1, 1, y, x) in, (1, channels, factor · y, factor · x) out.
    image
        Normalised, with structure; y and x multiples of the divisor, at least 4 times
        that and 256.
    divisor
        Windows start at multiples of it.
    factor
        Pixels of the output along one of the input.

    Returns
    -------
    EffectiveHalo
        Farther from a tile's edge no channel differs by more than `TILES_PRECISION` of its range.

    Raises
    ------
    ValueError
        The edge is noticed in the middle of the image.
    """
    whole = network(image)[0]
    extent = whole.amax(dim=(1, 2), keepdim=True) - whole.amin(dim=(1, 2), keepdim=True)
    extent = extent.clamp(min=torch.finfo(extent.dtype).tiny)  # of a constant channel
    first = -(-_CUT_OFF // divisor) * divisor
    noticed = 0
    differences: list[Tensor] = []
    for top, left in ((first, first), (first, 2 * first), (2 * first, first)):
        window = network(image[..., top:, left:])[0]
        beside = window - whole[..., factor * top :, factor * left :]
        there = (beside.abs() / extent).amax(dim=0)
        y, x = (there > TILES_PRECISION).nonzero(as_tuple=True)
        if len(y):
            noticed = max(noticed, 1 + int(torch.minimum(y, x).max()) // factor)
        differences.append(beside[0])
    if noticed > (min(image.shape[-2:]) - 2 * first) // 2:
        raise ValueError("the edge of a tile is noticed everywhere: the network has no halo")
    halo = max(-(-noticed // divisor), 1) * divisor
    inside = torch.cat([d[factor * halo :, factor * halo :].flatten() for d in differences])
    return EffectiveHalo(halo, float(inside.square().mean().sqrt()))


def _trace(
    model_file: Path,
    architecture: str,
    arguments: dict[str, Any],
    state_dict: Path,
    example: NDArray[np.float32],
    path: Path,
) -> None:
    weights = torch.load(state_dict, weights_only=True)
    network = load_network(model_file, architecture, arguments, weights)
    with warnings.catch_warnings(), torch.no_grad():
        # torch deprecates TorchScript; Fiji and ilastik read nothing newer.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, torch.from_numpy(example)), path)
    _drop_circumstances(path)


def _drop_circumstances(path: Path) -> None:
    """Rewrite a torch archive without what loading does not need and what differs between places.

    That is times, paths for debugging, the name of the file, and a hash of these.
    """
    with zipfile.ZipFile(path) as archive:
        entries = [
            (name.split("/", 1)[1], archive.read(name))
            for name in archive.namelist()
            if not name.endswith((".debug_pkl", "/serialization_id"))
        ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", ZIP_TIME), content)
