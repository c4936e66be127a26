"""The record of a training: run.json of its run folder."""

from dataclasses import field
from typing import ClassVar

from pydantic.dataclasses import dataclass

from imaging.files import STRICT
from imaging.record import Record
from imaging.remarks import RemarkEntry
from imaging.training_metadata import Request


@dataclass(frozen=True, config=STRICT)
class TrainingRun(Record):
    """What was asked for, with which versions of libraries, and what was found in the images."""

    FILE: ClassVar[str] = "run.json"
    SCHEMA: ClassVar[int] = 1
    MADE_BY: ClassVar[str] = "python -m training MODEL"

    request: Request
    versions: dict[str, str]
    remarks: list[RemarkEntry] = field(default_factory=list[RemarkEntry])
