"""The record of trust tests: trust.json of their folder."""

from dataclasses import field
from typing import ClassVar

from pydantic.dataclasses import dataclass

from imaging.benchmark_run import BenchmarkRun
from imaging.files import FINITE


@dataclass(frozen=True, config=FINITE)
class Verdict:
    """What a reader must know of a package before believing it.

    Attributes
    ----------
    package
        Its name.
    sentence
        What was found at the usual level of light.
    faults
        On how many phantoms it failed; then what it does worse than its input beyond chance, each
        with the levels of light at which, or with the images on which.
    """

    package: str
    sentence: str
    faults: tuple[str, ...]

    def __str__(self) -> str:
        found = "; ".join([self.sentence, *(f"FAULT: {fault}" for fault in self.faults)])
        return f"{self.package}: {found}"


@dataclass(frozen=True, config=FINITE)
class FailedTests:
    """That a package failed, and so was not judged everywhere.

    Attributes
    ----------
    package
        Its name.
    sets, planned
        On how many sets of phantoms it failed, of how many.
    reason
        Of the first failure, one sentence.
    """

    package: str
    sets: int
    planned: int
    reason: str

    def __str__(self) -> str:
        reason = self.reason.rstrip(".")
        return f"failed on {self.sets} of {self.planned} sets of phantoms ({reason})"


@dataclass(frozen=True, kw_only=True, config=FINITE)
class TrustRun(BenchmarkRun):
    """What was tested, how, and what was found; `datasets` and `failures` stay empty.

    Attributes
    ----------
    draws
        Objects in each condition, about.
    photons
        Levels of light, increasing.
    verdicts
        One of each package, then of each control; empty while the tests run.
    figures
        Titles by file name without suffix.
    failed
        Packages that failed.
    """

    FILE: ClassVar[str] = "trust.json"
    SCHEMA: ClassVar[int] = 2
    MADE_BY: ClassVar[str] = "python -m benchmark trust"

    draws: int
    photons: list[float]
    verdicts: list[Verdict]
    figures: dict[str, str] = field(default_factory=dict[str, str])
    failed: list[FailedTests] = field(default_factory=list[FailedTests])
