"""Which images of a dataset are shown, and everyone's restoration of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.comparison.comparisons import TRUTH
from benchmark.metrics.columns import CHOOSING, Column, column_of
from benchmark.page.panels import Restored, View, make_view
from benchmark.page.volume_views import VolumeView, make_volume_view
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.items import item_of
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.cli import UserError
from imaging.results import Scores
from imaging.scores import INPUT, PLACE


def choose_images(
    dataset: DatasetEntry, packages: Sequence[PackageEntry], table: pd.DataFrame
) -> dict[str, str]:
    """Choose the images to show by rule, not by eye: by image, the rule that chose it."""
    names = sorted(image.name for image in dataset.images)
    chosen = {names[0]: "first in the order of names"} if names else {}
    package = next((one.name for one in packages if not one.control), None)
    here = table[table["dataset"] == dataset.name]
    metric = _chooser(here)
    here = here[(here["package"] == package) & (here["metric"] == metric.metric)]
    if not here.empty:
        worst = str(here.sort_values(["value", "image"])["image"].iloc[0])
        why = f"lowest {metric.label} of {package}"
        chosen[worst] = f"{chosen[worst]}, and {why}" if worst in chosen else why
    return chosen


@dataclass(frozen=True)
class Views:
    """What is shown of the images of a dataset: planes, and those of several planes as volumes."""

    planes: list[View]
    volumes: list[VolumeView]


def make_views(
    dataset: DatasetEntry,
    scores: Scores,
    results: CellFiles,
    chosen: Mapping[str, str],
    side: int,
    side_of_volumes: int,
) -> Views:
    """Put everyone's restorations of the chosen images side by side.

    Images were chosen by `choose_images`; crops are `side` pixels wide, those of volumes
    `side_of_volumes`. What moved away, or whose input or truth was damaged, since the run is left
    out.
    """
    metric = _chooser(scores.table[scores.table["dataset"] == dataset.name])
    values = scores.table.set_index([*PLACE, "metric"])["value"]
    scored = set(scores.table[list(PLACE)].itertuples(index=False, name=None))
    reasons = scores.not_applicable.set_index(list(PLACE))
    packages = [package for package in scores.run.packages if package.name != TRUTH]
    views = Views([], [])
    for image in dataset.images:
        if image.name not in chosen:
            continue
        restored: list[Restored] = []
        notes: dict[str, str] = {}
        for package in packages:
            place = CellKey(package.name, dataset.name, image.name)
            where = (place.package, place.dataset, place.image)
            file = results.prediction_file(place)
            # Every view begins with the input anyway.
            is_silent = where in reasons.index and where not in scored
            if package.name != INPUT and (file.exists() or not is_silent):
                again = results.repeat_file(place)
                restored.append(Restored(package.name, not package.control, file, again))
            if not file.exists() and where not in scored:
                notes[package.name] = "failed"
            for row in (place, place.of_sample):
                key = (row.package, row.dataset, row.image, metric.metric)
                if key in values.index:
                    value = float(values[key])
                    unit = metric.unit or metric.label
                    notes[row.package] = f"{metric.format(value)} {unit}"
        why = chosen[image.name]
        of_target = dataset.target_pixel_size_um if image.target else None
        pixel_um = of_target or dataset.pixel_size_um
        item = item_of(image, dataset)
        try:
            views.planes.append(make_view(image, why, restored, notes, side, pixel_um))
            volume = make_volume_view(item, why, restored, notes, side_of_volumes)
        except UserError:
            continue  # moved or damaged since the run; the scores stand without them
        if volume is not None:
            views.volumes.append(volume)
    return views


def _chooser(table: pd.DataFrame) -> Column:
    """Return what chooses the worst image: without truth, the correlation with the input."""
    return CHOOSING if (table["metric"] == CHOOSING.metric).any() else column_of("rsp")
