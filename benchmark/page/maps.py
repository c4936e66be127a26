"""Where restorations contradict the input and agree with the truth: a row of maps per method."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.comparison.comparisons import TRUTH
from benchmark.metrics import NotApplicable
from benchmark.metrics.columns import column_of
from benchmark.metrics.consistency import error_map
from benchmark.metrics.rolling import RollingCorrelation, rolling_correlation
from benchmark.page.crops import Plane, brightest, fitted, on_grid, readable
from benchmark.page.panels import frequency_map, side_within
from benchmark.running.cell import CellFiles, CellKey
from imaging import drawing, images
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.cli import UserError
from imaging.pictures import draw_grey

METRICS = ("rse", "rsp", "rssim")
_HEADINGS = ("input", "restored", "truth", "error map", "FRC with the truth")
_BYTES = 2e6
_LABEL, _PICTURE, _GAP, _HEAD, _LINE = 120.0, 150.0, 8.0, 22.0, 15.0
_LOW, _HIGH = 1.0, 99.9  # percentiles of the display range
_WHITE = 99.0  # percentile of the errors
_FINEST = 98.0  # percentile of what is resolved: single blocks agree finer by chance
_LEAST = 1e-9


@dataclass(frozen=True)
class Maps:
    """A figure with a row per method.

    Attributes
    ----------
    image
        That it shows.
    figure
        An SVG element.
    error
        What white stands for in the error maps, of the range of the input.
    period, unit
        What white stands for in the maps of Fourier ring correlation; 0 where nothing is resolved.
    """

    image: str
    figure: str
    error: float
    period: float
    unit: str


@dataclass(frozen=True)
class _Row:
    """What a method made of the image, and the maps of it, where they can be made."""

    name: str
    is_package: bool
    restored: Plane
    errors: Plane | None
    agreement: RollingCorrelation | None


def draw_maps(
    dataset: DatasetEntry,
    image: str,
    packages: Sequence[PackageEntry],
    results: CellFiles,
    table: pd.DataFrame,
) -> Maps | None:
    """Draw input, restoration, truth, error map and map of Fourier ring correlation of everyone.

    Error maps (`benchmark.metrics.consistency.error_map`) and rolling Fourier ring correlation with
    the truth are those of the whole image, of which the brightest part is shown, as in the other
    images of the page.

    Parameters
    ----------
    dataset, image
        Of the run, and the name of one of its images.
    packages
        Of the run; who has restored nothing is left out, as the truth is.
    results
        Where restorations are.
    table
        Scores of the dataset; those of `METRICS` stand beside the maps.

    Returns
    -------
    Maps or None
        None where the image is not there or has no truth, or input or truth cannot be read.
    """
    shown = next((one for one in dataset.images if one.name == image and one.target), None)
    if shown is None:
        return None
    try:
        truth = images.read(Path(shown.target), lazy=True)
        shape = (truth.sizes["y"], truth.sizes["x"])
        planes = [on_grid(images.read(Path(shown.input), lazy=True), shape), on_grid(truth, shape)]
    except UserError:
        return None  # moved or damaged since the run
    rows = list(_rows(dataset.name, image, packages, results, planes))
    pixel_um = dataset.target_pixel_size_um or dataset.pixel_size_um
    here = table[table["image"] == image]
    scores = {
        (str(package), str(metric)): float(value)
        for package, metric, value in zip(
            here["package"], here["metric"], here["value"], strict=True
        )
    }
    window = brightest(planes[1], side_within(len(_HEADINGS) * len(rows), _BYTES))
    errors = [row.errors[window] for row in rows if row.errors is not None]
    white = max((float(np.percentile(of, _WHITE)) for of in errors), default=0.0)
    frequencies = [frequency_map(r.agreement, shape)[window] for r in rows if r.agreement]
    resolved = np.concatenate([of[of > 0] for of in frequencies] or [np.empty(0)])
    finest = float(np.percentile(resolved, _FINEST)) if resolved.size else 0.0
    measured, target = (plane[window] for plane in planes)
    low, high = (float(level) for level in np.percentile(target, [_LOW, _HIGH]))
    high = max(high, low + _LEAST)
    parts = [
        drawing.text((_LABEL + i * (_PICTURE + _GAP), 14), heading)
        for i, heading in enumerate(_HEADINGS)
    ]
    height = _PICTURE * target.shape[0] / target.shape[1]
    ends = draw_grey(fitted(measured, target), low, high), draw_grey(target, low, high)
    for number, row in enumerate(rows):
        restored = draw_grey(fitted(row.restored[window], target), low, high)
        error = draw_grey(row.errors[window], 0, white or 1.0) if row.errors is not None else ""
        agreed = ""
        if row.agreement is not None:
            agreed = draw_grey(frequency_map(row.agreement, shape)[window], 0, finest or 1.0)
        top = _HEAD + number * (height + _GAP)
        parts.append(drawing.text((0, top + 12), row.name, bold=row.is_package))
        for line, words in enumerate(_notes(row, scores, pixel_um), 1):
            parts.append(drawing.text((0, top + 12 + line * _LINE), words))
        for i, source in enumerate((ends[0], restored, ends[1], error, agreed)):
            if source:
                place = (_LABEL + i * (_PICTURE + _GAP), top)
                parts.append(drawing.picture(source, place, _PICTURE, height))
    figure = drawing.svg(
        parts,
        _HEAD + len(rows) * (height + _GAP),
        f"{image}: error maps and Fourier ring correlation",
        _LABEL + len(_HEADINGS) * (_PICTURE + _GAP),
    )
    period = (pixel_um or 1.0) / finest if finest else 0.0
    return Maps(image, figure, white, period, "µm" if pixel_um else "pixels")


def _rows(
    dataset: str,
    image: str,
    packages: Sequence[PackageEntry],
    results: CellFiles,
    planes: Sequence[Plane],
) -> list[_Row]:
    measured, truth = planes
    rows: list[_Row] = []
    for package in packages:
        found = readable(results.prediction_file(CellKey(package.name, dataset, image)))
        if found is None or package.name == TRUTH:
            continue
        restored = on_grid(found, (truth.shape[0], truth.shape[1]))
        errors = agreement = None
        # Too small, constant or unresolved: what there is is shown.
        with suppress(NotApplicable):
            errors = error_map(measured, restored)
        with suppress(NotApplicable):
            agreement = rolling_correlation(truth, restored)
        rows.append(_Row(package.name, not package.control, restored, errors, agreement))
    return rows


def _notes(row: _Row, scores: Mapping[tuple[str, str], float], pixel_um: float | None) -> list[str]:
    notes = [
        f"{column.label} {column.format(scores[row.name, column.metric])}"
        for column in map(column_of, METRICS)
        if (row.name, column.metric) in scores
    ]
    if row.agreement is not None:
        mean_px = row.agreement.mean_px
        notes.append(f"FRC {mean_px * pixel_um:.3f} µm" if pixel_um else f"FRC {mean_px:.1f} px")
        notes.append(f"unevenness {row.agreement.value:.2f}")
    return notes
