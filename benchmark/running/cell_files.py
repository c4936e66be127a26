"""A folder of cells: one file for each package on each image, and what was restored there.

::

    FOLDER/
      cells/PACKAGE/DATASET/IMAGE.json          one cell: its values and what they were computed for
      cells/PACKAGE (sample)/DATASET/IMAGE.json the same for the single sample in that restoration
      predictions/PACKAGE/DATASET/IMAGE.ome.tif
      repeats/PACKAGE/DATASET/IMAGE.ome.tif     what was restored from the repeat of an image

A cell is either whole or absent, so a run may be killed at any moment and started again.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from imaging.files import STRICT, write_json
from imaging.scores import SAMPLE_SUFFIX


@dataclass(frozen=True, order=True)
class CellKey:
    """Where a cell stands: one package (or control) on one image of one dataset."""

    package: str
    dataset: str
    image: str

    @property
    def of_sample(self) -> "CellKey":
        """Return where the scores of the package's single sample stand."""
        return replace(self, package=self.package + SAMPLE_SUFFIX)

    def __str__(self) -> str:
        return f"{self.package} on {self.dataset}/{self.image}"


@checked_dataclass(frozen=True, config=STRICT)
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


class CellFiles:
    """The cells in a folder.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def cell_file(self, place: CellKey) -> Path:
        """Return where a cell is kept."""
        return self.path / "cells" / place.package / place.dataset / f"{place.image}.json"

    def prediction_file(self, place: CellKey) -> Path:
        """Return where a restored image is kept."""
        return self._image_file("predictions", place)

    def repeat_file(self, place: CellKey) -> Path:
        """Return where what was restored from the repeat of an image is kept."""
        return self._image_file("repeats", place)

    def _image_file(self, kind: str, place: CellKey) -> Path:
        return self.path / kind / place.package / place.dataset / f"{place.image}.ome.tif"

    def find(self, place: CellKey) -> Cell | None:
        """Return the cell kept at a place, if there is one that can be read."""
        try:
            content = self.cell_file(place).read_bytes()
            return TypeAdapter(Cell).validate_json(content)
        except (FileNotFoundError, ValidationError):
            return None

    def keep(self, place: CellKey, cell: Cell) -> None:
        """Write a cell, whole or not at all; raise ValueError when a value is NaN."""
        if any(math.isnan(value) for value in cell.values.values()):
            raise ValueError(f"{place}: a value is NaN, which is neither a score nor a reason.")
        write_json(self.cell_file(place), asdict(cell))

    def discard(self, place: CellKey) -> None:
        """Remove a cell, the first as it vouches for the rest, its sample's and its images."""
        self.cell_file(place).unlink(missing_ok=True)
        self.cell_file(place.of_sample).unlink(missing_ok=True)
        self.discard_images(place)

    def discard_images(self, place: CellKey) -> None:
        """Remove what was restored at a place."""
        self.prediction_file(place).unlink(missing_ok=True)
        self.repeat_file(place).unlink(missing_ok=True)
