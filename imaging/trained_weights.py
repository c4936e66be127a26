"""The record of trained weights: weights.pt, which training writes and packages are built from."""

import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import torch
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from torch import Tensor

from imaging.cli import UserError
from imaging.files import first_fault
from imaging.tensors import write_tensors
from imaging.training_metadata import Metadata

FILE_NAME = "weights.pt"
_WITH_TENSORS = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def _numbers(values: dict[str, Tensor]) -> dict[str, Tensor]:
    for name, tensor in values.items():
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"there are NaN or infinite weights in '{name}'")
    return values


def _image(image: Tensor) -> Tensor:
    if image.ndim not in (2, 3, 4) or not bool(image.isfinite().all()):
        raise ValueError("it is no image of shape (y, x), (z, y, x) or (c, z, y, x), all finite")
    return image


Weights = Annotated[dict[str, Tensor], AfterValidator(_numbers)]
Image = Annotated[Tensor, AfterValidator(_image)]


@dataclass(frozen=True, eq=False, config=_WITH_TENSORS)
class Example:
    """A validation image for the package's test; shape (y, x), or (z, y, x) of a volume.

    Of channels that are restored together (c, z, y, x), each normalised by itself.

    Attributes
    ----------
    input
        As it was recorded.
    target
        The truth, normalised; the normalised input where none is known.
    """

    input: Image
    target: Image


@dataclass(frozen=True, eq=False, config=_WITH_TENSORS)
class TrainedWeights:
    """The weights of a network, and all that building a package of it needs to know.

    Attributes
    ----------
    weights
        The network's state dict, on the CPU.
    metadata
        How they were trained.
    example
        For the package's test image.
    """

    SCHEMA: ClassVar[int] = 1

    weights: Weights
    metadata: Metadata
    example: Example

    @classmethod
    def read(cls, path: Path, *, model: str | None = None) -> Self:
        """Read what `write` wrote, or what training wrote before files had a schema.

        Parameters
        ----------
        path
            The file, or a run folder with a weights.pt.
        model
            Whose weights they must be; of any model without it.

        Returns
        -------
        TrainedWeights
            Validated, on the CPU.

        Raises
        ------
        UserError
            It is missing, holds other things, is of another schema or another model, an entry is
            missing, odd or unknown, or weights are no numbers.
        """
        file = path / FILE_NAME if path.is_dir() else path
        content = _content(file)
        schema = content.pop("schema", None)
        if schema != cls.SCHEMA:
            raise UserError(
                f"{file} is in schema {schema}, and this program reads {cls.SCHEMA}: train again."
            )
        try:
            trained = TypeAdapter(cls).validate_python(content)
        except ValidationError as error:
            raise UserError(f"{file}: {first_fault(error)}; train again.") from error
        if model not in (None, trained.metadata.model):
            raise UserError(
                f"{file} holds weights of '{trained.metadata.model}', not of '{model}': "
                f"build that model, or give a checkpoint of '{model}'."
            )
        return trained

    def write(self, path: Path) -> None:
        """Write weights, metadata and example, whole or not at all; what was there is replaced."""
        content = {
            "schema": self.SCHEMA,
            "weights": self.weights,
            "metadata": asdict(self.metadata),
            "example": {"input": self.example.input, "target": self.example.target},
        }
        write_tensors(path, content)


def _content(file: Path) -> dict[str, Any]:
    """Read a file that has a schema, or is from before there was one."""
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
        known = isinstance(content, dict) and "schema" in content
        return content if known else _from_before_schemas(content)
    except FileNotFoundError as error:
        raise UserError(
            f"{file} does not exist: train first (`python -m training MODEL`), then give a run "
            "folder, or the weights.pt in it."
        ) from error
    except (
        pickle.UnpicklingError,
        AttributeError,
        EOFError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(
            f"{file} is not weights made by a training of this project: "
            "give a run folder, or the weights.pt in it."
        ) from error


def _from_before_schemas(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a file that has no schema as schema 1 has it.

    Metadata were called facts, and the model was called room. A calibration did not always say on
    which data: it was on those of the training then.
    """
    facts = dict(content["facts"])
    metadata = {"model" if name == "room" else name: value for name, value in facts.items()}
    if "calibration" in facts:
        request = facts["request"]
        own = {"data": request["data"], "data_sha256": request["data_sha256"]}
        metadata["calibration"] = facts["calibration"] | {
            name: value for name, value in own.items() if name not in facts["calibration"]
        }
    others = {name: value for name, value in content.items() if name != "facts"}
    return {"schema": 1, "metadata": metadata} | others
