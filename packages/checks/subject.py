"""What a check is given and what it gives back."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from bioimageio.core import PredictionPipeline, Sample, Tensor, create_prediction_pipeline
from bioimageio.core.digest_spec import get_test_input_sample, get_test_output_sample
from bioimageio.spec.common import FileDescr
from bioimageio.spec.model.v0_5 import InputTensorDescr, ModelDescr, OutputTensorDescr
from bioimageio.spec.utils import get_reader, open_bioimageio_yaml
from numpy.typing import NDArray

from packages.package import Package, Weights

Status = Literal["passed", "failed", "missing", "n/a"]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Parameters
    ----------
    status
        ``missing`` is a wish of the zoo that is not met, ``n/a`` a check that does not apply;
        neither fails the package.
    detail
        One sentence, with the measured value where there is one.
    values
        Measured numbers by name, for the JSON report.
    """

    status: Status
    detail: str
    values: dict[str, float] = field(default_factory=dict[str, float])


def judge(
    problems: list[str], otherwise: str, values: dict[str, float] | None = None
) -> CheckResult:
    """Fail with the problems found, or pass with what was seen.

    Parameters
    ----------
    problems
        What is wrong, each a clause.
    otherwise
        What to say when nothing is.
    values
        Measured numbers by name.

    Returns
    -------
    CheckResult
        Failed or passed.
    """
    if problems:
        return CheckResult("failed", "; ".join(problems) + ".", values or {})
    return CheckResult("passed", otherwise, values or {})


def wish(wishes: list[str], otherwise: str) -> CheckResult:
    """Note unmet wishes, or pass.

    Parameters
    ----------
    wishes
        What the zoo would like and does not find, each a clause.
    otherwise
        What to say when there is none.

    Returns
    -------
    CheckResult
        Missing or passed.
    """
    return (
        CheckResult("missing", "; ".join(wishes) + ".")
        if wishes
        else CheckResult("passed", otherwise)
    )


class Subject:
    """A package under check: its description, files and networks, opened when first needed.

    Everything runs on the CPU, as in the zoo's own test: on a GPU, TF32 and cuDNN would add
    differences that are not the package's.

    Parameters
    ----------
    package
        The opened package.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        self._pipelines: dict[Weights, PredictionPipeline] = {}
        self._loaded = ExitStack()

    def close(self) -> None:
        """Free the networks."""
        self._pipelines.clear()
        self._loaded.close()

    @property
    def description(self) -> ModelDescr:
        """The description, converted to the newest format."""
        return self.package.description

    @cached_property
    def content(self) -> dict[str, Any]:
        """The description as it stands in the YAML file."""
        return dict(open_bioimageio_yaml(self.package.path).content)

    @property
    def formats(self) -> tuple[Weights, ...]:
        """Weights formats that may run here."""
        return self.package.weights

    @property
    def tensors(self) -> list[InputTensorDescr | OutputTensorDescr]:
        """Descriptions of all inputs, then of all outputs."""
        return [*self.description.inputs, *self.description.outputs]

    @staticmethod
    def read(file: FileDescr) -> bytes:
        """Read a file of the package."""
        return get_reader(file).read()

    @cached_property
    def test_input(self) -> Arrays:
        """Test input by tensor id."""
        return arrays(get_test_input_sample(self.description))

    @cached_property
    def test_output(self) -> Arrays:
        """Test output by tensor id."""
        return arrays(get_test_output_sample(self.description))

    @cached_property
    def outputs(self) -> dict[Weights, Arrays]:
        """What each format makes of the test input, by tensor id."""
        return {name: self.run(name, self.test_input) for name in self.formats}

    def run(self, weights: Weights, inputs: Arrays) -> Arrays:
        """Run one format, with its pre- and postprocessing, on arrays of sizes it takes.

        Parameters
        ----------
        weights
            The format.
        inputs
            Arrays by tensor id, axes as described.

        Returns
        -------
        dict of ndarray
            Outputs by tensor id.
        """
        predicted = self.pipeline(weights).predict_sample_without_blocking(
            self.sample(inputs), skip_input_padding=True, skip_output_cropping=True
        )
        return arrays(predicted)

    def pipeline(self, weights: Weights) -> PredictionPipeline:
        """Load one format into what bioimageio.core predicts with; later calls return the same."""
        if weights not in self._pipelines:
            pipeline = create_prediction_pipeline(
                self.description, weight_format=weights, devices=["cpu"]
            )
            self._pipelines[weights] = self._loaded.enter_context(pipeline)
        return self._pipelines[weights]

    def sample(self, inputs: Arrays) -> Sample:
        """Copy arrays, by tensor id, into what bioimageio.core predicts from."""
        return Sample(
            # Preprocessing writes into the arrays it is given.
            members={
                tensor.id: Tensor(inputs[tensor.id].copy(), dims=[a.id for a in tensor.axes])
                for tensor in self.description.inputs
                if tensor.id in inputs
            },
            stat={},
            id=None,
        )


def arrays(sample: Sample) -> Arrays:
    """Return the arrays of a sample by tensor id."""
    return {str(name): np.asarray(tensor.data) for name, tensor in sample.members.items()}
