"""What a package does before and behind its network, with statistics of whole images.

bioimageio.core applies the steps. Statistics come from outside, so that every window of an image
is processed alike.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from bioimageio.core import Sample, Tensor
from bioimageio.core import proc_ops as steps
from bioimageio.core.proc_setup import setup_pre_and_postprocessing
from bioimageio.core.stat_measures import Measure, MeasureValue
from bioimageio.spec.model import v0_5
from numpy.typing import NDArray

from imaging.block_statistics import Blocks, Moments, Survey, quantiles, survey
from imaging.cli import UserError
from imaging.normalise import gain_for
from packages.package import Package, spatial_axes

# Of what is added to it when normalising: below, that would change intensities by 1 %.
_LEAST_EXTENT = 100

Statistics = dict[Measure, MeasureValue]
OfChannel = Callable[[int | None], Blocks]
"""Gives the blocks of one channel, or of all with None."""


class IntensityScale(NamedTuple):
    """How intensities of an image and of its result go together: image = offset + factor × result.

    A standard deviation has no offset.
    """

    offset: float
    factor: float


@dataclass(frozen=True)
class Measured:
    """What the processing needs to know of an image.

    Attributes
    ----------
    statistics
        Of the image times `gain`, and of the network's result where its processing needs them.
    image
        Moments of the image as it is.
    gain
        A power of two by which a faint image is multiplied first, see `imaging.normalise.gain_for`.
    """

    statistics: Statistics
    image: Moments
    gain: float

    @property
    def facts(self) -> str:
        """All of it in words, which are the same in every process."""
        found = [(repr(of), _numbers(value).tolist()) for of, value in self.statistics.items()]
        return repr((sorted(found), self.image, self.gain))


class Processing:
    """The steps of a package before and behind its network.

    Parameters
    ----------
    package
        An open package.

    Attributes
    ----------
    input_channels
        Channels of the image it takes.
    awaits_result
        Whether the steps behind the network need statistics of the whole result.

    Raises
    ------
    UserError
        A step finds objects, or needs what is not known of an image.
    """

    def __init__(self, package: Package) -> None:
        self._package = package
        self._before, self._after = _steps(package)
        self.input_channels = 1
        for axis in package.input.axes:
            if isinstance(axis, v0_5.ChannelAxis):
                self.input_channels = len(axis.channel_names)
        needed = {m for op in (*self._before, *self._after) for m in op.required_measures}
        self._of_input = [m for m in needed if m.member_id == package.input.id]
        self._of_output = [m for m in needed if m.member_id == package.output.id]
        for measure in needed:
            self._refuse(measure)
        self.awaits_result = bool(self._of_output)

    def measure(self, of_channel: OfChannel) -> Measured:
        """Measure an image.

        Parameters
        ----------
        of_channel
            Gives its blocks.

        Returns
        -------
        Measured
            All that is needed before the network has run.

        Raises
        ------
        UserError
            The image holds NaN or infinite values, or none of the range the package takes, or
            nothing to normalise by.
        """
        known = self._survey(of_channel)
        whole = known.moments
        found = self._measures(self._of_input, of_channel, known, self._package.input)
        gain = 1.0 if whole.flat else self._gain(found)
        if gain != 1:
            found = {measure: _times(gain, measure, value) for measure, value in found.items()}
        return Measured(found, whole, gain)

    def refuse(self, of_channel: OfChannel) -> None:
        """Raise UserError where the package cannot take an image."""
        self._survey(of_channel)

    def _survey(self, of_channel: OfChannel) -> Survey:
        known = survey(of_channel(None))
        whole = known.moments
        if not whole.finite:
            raise UserError(
                "The image holds NaN, infinite or impossibly large values: crop them away, or "
                "replace those around the field by 0, for such a border is left out as no data."
            )
        # Conversion to a smaller integer type would wrap around in silence.
        dtype = np.dtype(self._package.input.dtype)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            if whole.lowest < limits.min or whole.highest > limits.max:
                raise UserError(
                    f"The image's values ({whole.lowest:g} to {whole.highest:g}) do not fit the "
                    f"{dtype} the package takes: rescale the image."
                )
        return known

    def measure_result(self, measured: Measured, of_channel: OfChannel) -> Measured:
        """Add what is measured of the network's whole result.

        Parameters
        ----------
        measured
            Of the image.
        of_channel
            Gives the blocks of the result.

        Returns
        -------
        Measured
            Of both.
        """
        result = survey(of_channel(None))
        found = self._measures(self._of_output, of_channel, result, self._package.output)
        return replace(measured, statistics=measured.statistics | found)

    def before(self, image: Tensor, measured: Measured) -> dict[Any, Tensor]:
        """Return the network's input, by its name, of a block of an image times its gain."""
        return self._apply(self._before, {self._package.input.id: image}, measured)

    def after(self, result: Tensor, measured: Measured) -> Tensor:
        """Return what the package delivers of a block of the network's result."""
        name = self._package.output.id
        return self._apply(self._after, {name: result}, measured)[name]

    def intensity_scale(self, measured: Measured) -> IntensityScale | None:
        """Say how intensities of an image and of its result go together.

        Parameters
        ----------
        measured
            Of the image.

        Returns
        -------
        IntensityScale or None
            None where the package delivers something else than the image on the scale on which
            its network sees it.
        """
        if self.input_channels > 1 or any(not _keeps_scale(step) for step in self._after):
            return None
        scaling = [step for step in self._before if not _keeps_scale(step)]
        found = measured.statistics
        match scaling:
            case [steps.ScaleRange() as step]:
                low, high = (float(_numbers(found[of])[0]) for of in (step.lower, step.upper))
                offset, factor = low, high - low + step.eps
            case [steps.ZeroMeanUnitVariance() as step]:
                offset = float(_numbers(found[step.mean])[0])
                factor = float(_numbers(found[step.std])[0]) + step.eps
            case _:
                return None
        return IntensityScale(offset / measured.gain, factor / measured.gain)

    def _apply(
        self, operators: Sequence[Any], members: dict[Any, Tensor], measured: Measured
    ) -> dict[Any, Tensor]:
        sample = Sample(members=members, stat=measured.statistics, id=None)
        for operator in operators:
            operator(sample)
        return dict(sample.members)

    def _measures(
        self,
        wanted: Sequence[Measure],
        of_channel: OfChannel,
        whole: Survey,
        tensor: v0_5.InputTensorDescr | v0_5.OutputTensorDescr,
    ) -> Statistics:
        """Measure a tensor, of all its channels together or of each, as each measure asks."""
        channels = [axis for axis in tensor.axes if isinstance(axis, v0_5.ChannelAxis)]
        count = len(channels[0].channel_names) if channels else 1
        single = [
            m for m in wanted if count > 1 and m.axes is not None and channels[0].id not in m.axes
        ]
        joint = [measure for measure in wanted if measure not in single]
        found: Statistics = dict(_measured(joint, of_channel(None), whole))
        if single:
            values = [_measured(single, of_channel(c), survey(of_channel(c))) for c in range(count)]
            for measure in single:
                per_channel = np.array([value[measure] for value in values])
                found[measure] = Tensor(per_channel, dims=(channels[0].id,))
        return found

    def _gain(self, found: Statistics) -> float:
        """Return by what a faint image is to be multiplied; refuse one without any range."""
        gain = 1.0
        for step in self._before:
            if isinstance(step, steps.ScaleRange):
                low, high = (_numbers(found[of]) for of in (step.lower, step.upper))
                if (low >= high).any():
                    # Dividing by nothing would give finite nonsense.
                    raise UserError(
                        f"Almost all pixels of the image are {low[low >= high][0]:g}: there is no "
                        f"range of intensities (percentiles {100 * step.lower.q:g} and "
                        f"{100 * step.upper.q:g}) to normalise by. Crop to what holds structure."
                    )
                gain = max(gain, self._gain_for(step, float((high - low).min())))
            if isinstance(step, steps.ZeroMeanUnitVariance):
                gain = max(gain, self._gain_for(step, float(_numbers(found[step.std]).min())))
        return gain

    def _gain_for(self, step: Any, extent: float) -> float:
        if self._is_scale_free:
            return gain_for(extent, step.eps)
        if 0 < extent < _LEAST_EXTENT * step.eps:
            raise UserError(
                f"The intensities of the image spread by {extent:.2g} only, and the package adds "
                f"{step.eps:.2g} to that when it normalises: multiply them by "
                f"{10 ** math.ceil(math.log10(_LEAST_EXTENT * step.eps / extent)):g} or more."
            )
        return 1.0

    @property
    def _is_scale_free(self) -> bool:
        """Whether an image times a constant gives the same result, but for the steps' epsilon."""
        changing = [step for step in self._before if not isinstance(step, steps.EnsureDtype)]
        normalises = (steps.ScaleRange, steps.ZeroMeanUnitVariance)
        after = {m.member_id for step in self._after for m in step.required_measures}
        return (
            isinstance(changing[0], normalises)
            and np.dtype(self._package.input.dtype).kind == "f"
            and self._package.input.id not in after
        )

    def _refuse(self, measure: Measure) -> None:
        path, tensors = self._package.path, (self._package.input, self._package.output)
        of = next((tensor for tensor in tensors if tensor.id == measure.member_id), None)
        if of is None or (of is tensors[1] and measure not in _required(self._after)):
            raise UserError(
                f"{path} processes with statistics of '{measure.member_id}', which are not known "
                "when they are needed."
            )
        spatial = {axis.id for axis in spatial_axes(of).values()}
        if measure.axes is not None and not spatial <= set(measure.axes):
            raise UserError(
                f"{path} normalises along only some spatial axes ({', '.join(measure.axes)}): "
                "this cannot be done window by window."
            )


