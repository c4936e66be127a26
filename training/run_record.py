"""The record of a training: run.json of its run folder."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from imaging.files import STRICT
from imaging.record import Record
from imaging.training_metadata import Request


@dataclass(frozen=True, config=STRICT)
class TrainingRun(Record):
    """What was asked for, and with which versions of the libraries it was begun."""

    FILE: ClassVar[str] = "run.json"
    SCHEMA: ClassVar[int] = 1
    MADE_BY: ClassVar[str] = "python -m training MODEL"

    request: Request
    versions: dict[str, str]
