"""A package's network, as a function of a window of an image: preprocessed, run, postprocessed.

bioimageio.core loads the weights. Blocks are (c, z, y, x) arrays; a 2-D network takes blocks with a
single z.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from bioimageio.core import Tensor
from bioimageio.core.backends import create_model_adapter
from bioimageio.spec.model import v0_5
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.tiles import AxisGeometry
from packages.allocation import keep_large_blocks
from packages.geometry import geometry, letters
from packages.package import Package
from packages.processing import Measured, Processing


class Network:
    """What a package does to a block of an image.

    Parameters
    ----------
    package
        An open package.
    weights
        Which of its weights to run; its preferred ones when omitted.
    device
        For example "cpu" or "cuda:0"; a GPU where there is one when omitted.

    Attributes
    ----------
    geometry
        How it treats the spatial axes it has, by z, y, x.
    processing
        What comes before and behind it.

    Raises
    ------
    UserError
        The package has no such weights, cannot be loaded, or does something that cannot be done
        window by window.
    """

    def __init__(
        self, package: Package, *, weights: str | None = None, device: str | None = None
    ) -> None:
        self.package = package
        self.geometry = geometry(package)
        self.processing = Processing(package)
        keep_large_blocks()
        self._forward = _load(package, weights, device)

    def __call__(self, block: NDArray[np.floating], measured: Measured) -> NDArray[np.float32]:
        """Preprocess, run and postprocess one block.

        Parameters
        ----------
        block
            (c, z, y, x) intensities of the image, of a shape the network allows.
        measured
            Of the image the block belongs to, and of the result where the processing awaits it.

        Returns
        -------
        ndarray of float32
            (c, z, y, x) as the package delivers it, halo included.

        Raises
        ------
        UserError
            The network fails, gives NaN, or gives another shape than its description promises.
        """
        return self.finish(self.run(block, measured), measured)

    def run(self, block: NDArray[np.floating], measured: Measured) -> NDArray[np.float32]:
        """Preprocess and run one block; parameters, shapes and errors are those of a call."""
        axes = _axes(self.package.input)
        image = _to_tensor(block * block.dtype.type(measured.gain), axes)
        result = self._run(self.processing.before(image, measured))
        values = _from_tensor(result, _axes(self.package.output))
        self._check(values, block)
        return values

    def finish(self, block: NDArray[np.float32], measured: Measured) -> NDArray[np.float32]:
        """Postprocess what `run` gave, or a part of it; shapes and errors are those of a call."""
        axes = _axes(self.package.output)
        values = _from_tensor(self.processing.after(_to_tensor(block, axes), measured), axes)
        self._refuse_nan(values)
        return values

    def _run(self, members: Mapping[Any, Tensor]) -> Tensor:
        try:
            given = self._forward(members)
        except Exception as error:
            # Every backend raises its own kinds.
            if _lacks_memory(error):
                raise UserError(
                    "The network ran out of memory: choose a smaller --tile."
                ) from error
            raise UserError(
                f"{self.package.path}: its network failed: {_last_line(error)}."
            ) from error
        output = given.get(self.package.output.id)
        if output is None:
            raise UserError(
                f"{self.package.path}: its network gives no '{self.package.output.id}', which its "
                "description promises."
            )
        if np.iscomplexobj(output.to_numpy()):
            raise UserError(f"{self.package.path}: its network gives complex values, no image.")
        return output

    def _check(self, values: NDArray[np.float32], block: NDArray[np.floating]) -> None:
        expected = [len(self.package.channels)]
        for dimension, length in zip("zyx", block.shape[1:], strict=True):
            axis = self.geometry.get(dimension, AxisGeometry(1, 1))
            expected.append(axis.output_length(length - 2 * axis.margin))
        if list(values.shape) != expected:
            raise UserError(
                f"{self.package.path}: its network gives {values.shape} (channels, z, y, x) "
                f"where its description promises {tuple(expected)}."
            )
        self._refuse_nan(values)

    def _refuse_nan(self, values: NDArray[np.float32]) -> None:
        if not np.isfinite(values).all():
            raise UserError(f"{self.package.path}: its network gives NaN or infinite values.")


Axes = Sequence[tuple[str, Any]]
"""Letters out of b, c, z, y, x, and the axes' names in the description, in its order."""


def _axes(tensor: v0_5.InputTensorDescr | v0_5.OutputTensorDescr) -> Axes:
    """Return the axes of a package's tensor."""
    return list(zip(letters(tensor), [axis.id for axis in tensor.axes], strict=True))


def _to_tensor(block: NDArray[np.floating], axes: Axes) -> Tensor:
    """Give a block (c, z, y, x) the axes of a description."""
    own = [letter for letter, _ in axes]
    image = xr.DataArray(block[None], dims=list("bczyx"))
    image = image.squeeze([d for d in "bczyx" if d not in own]).transpose(*own)
    return Tensor(image.values, dims=[name for _, name in axes])


def _from_tensor(tensor: Tensor, axes: Axes) -> NDArray[np.float32]:
    """Return the block (c, z, y, x) that a tensor holds."""
    own = [letter for letter, _ in axes]
    values = np.asarray(tensor.to_numpy())
    image = xr.DataArray(values, dims=own).expand_dims([d for d in "bczyx" if d not in own])
    return image.transpose(*"bczyx").values[0].astype(np.float32, copy=False)


def _load(
    package: Package, weights: str | None, device: str | None
) -> Callable[[Mapping[Any, Tensor]], Mapping[Any, Tensor | None]]:
    chosen = weights or package.weights[0]
    if chosen not in package.weights:
        raise UserError(
            f"{package.path} has no {chosen} weights that may run here: "
            f"choose {' or '.join(package.weights)}."
        )
    device = device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    if chosen == "onnx":
        device = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
    try:
        with warnings.catch_warnings():
            # Loaders leave files to the garbage collector and call what PyTorch deprecates.
            warnings.simplefilter("ignore")
            adapter = create_model_adapter(
                package.description, devices=[device], weight_format_priority_order=[chosen]
            )
    except Exception as error:
        # Whatever the package's code and the backends raise.
        if "SHA256 mismatch" in str(error):
            raise UserError(
                f"{package.path}: the file of its {chosen} weights is not the one that rdf.yaml "
                "describes, as its SHA-256 differs: download or build the package again."
            ) from error
        raise UserError(
            f"{package.path}: its {chosen} weights cannot be loaded on {device}: "
            f"{_last_line(error)}."
        ) from error
    return adapter.forward


def _lacks_memory(error: Exception) -> bool:
    """Tell whether memory ran out; on a CPU torch and ONNX Runtime say it in words alone."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "allocate memory" in str(error)


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip().rstrip(".")
