"""A folder of results: one file per cell while a run lasts, one tidy table when it is done.

::

    RESULTS/
      run.json                                  what was run on what
      scores.parquet, scores.csv                package, dataset, image, metric, value
      not_applicable.csv                        package, dataset, image, metric, reason
      cells/PACKAGE/DATASET/IMAGE.json          one cell: its values and what they were computed for
      cells/PACKAGE (sample)/DATASET/IMAGE.json the same for the single sample in that restoration
      predictions/PACKAGE/DATASET/IMAGE.ome.tif
      repeats/PACKAGE/DATASET/IMAGE.ome.tif     what was restored from the repeat of an image

A cell is either whole or absent, so a run may be killed at any moment and started again.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from pyarrow import ArrowInvalid
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from packages.cli import UserError
from packages.files import replacing, write_json

SCHEMA = 2
PLACE = ("package", "dataset", "image")
COLUMNS = (*PLACE, "metric", "value")
SECONDS = "seconds_per_megapixel"
MEMORY = "peak_mib"
SAMPLE_SUFFIX = " (sample)"
_BEGUN = re.compile(r"\.\d+\.run\.json")  # all that a run leaves which is killed at once


@dataclass(frozen=True, order=True)
class Place:
    """Where a cell stands: one package (or control) on one image of one dataset."""

    package: str
    dataset: str
    image: str

    @property
    def of_sample(self) -> "Place":
        """Return where the scores of the package's single sample stand."""
        return replace(self, package=self.package + SAMPLE_SUFFIX)

    def __str__(self) -> str:
        return f"{self.package} on {self.dataset}/{self.image}"


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Cell:
    """What one package scored on one image.

    Attributes
    ----------
    computed_for
        Hashes and versions of all that the values depend on, by what they are of.
    values
        By metric; infinite where a metric of a perfect restoration is, never NaN.
    not_applicable
        By metric, one sentence saying why it has no value here.
    lacking
        The metrics among these that lacked a file, which may be there another time.
    has_sample
        Whether the package's single sample has a cell of its own.
    """

    computed_for: dict[str, str]
    values: dict[str, float] = field(default_factory=dict[str, float])
    not_applicable: dict[str, str] = field(default_factory=dict[str, str])
    lacking: list[str] = field(default_factory=list[str])
    has_sample: bool = False


@dataclass(frozen=True)
class Failure:
    """A cell that has no result, and why."""

    place: Place
    reason: str


@dataclass(frozen=True)
class Scores:
    """A finished run as it is read back.

    Attributes
    ----------
    facts
        The content of run.json.
    table
        Columns `COLUMNS`.
    not_applicable
        Columns package, dataset, image, metric, reason.
    """

    facts: dict[str, Any]
    table: pd.DataFrame
    not_applicable: pd.DataFrame


