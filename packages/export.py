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
# Pixels of the image that a window leaves out, so that its edge lies inside.
_CUT_OFF = {"z": 4, "y": 64, "x": 64}
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
        Input of any allowed size, shape (batch, channel, y, x), or with z before y.
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
def measure_halo(
    network: nn.Module, divisors: Mapping[str, int], factors: Mapping[str, int], channels: int = 1
) -> dict[str, int]:
    """Measure how far an output pixel can depend on the input.

    A twin of the network whose weights are all positive lets every influence through: what a lit
    cell of the input can reach in the dark is what any image can reach.

    Parameters
    ----------
    network
        Shape (batch, channels, y, x) in, (batch, any number, factor · y, factor · x) out, or with
        z before.
    divisors
        Sides are multiples of these, by axis in the network's order; a cell of these sides is lit.
    factors
        Pixels of the output along one of the input, by axis.
    channels
        That the network takes.

    Returns
    -------
    dict
        By axis, pixels of the input from the cell's edge to the farthest change, rounded up to a
        multiple of the divisor.

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
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.reset_running_stats()
            module.weight.fill_(1.0)
    cells = dict.fromkeys(divisors, 3)
    while max(cells.values()) <= 129:
        starts = {axis: cells[axis] // 2 * side for axis, side in divisors.items()}
        sides = [cells[axis] * side for axis, side in divisors.items()]
        image = torch.zeros(1, channels, *sides).double()
        lit = tuple(slice(starts[a], starts[a] + side) for a, side in divisors.items())
        image[..., *lit] = 1.0
        changed = (twin(image) - twin(torch.zeros_like(image)))[0].abs().amax(dim=0)
        halo: dict[str, int] = {}
        for i, (axis, side) in enumerate(divisors.items()):
            others = tuple(other for other in range(changed.ndim) if other != i)
            along = changed.amax(dim=others).nonzero().flatten()
            first, last, factor = int(along.min()), int(along.max()), factors[axis]
            if first == 0 or last == factor * cells[axis] * side - 1:
                cells[axis] = 2 * cells[axis] - 1
                continue
            start = factor * starts[axis]
            reach = max(start - first, last - (start + factor * side - 1))
            halo[axis] = -(-reach // (factor * side)) * side
        if len(halo) == len(divisors):
            return halo
    raise ValueError("every output pixel depends on the whole image: the network has no halo")


class EffectiveHalo(NamedTuple):
    """How far the edge of a tile is noticed, and what of it is left farther inside.

    Attributes
    ----------
    halo
        Pixels of the input by axis, multiples of the divisors.
    remainder
        Root mean square of what the restored image, the first channel, differs by farther from a
        tile's edge, in normalised intensity.
    """

    halo: dict[str, int]
    remainder: float


@torch.no_grad()
def measure_effective_halo(
    network: nn.Module, image: Tensor, divisors: Mapping[str, int], factors: Mapping[str, int]
) -> EffectiveHalo:
    """Measure how far the edge of a tile can be noticed, on an image.

    For networks that pass over an image many times: what could reach an output pixel is then far
    more than what does. Windows of the image are restored by themselves and compared with the
    whole.

    Parameters
    ----------
    network
        In evaluation mode; shape (1, 1, y, x) in, (1, channels, factor · y, factor · x) out, or
        with z before.
    image
        Normalised, with structure; sides multiples of the divisors, y and x at least 4 times that
        and 256, z at least 32.
    divisors
        Windows start at multiples of these, by axis.
    factors
        Pixels of the output along one of the input, by axis.

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
    spatial = tuple(range(1, whole.ndim))
    extent = whole.amax(dim=spatial, keepdim=True) - whole.amin(dim=spatial, keepdim=True)
    extent = extent.clamp(min=torch.finfo(extent.dtype).tiny)  # of a constant channel
    first = {a: -(-_CUT_OFF[a] // divisor) * divisor for a, divisor in divisors.items()}
    halo: dict[str, int] = {}
    differences: list[Tensor] = []
    # Along y and x together, whose halo is one; planes are cut off by themselves.
    for axes in (("y", "x"), ("z",)) if "z" in divisors else (("y", "x"),):
        for times in ((1, 1), (1, 2), (2, 1)) if "y" in axes else ((1,), (2,)):
            cut = dict.fromkeys(divisors, 0) | {
                a: n * first[a] for a, n in zip(axes, times, strict=True)
            }
            window = network(image[..., *(slice(start, None) for start in cut.values())])[0]
            beside = window - whole[:, *(slice(factors[a] * n, None) for a, n in cut.items())]
            there = (beside.abs() / extent).amax(dim=0)
            noticed = (there > TILES_PRECISION).nonzero(as_tuple=True)
            depth = [noticed[list(divisors).index(a)] // factors[a] for a in axes]
            farthest = 1 + int(torch.stack(depth).amin(dim=0).max()) if len(depth[0]) else 0
            for axis in axes:
                halo[axis] = max(halo.get(axis, 0), farthest)
            differences.append(beside[0])
    for axis, noticed_px in halo.items():
        if (
            noticed_px
            > (image.shape[list(divisors).index(axis) - len(divisors)] - 2 * first[axis]) // 2
        ):
            raise ValueError("the edge of a tile is noticed everywhere: the network has no halo")
    whole_cells = {a: max(-(-halo[a] // side), 1) * side for a, side in divisors.items()}
    beyond = tuple(slice(factors[a] * n, None) for a, n in whole_cells.items())
    inside = torch.cat([difference[beyond].flatten() for difference in differences])
    return EffectiveHalo(whole_cells, float(inside.square().mean().sqrt()))


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
