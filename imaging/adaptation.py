"""The record of an adaptation: adaptation.json of its folder."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from imaging.files import STRICT, Sha256
from imaging.record import Record
from imaging.training_metadata import Lineage


@dataclass(frozen=True, config=STRICT)
class Adaptation(Record):
    """Which package is adapted to which images, and how.

    Attributes
    ----------
    command
        What was asked for; of files their names.
    package
        That is adapted.
    real
        SHA-256 of the real images, by name.
    """

    FILE: ClassVar[str] = "adaptation.json"
    SCHEMA: ClassVar[int] = 1
    MADE_BY: ClassVar[str] = "python -m training adapt"

    command: str
    package: Lineage
    real: dict[str, Sha256]