def _required(operators: Sequence[Any]) -> set[Measure]:
    return {measure for operator in operators for measure in operator.required_measures}


def _steps(package: Package) -> tuple[list[Any], list[Any]]:
    """Return the operators before and after the network, without core's own statistics."""
    pre, post = setup_pre_and_postprocessing(package.description, ())
    pre = [operator for operator in pre if not isinstance(operator, steps.UpdateStats)]
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


def _keeps_scale(step: Any) -> bool:
    return isinstance(step, steps.EnsureDtype | steps.Clip)


def _measured(
    measures: Sequence[Measure], blocks: Blocks, known: Survey
) -> Mapping[Measure, float]:
    values: dict[Measure, float] = {}
    wanted = {m: (m.q, getattr(m, "method", "linear")) for m in measures if m.name == "quantile"}
    for measure in measures:
        if measure.name == "mean":
            values[measure] = known.moments.mean
        elif measure.name == "std":
            values[measure] = known.moments.std
        elif measure.name == "var":
            values[measure] = known.moments.std**2
    if wanted:
        found = quantiles(blocks, known, list(wanted.values()))
        values |= dict(zip(wanted, found, strict=True))
    return values


def _times(gain: float, measure: Measure, value: MeasureValue) -> MeasureValue:
    """Return a measure of an image times a power of two, which rounds nothing."""
    power = gain**2 if measure.name == "var" else gain
    return value * power


def _numbers(value: MeasureValue) -> NDArray[np.float64]:
    """Return a measure of the image, or those of its channels."""
    return np.ravel(np.asarray(value.data if isinstance(value, Tensor) else value, np.float64))