class Results:
    """A results folder.

    Parameters
    ----------
    path
        An absent or empty folder, or one that an earlier run made.

    Raises
    ------
    UserError
        The folder holds something else, or results of another version of this program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file: give a folder for the results.")
        if (path / "run.json").exists():
            _read_facts(path)
            _remove_abandoned(path)
        elif path.exists() and any(not _BEGUN.fullmatch(file.name) for file in path.iterdir()):
            raise UserError(
                f"{path} is neither empty nor a folder of results (it has no run.json): "
                "choose another folder."
            )

    def cell_file(self, place: Place) -> Path:
        """Return where a cell is kept."""
        return self.path / "cells" / place.package / place.dataset / f"{place.image}.json"

    def prediction_file(self, place: Place) -> Path:
        """Return where a restored image is kept."""
        return self._image_file("predictions", place)

    def repeat_file(self, place: Place) -> Path:
        """Return where what was restored from the repeat of an image is kept."""
        return self._image_file("repeats", place)

    def _image_file(self, kind: str, place: Place) -> Path:
        return self.path / kind / place.package / place.dataset / f"{place.image}.ome.tif"

    def find(self, place: Place) -> Cell | None:
        """Return the cell kept at a place, if there is one that can be read."""
        try:
            content = self.cell_file(place).read_bytes()
            return TypeAdapter(Cell).validate_json(content)
        except (FileNotFoundError, ValidationError):
            return None

    def keep(self, place: Place, cell: Cell) -> None:
        """Write a cell, whole or not at all; raise ValueError when a value is NaN."""
        if any(math.isnan(value) for value in cell.values.values()):
            raise ValueError(f"{place}: a value is NaN, which is neither a score nor a reason.")
        write_json(self.cell_file(place), asdict(cell))

    def discard(self, place: Place) -> None:
        """Remove a cell, the first as it vouches for the rest, its sample's and its images."""
        self.cell_file(place).unlink(missing_ok=True)
        self.cell_file(place.of_sample).unlink(missing_ok=True)
        self.discard_images(place)

    def discard_images(self, place: Place) -> None:
        """Remove what was restored at a place."""
        self.prediction_file(place).unlink(missing_ok=True)
        self.repeat_file(place).unlink(missing_ok=True)

    def begin(self, facts: dict[str, Any]) -> None:
        """Write down what is run on what; the table of an earlier run goes.

        Parameters
        ----------
        facts
            What JSON can hold.
        """
        for name in ("scores.parquet", "scores.csv", "not_applicable.csv"):
            (self.path / name).unlink(missing_ok=True)
        write_json(self.path / "run.json", {"schema": SCHEMA, **facts, "failures": []})

    def finish(
        self, facts: dict[str, Any], places: Iterable[Place], failures: Iterable[Failure]
    ) -> Scores:
        """Merge the cells of a run into its table.

        Parameters
        ----------
        facts
            As given to `begin`.
        places
            The cells the run asked for, in any order; those of their samples come along, cells of
            other runs stay out of the table.
        failures
            The places among them that have no cell.

        Returns
        -------
        Scores
            What was written.
        """
        values: list[tuple[str, str, str, str, float]] = []
        reasons: list[tuple[str, str, str, str, str]] = []
        for place in (row for asked in places for row in (asked, asked.of_sample)):
            cell = self.find(place)
            if cell is None:
                continue
            where = (place.package, place.dataset, place.image)
            values += [(*where, metric, value) for metric, value in cell.values.items()]
            reasons += [(*where, metric, why) for metric, why in cell.not_applicable.items()]
        table = pd.DataFrame(sorted(values), columns=list(COLUMNS)).astype({"value": "float64"})
        absent = pd.DataFrame(sorted(reasons), columns=[*PLACE, "metric", "reason"])
        facts = {
            "schema": SCHEMA,
            **facts,
            "failures": [
                {**asdict(failure.place), "reason": failure.reason}
                for failure in sorted(failures, key=lambda failure: failure.place)
            ],
        }
        with replacing(self.path / "scores.parquet") as temporary:
            table.to_parquet(temporary, index=False)
        with replacing(self.path / "scores.csv") as temporary:
            table.to_csv(temporary, index=False)
        with replacing(self.path / "not_applicable.csv") as temporary:
            absent.to_csv(temporary, index=False)
        write_json(self.path / "run.json", facts)
        return Scores(facts, table, absent)


def read_scores(path: Path) -> Scores:
    """Read what a finished run wrote.

    Parameters
    ----------
    path
        A results folder.

    Returns
    -------
    Scores
        The table and the facts.

    Raises
    ------
    UserError
        No results there, an unfinished run, or another version's.
    """
    if not (path / "run.json").exists():
        raise UserError(f"{path} holds no results: give the folder that `benchmark run` wrote.")
    facts = _read_facts(path)
    if not (path / "not_applicable.csv").exists():
        raise UserError(f"The run in {path} did not finish: give the same command again.")
    words = dict.fromkeys((*PLACE, "metric", "reason"), str)
    try:
        absent = pd.read_csv(path / "not_applicable.csv", dtype=words, keep_default_na=False)
        table = pd.read_parquet(path / "scores.parquet", columns=list(COLUMNS))
    except (ArrowInvalid, LookupError, ValueError, OSError) as error:
        raise UserError(
            f"The tables in {path} are missing or damaged: give the same command of `benchmark "
            "run` again, which computes only what is missing."
        ) from error
    return Scores(facts, table, absent)


def _read_facts(path: Path) -> dict[str, Any]:
    file = path / "run.json"
    try:
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        schema = facts["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} cannot be read: choose another folder for the results.") from error
    if schema != SCHEMA:
        raise UserError(
            f"{path} holds results in schema {schema} and this program writes {SCHEMA}: "
            "choose another folder, or remove that one."
        )
    return facts


def _remove_abandoned(path: Path) -> None:
    """Remove what killed processes had begun to write (see `packages.files.replacing`)."""
    for file in path.rglob(".*"):
        owner = re.match(r"\.(\d+)\.", file.name)
        if owner and file.is_file() and not psutil.pid_exists(int(owner[1])):
            file.unlink(missing_ok=True)
