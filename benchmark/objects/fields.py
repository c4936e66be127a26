"""Annotated images of a run: what was recorded, marked and drawn, and what was made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import Volume
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.grids import mean_channel
from benchmark.running.items import item_of
from imaging import images
from imaging.annotations import Annotations, read_annotations
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.cli import UserError
from imaging.extent import Extent, extent_of
from imaging.masks import read_mask
from imaging.scores import INPUT

Planes = NDArray[np.number]


@dataclass(frozen=True, eq=False)
class Field:
    """An annotated image.

    Attributes
    ----------
    name
        Of the image.
    extent
        How far it reaches.
    recorded
        Its pixels, (z, y, x).
    annotations
        Points and lines; none where only a mask was drawn.
    mask
        (z, y, x), a whole number for each object; None where none was drawn.
    """

    name: str
    extent: Extent
    recorded: Planes
    annotations: Annotations | None
    mask: NDArray[np.integer] | None


def read_fields(dataset: DatasetEntry) -> tuple[list[Field], list[str]]:
    """Read the annotated images of a dataset.

    Parameters
    ----------
    dataset
        Of a run.

    Returns
    -------
    fields
        Those that can be read.
    reasons
        Sentences: why others cannot.
    """
    fields: list[Field] = []
    reasons: list[str] = []
    for image in dataset.images:
        if not image.annotations and not image.mask:
            continue
        try:
            recorded = item_of(image, dataset).read_input(lazy=True)
            fields.append(
                Field(
                    image.name,
                    extent_of(recorded),
                    _planes(recorded),
                    read_annotations(Path(image.annotations), recorded)
                    if image.annotations
                    else None,
                    _stacked(read_mask(Path(image.mask), recorded).values) if image.mask else None,
                )
            )
        except UserError as reason:
            reasons.append(f"{image.name}: {reason}")
    return fields, reasons


def volume_of(planes: Planes, extent: Extent) -> Volume:
    """Return an image of an annotated field, to be looked up in micrometres.

    Parameters
    ----------
    planes
        (z, y, x), of any pixel size.
    extent
        Of the image that was annotated.

    Returns
    -------
    Volume
        In which places are those of the annotations.

    Raises
    ------
    NotApplicable
        It has other planes than were annotated.
    """
    if len(planes) != extent.planes:
        raise NotApplicable(
            f"It has {len(planes)} planes, and {extent.planes} were annotated, so that nothing "
            "tells which is which."
        )
    return Volume(
        planes,
        size_um=(extent.size_um["y"], extent.size_um["x"]),
        first_um=(-extent.pixel_um["y"] / 2, -extent.pixel_um["x"] / 2),
        step_um=extent.step_um,
    )


class Shows(Protocol):
    """What was made of annotated images: by whom, and their pixels."""

    @property
    def names(self) -> Sequence[str]:
        """Return who made something, without the input."""
        ...

    def volume(self, name: str, field: Field) -> Volume:
        """Return what one of them, or the input, shows of a field; raise where that is nothing."""
        ...


class Restorations:
    """What packages and controls of a run made of annotated images.

    Parameters
    ----------
    dataset, packages
        Of the run.
    results
        Where the restored images are.
    """

    def __init__(
        self, dataset: DatasetEntry, packages: Sequence[PackageEntry], results: CellFiles
    ) -> None:
        self.dataset = dataset.name
        self.results = results
        # What a control has nothing to say of is told where its scores would stand.
        self.names = [
            package.name
            for package in packages
            if package.name != INPUT
            and (
                not package.control
                or any(self._file(package.name, image.name).exists() for image in dataset.images)
            )
        ]
        self._scaled_by_plane = {
            package.name for package in packages if package.control and package.delivery == "planes"
        }
        self._last: tuple[Path, Planes] | None = None

    def volume(self, name: str, field: Field) -> Volume:
        """Return what a package made of a field.

        Raises
        ------
        NotApplicable
            It did not restore it, or has other planes, or planes of which each has its own scale.
        UserError
            The file cannot be read.
        """
        if name == INPUT:
            return volume_of(field.recorded, field.extent)
        file = self._file(name, field.name)
        if not file.exists():
            raise NotApplicable(f"It has not restored {field.name}.")
        if name in self._scaled_by_plane and field.extent.planes > 1:
            raise NotApplicable(
                "An earlier version stored each of its planes on a scale of its own: run the "
                "benchmark again."
            )
        if self._last is None or self._last[0] != file:  # asked for several times in a row
            self._last = file, _planes(images.read(file, lazy=True))
        return volume_of(self._last[1], field.extent)

    def _file(self, name: str, image: str) -> Path:
        return self.results.prediction_file(CellKey(name, self.dataset, image))


def _planes(image: xr.DataArray) -> Planes:
    """Read one channel as (z, y, x)."""
    return _stacked(mean_channel(image).values)


def _stacked(values: NDArray[Any]) -> NDArray[Any]:
    return values[None] if values.ndim == 2 else values
