"""A package's network with its processing, as one function of a window of an image.

bioimageio.core loads the weights and applies the pre- and postprocessing. Statistics of the image
come from outside, so that every window of it is processed alike. Blocks are (c, z, y, x) arrays;
a 2-D network takes blocks with a single z.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from bioimageio.core import Sample, Tensor
from bioimageio.core.backends import create_model_adapter
from bioimageio.core.proc_ops import (
    Processing,
    ScaleRange,
    UpdateStats,
    ZeroMeanUnitVariance,
)
from bioimageio.core.proc_setup import setup_pre_and_postprocessing
from bioimageio.core.stat_measures import Measure, MeasureValue
from bioimageio.spec.model import v0_5
from numpy.typing import NDArray

from imaging.block_statistics import Blocks, Moments, moments, quantiles
from imaging.cli import UserError
from imaging.tiles import AxisGeometry
from packages.geometry import geometry, letters
from packages.package import Package

# Of the number that is added to it when normalising: below, that would change intensities by 1 %.
_LEAST_EXTENT = 100

Statistics = dict[Measure, MeasureValue]


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
    input_channels
        Channels of the image it takes.

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
        self.input_channels = 1
        for axis in package.input.axes:
            if isinstance(axis, v0_5.ChannelAxis):
                self.input_channels = len(axis.channel_names)
        self._input_letters = letters(package.input)
        self._output_letters = letters(package.output)
        self._pre, self._post = _processing(package)
        self._measures = {m for op in (*self._pre, *self._post) for m in op.required_measures}
        self._refuse_measures()
        self._forward = _load(package, weights, device)

    def statistics(self, of_channel: Callable[[int | None], Blocks]) -> tuple[Statistics, Moments]:
        """Measure what the processing needs to know of an image.

        Parameters
        ----------
        of_channel
            Gives the blocks of one channel, or of all with None.

        Returns
        -------
        tuple
            The statistics to call the network with, and the moments of the whole image.

        Raises
        ------
        UserError
            The image holds NaN or infinite values.
        """
        whole = moments(of_channel(None))
        if not whole.finite:
            raise UserError(
                "The image holds NaN, infinite or impossibly large values: replace them."
            )
        self._refuse_range(whole)
        joint = [m for m in self._measures if not self._is_per_channel(m)]
        found: Statistics = dict(_measured(joint, of_channel(None), whole))
        single = [m for m in self._measures if self._is_per_channel(m)]
        if single:
            channels = range(self.input_channels)
            values = [_measured(single, of_channel(c), moments(of_channel(c))) for c in channels]
            for measure in single:
                per_channel = np.array([value[measure] for value in values])
                found[measure] = Tensor(per_channel, dims=(self._id_of("c"),))
        self._refuse_flat(found, whole)
        return found, whole

    def __call__(self, block: NDArray[np.floating], statistics: Statistics) -> NDArray[np.float32]:
        """Preprocess, run and postprocess one block.

        Parameters
        ----------
        block
            (c, z, y, x) intensities of the image, of a shape the network allows.
        statistics
            Of the image the block belongs to.

        Returns
        -------
        ndarray of float32
            (c, z, y, x) as the network gives it, halo included.

        Raises
        ------
        UserError
            The network fails, gives NaN, or gives another shape than its description promises.
        """
        unused = [d for d in "bczyx" if d not in self._input_letters]
        image = xr.DataArray(block[None], dims=list("bczyx")).squeeze(unused)
        image = image.transpose(*self._input_letters)
        tensor = Tensor(image.values, dims=[axis.id for axis in self.package.input.axes])
        sample = Sample(members={self.package.input.id: tensor}, stat=statistics, id=None)
        for operator in self._pre:
            operator(sample)
        sample.members = self._run(sample.members)
        for operator in self._post:
            operator(sample)
        output = sample.members[self.package.output.id].to_numpy()
        unused = [d for d in "bczyx" if d not in self._output_letters]
        result = xr.DataArray(output, dims=list(self._output_letters)).expand_dims(unused)
        values = result.transpose(*"bczyx").values[0].astype(np.float32, copy=False)
        self._check(values, block)
        return values

    def _run(self, members: Mapping[Any, Tensor]) -> dict[Any, Tensor]:
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
        return {name: tensor for name, tensor in given.items() if tensor is not None}

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
        if not np.isfinite(values).all():
            raise UserError(f"{self.package.path}: its network gives NaN or infinite values.")

    def _refuse_range(self, image: Moments) -> None:
        # Conversion to a smaller integer type would wrap around in silence.
        dtype = np.dtype(self.package.input.dtype)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            if image.lowest < limits.min or image.highest > limits.max:
                raise UserError(
                    f"The image's values ({image.lowest:g} to {image.highest:g}) do not fit the "
                    f"{dtype} the package takes: rescale the image."
                )

    def _refuse_flat(self, found: Statistics, image: Moments) -> None:
        # Dividing by nothing, or by rounding, would give finite nonsense.
        for operator in self._pre:
            if isinstance(operator, ScaleRange) and not image.flat:
                low, high = (_numbers(found[of]) for of in (operator.lower, operator.upper))
                if (low >= high).any():
                    raise UserError(
                        f"Almost all pixels of the image are {low[low >= high][0]:g}: there is no "
                        f"range of intensities (percentiles {100 * operator.lower.q:g} and "
                        f"{100 * operator.upper.q:g}) to normalise by. Crop to what holds "
                        "structure."
                    )
                self._refuse_faint(float((high - low).min()), operator.eps)
            if isinstance(operator, ZeroMeanUnitVariance) and not image.flat:
                self._refuse_faint(float(_numbers(found[operator.std]).min()), operator.eps)

    def _refuse_faint(self, extent: float, epsilon: float) -> None:
        """Refuse an image of which normalising would add more than 1 % to the range."""
        if 0 < extent < _LEAST_EXTENT * epsilon:
            raise UserError(
                f"The intensities of the image spread by {extent:.2g} only, and the package adds "
                f"{epsilon:.2g} to that when it normalises: multiply them by "
                f"{10 ** math.ceil(math.log10(_LEAST_EXTENT * epsilon / extent)):g} or more."
            )

    def _id_of(self, letter: str) -> Any:
        return self.package.input.axes[self._input_letters.index(letter)].id

    def _is_per_channel(self, measure: Measure) -> bool:
        axes = measure.axes
        return axes is not None and self.input_channels > 1 and self._id_of("c") not in axes

    def _refuse_measures(self) -> None:
        for measure in self._measures:
            if measure.member_id != self.package.input.id:
                raise UserError(
                    f"{self.package.path} processes with statistics of '{measure.member_id}', "
                    "which are not known before its whole result is."
                )
            spatial = {self._id_of(dimension) for dimension in self.geometry}
            if measure.axes is not None and not spatial <= set(measure.axes):
                raise UserError(
                    f"{self.package.path} normalises along only some spatial axes "
                    f"({', '.join(measure.axes)}): this cannot be done window by window."
                )


def _measured(measures: list[Measure], blocks: Blocks, known: Moments) -> dict[Measure, float]:
    values: dict[Measure, float] = {}
    wanted = {m: (m.q, getattr(m, "method", "linear")) for m in measures if m.name == "quantile"}
    for measure in measures:
        if measure.name == "mean":
            values[measure] = known.mean
        elif measure.name == "std":
            values[measure] = known.std
        elif measure.name == "var":
            values[measure] = known.std**2
    if wanted:
        found = quantiles(blocks, known.count, list(wanted.values()))
        values |= dict(zip(wanted, found, strict=True))
    return values


def _processing(package: Package) -> tuple[Sequence[Processing], Sequence[Processing]]:
    """Return the operators before and after the network, without core's own statistics."""
    pre, post = setup_pre_and_postprocessing(package.description, ())
    pre = [operator for operator in pre if not isinstance(operator, UpdateStats)]
    for operator in (*pre, *post):
        # Operators on single tensors have these; those that find objects do not.
        if not (hasattr(operator, "input") and hasattr(operator, "output")):
            raise UserError(
                f"{package.path}: its postprocessing ({type(operator).__name__}) finds objects "
                "in whole images: only models that restore images can be run."
            )
    return (
        [op for op in pre if getattr(op, "input", None) == package.input.id],
        [op for op in post if getattr(op, "output", None) == package.output.id],
    )


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


def _numbers(value: MeasureValue) -> NDArray[np.float64]:
    """Return a measure of the image, or those of its channels."""
    return np.ravel(np.asarray(value.data if isinstance(value, Tensor) else value, np.float64))


def _lacks_memory(error: Exception) -> bool:
    """Tell whether memory ran out; on a CPU torch and ONNX Runtime say it in words alone."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "allocate memory" in str(error)


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip().rstrip(".")
