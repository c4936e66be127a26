"""What fixes a comparison: the [protocol] of dataset.toml, see docs/protocol.md."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field as CheckedField
from pydantic.dataclasses import dataclass

from imaging.files import STRICT

Split = Literal["train", "calibration", "validation"]
SPLITS: tuple[Split, ...] = ("train", "calibration", "validation")
_Words = Annotated[str, CheckedField(min_length=1)]
BIOSR = "biosr"
"""The protocol of docs/protocol.md."""
Level = Annotated[int, CheckedField(ge=1)]
"""Of light: 1 is the least."""


@dataclass(frozen=True, config=STRICT)
class Protocol:
    """What must be the same where scores of two runs are to mean the same.

    How the truth was registered and how fine its pixels are is stated for every dataset, and the
    level of light for each image: see `imaging.dataset_facts`.

    Attributes
    ----------
    name
        Of the protocol: "biosr" is that of docs/protocol.md.
    version
        From 1 on; a change after which scores mean something else takes the next.
    split_by
        What was split as a whole, and is the source of images: "cell" for instance.
    split
        By part, which of these units: {"train": "6-35"} for instance.
    normalisation
        What was done to intensities before they were written, in words; "none" where nothing was.
    structure
        What the images show, where a protocol has several; of BioSR as its folders are named.
    """

    name: _Words
    version: Annotated[int, CheckedField(ge=1)]
    split_by: _Words
    normalisation: _Words
    split: dict[Split, _Words] = field(default_factory=dict[Split, str])
    structure: _Words | None = None

    def __str__(self) -> str:
        of = f", {self.structure}" if self.structure else ""
        return f"{self.name} {self.version}{of}"


def of_biosr(structure: str) -> Protocol:
    """Return the protocol of BioSR by whole cells, as docs/protocol.md states it.

    Not for crops that do not say their cell: what they share with others is not known.

    Parameters
    ----------
    structure
        As the folder is named: "CCPs", "ER", "Microtubules", "F-actin" or "F-actin_Nonlinear".

    Examples
    --------
    >>> str(of_biosr("ER"))
    'biosr 1, ER'
    """
    return Protocol(
        name=BIOSR,
        version=1,
        split_by="cell",
        normalisation="none: counts as recorded, the input the mean of the raw frames",
        split={"train": "6-35", "calibration": "1-5", "validation": "36-50"},
        structure=structure,
    )
