"""One cell: restore an image, score it, and keep what was found in a folder of cells.

::

    FOLDER/
      cells/PACKAGE/DATASET/IMAGE.json          one cell: its values and what they were computed for
      cells/PACKAGE (sample)/DATASET/IMAGE.json the same for the single sample in that restoration
      predictions/PACKAGE/DATASET/IMAGE.ome.tif
      repeats/PACKAGE/DATASET/IMAGE.ome.tif     what was restored from the repeat of an image

A cell is either whole or absent, so a run may be killed at any moment and started again.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from threadpoolctl import threadpool_limits

from benchmark.metrics import METRICS, Metric, MetricInputs, MissingFile, NotApplicable
from benchmark.running.grids import named_channel
from benchmark.running.planes import judging_sample, metric_inputs
from benchmark.running.restore import (
    Cost,
    Job,
    Method,
    ProcessDiedError,
    RestorationError,
    Restore,
    sentence_of,
)
from benchmark.running.volumes import volume_inputs
from imaging import images
from imaging.cli import UserError
from imaging.files import STRICT, write_json
from imaging.scores import COSTS, MEMORY, SAMPLE_SUFFIX, SECONDS

BY_DEPTH = ("si_psnr_a", "ssim", "lpips_alex")
"""Metrics that are kept plane by plane of volumes."""


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
    step_um
        Of a volume, the distance of its planes where it is known.
    planes
        Of a volume, the values of `BY_DEPTH` plane by plane: metric, and pairs of the number of a
        plane and its value, the mean over all volumes of the image. Planes without structure in the
        truth are left out.
    """

    computed_for: dict[str, str]
    values: dict[str, float] = field(default_factory=dict[str, float])
    not_applicable: dict[str, str] = field(default_factory=dict[str, str])
    lacking: list[str] = field(default_factory=list[str])
    has_sample: bool = False
    step_um: float | None = None
    planes: dict[str, list[tuple[int, float]]] = field(
        default_factory=dict[str, list[tuple[int, float]]]
    )


@dataclass(frozen=True)
class Known:
    """What is known of a restored image: plane by plane, and volume by volume."""

    planes: list[MetricInputs]
    volumes: list[MetricInputs]


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


@dataclass(frozen=True)
class CellTask:
    """A cell that a run asks for.

    Attributes
    ----------
    place
        Where it stands.
    job, repeat
        What is to be restored: the image, and its repeat where there is one.
    computed_for
        Hashes and versions of all that its values depend on.
    method
        That restores.
    """

    place: CellKey
    job: Job
    repeat: Job | None
    computed_for: dict[str, str]
    method: Method


def is_kept(task: CellTask, results: CellFiles, lacking: set[str]) -> bool:
    """Tell whether a cell is up to date; ask anew the metrics that lacked a file.

    Parameters
    ----------
    task
        The cell.
    results
        Where it may be.
    lacking
        Names of metrics whose file is still not there: nobody asks them again in this run. Those
        that are found to be so are added.

    Returns
    -------
    bool
        False where it is to be computed.
    """
    cell = results.find(task.place)
    if cell is None or cell.computed_for != task.computed_for:
        return False
    if not results.prediction_file(task.place).exists():
        return cell.values == {} and bool(cell.not_applicable)
    if task.repeat is not None and not task.repeat.output.exists():
        return False
    cells = {task.place: cell}
    if cell.has_sample:
        judging_sample = results.find(task.place.of_sample)
        if judging_sample is None or judging_sample.computed_for != task.computed_for:
            return False
        cells[task.place.of_sample] = judging_sample
    asked = {
        place: [name for name in c.lacking if name not in lacking] for place, c in cells.items()
    }
    if any(asked.values()):
        try:
            known = _rows(task, results)
        except (UserError, RestorationError):
            return False  # what was restored is damaged or changed
        for place, names in asked.items():
            now = _score(known[place], [METRICS[name] for name in names])
            lacking |= set(now.lacking)
            if len(now.lacking) < len(names):
                results.keep(place, _updated(cells[place], now, names))
    return True


def compute_cell(task: CellTask, restore: Restore, results: CellFiles) -> None:
    """Restore, score and keep, or keep nothing.

    Raises
    ------
    RestorationError
        It cannot be restored or scored.
    """
    results.discard(task.place)
    try:
        cost = restore(task.job)
    except NotApplicable as reason:
        names = [*METRICS, *COSTS]
        cell = Cell(task.computed_for, {}, dict.fromkeys(names, str(reason)))
        results.keep(task.place, cell)
        return
    try:
        if task.repeat is not None:
            restore(task.repeat)  # what it costs would be counted twice
        cells = {
            place: _score(known, METRICS.values()) for place, known in _rows(task, results).items()
        }
    except ProcessDiedError:
        results.discard_images(task.place)
        raise
    except Exception as error:
        results.discard_images(task.place)
        raise RestorationError(sentence_of(error)) from error
    # The cell of the restoration vouches for that of its sample, so it is written last.
    for place, cell in reversed(cells.items()):
        costs, reasons = _costs(cost, is_sample=place != task.place)
        results.keep(
            place,
            replace(
                cell,
                computed_for=task.computed_for,
                values=cell.values | costs,
                not_applicable=cell.not_applicable | reasons,
                has_sample=place == task.place and len(cells) > 1,
            ),
        )


def _updated(cell: Cell, now: Cell, asked: Sequence[str]) -> Cell:
    """Put values and reasons of now in the place of those before."""
    reasons = {**cell.not_applicable, **now.not_applicable}
    return replace(
        cell,
        values={**cell.values, **now.values},
        not_applicable={name: why for name, why in reasons.items() if name not in now.values},
        lacking=[name for name in cell.lacking if name not in asked] + now.lacking,
        planes={**cell.planes, **now.planes},
    )


def _rows(task: CellTask, results: CellFiles) -> dict[CellKey, Known]:
    """Return what is known of a restoration, and again with its sample judged."""
    restored = images.read(results.prediction_file(task.place))
    repeat = images.read(task.repeat.output) if task.repeat else None
    method, item = task.method, task.job.item
    planes = metric_inputs(
        restored,
        item,
        method.interval_factors,
        repeat,
        method.delivery,
        method.trust_mask,
    )
    rows = {task.place: Known(planes, volume_inputs(restored, item, repeat))}
    samples = [sample for plane in planes if (sample := judging_sample(plane)) is not None]
    sample = named_channel(restored, "sample")
    if samples and sample is not None:
        rows[task.place.of_sample] = Known(samples, volume_inputs(sample, item))
    return rows


def _score(known: Known, metrics: Iterable[Metric]) -> Cell:
    """Return values by metric, means over planes or volumes, and reasons by metric without one."""
    values: dict[str, float] = {}
    not_applicable: dict[str, str] = {}
    lacking: list[str] = []
    planes: dict[str, list[tuple[int, float]]] = {}
    is_volume = any(of["z"] for of in known.planes)
    # Sums shared among threads are rounded otherwise; scores must not tell how many there were.
    with threadpool_limits(1, user_api="blas"):
        for metric in metrics:
            of_all = known.volumes if metric.is_of_volumes else known.planes
            try:
                found = [metric.of(one) for one in of_all]
            except NotApplicable as reason:
                not_applicable[metric.name] = str(reason)
                if isinstance(reason, MissingFile):
                    lacking.append(metric.name)
                continue
            values[metric.name] = float(np.mean(found))
            if is_volume and metric.name in BY_DEPTH:
                planes[metric.name] = _by_depth([one["z"] for one in of_all], found)
    step_um = known.volumes[0].get("step_um") if known.volumes else None
    return Cell({}, values, not_applicable, lacking, step_um=step_um, planes=planes)


def _by_depth(depths: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    """Average over the planes of each depth."""
    at: dict[int, list[float]] = {}
    for depth, value in zip(depths, values, strict=True):
        at.setdefault(depth, []).append(value)
    return [(depth, float(np.mean(at[depth]))) for depth in sorted(at)]


def _costs(cost: Cost, *, is_sample: bool) -> tuple[dict[str, float], dict[str, str]]:
    """Return the rows of time and memory, and reasons where they have no value."""
    if is_sample:
        why = "One restoration gives the mean and the sample: see the row of the mean."
        return {}, {SECONDS: why, MEMORY: why}
    if cost.peak_mib is None:
        why = "Controls run in the benchmark's own process."
        return {SECONDS: cost.seconds_per_megapixel}, {MEMORY: why}
    return {SECONDS: cost.seconds_per_megapixel, MEMORY: cost.peak_mib}, {}
