"""What packages made of the objects that people marked in a dataset's images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import Definition
from benchmark.objects.detection import Detection, Looks, detect, lead, threshold
from benchmark.objects.points import Seen, Sites, find_sites, look
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.planes import mean_channel
from imaging import images
from imaging.annotations import read_annotations
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.cli import UserError
from imaging.datasets import with_pixel_size
from imaging.scores import INPUT

COLUMNS = (
    *("package", "image", "kind", "object", "control", "line", "x_um", "y_um", "plane"),
    *("brightness", "in_input", "threshold", "away_um"),
)


@dataclass(frozen=True)
class Found:
    """How well one package shows objects of one kind.

    Attributes
    ----------
    name
        Of the package, or of the input.
    detection
        How well they are told from control points.
    lead
        By how much better than in the input, at the same places; None for the input itself.
    away_um
        Mean distance from a mark to the middle of the brightest disc near it, µm.
    """

    name: str
    detection: Detection
    lead: Detection | None
    away_um: float


@dataclass(frozen=True)
class Objects:
    """Marked objects of one kind, as everyone shows them.

    Attributes
    ----------
    kind
        What was marked.
    images, marks, controls, lines
        How many.
    found
        The input, then every package that restored all of the images.
    absent
        By package, why it is not among them.
    table
        A row for each package and place, columns `COLUMNS`; `in_input` is the brightness of the
        same place in the input.
    """

    kind: str
    images: int
    marks: int
    controls: int
    lines: int
    found: tuple[Found, ...]
    absent: dict[str, str]
    table: pd.DataFrame


def measure_objects(
    dataset: DatasetEntry,
    packages: Sequence[PackageEntry],
    results: CellFiles,
    definition: Definition | None = None,
) -> tuple[list[Objects], list[str]]:
    """Look at marks and control points in the input and in what packages restored.

    Controls that stand beside packages are left out: they are stored plane by plane on a scale of
    their own, while the input is read as it was recorded.

    Parameters
    ----------
    dataset, packages
        Of the run.
    results
        Where the restored images are.
    definition
        What is looked at; the default one without it.

    Returns
    -------
    objects
        Of each kind of points that stand beside lines; empty where nothing is annotated.
    reasons
        Sentences: why an annotated image says nothing.
    """
    wanted = definition or Definition()
    sites: dict[str, dict[str, Sites]] = {}
    inputs: dict[str, NDArray[np.floating]] = {}
    reasons: list[str] = []
    for image in dataset.images:
        if not image.annotations:
            continue
        try:
            recorded = with_pixel_size(
                images.read(Path(image.input), lazy=True), dataset.pixel_size_um
            )
            for kind, here in find_sites(
                read_annotations(Path(image.annotations), recorded), recorded
            ).items():
                sites.setdefault(kind, {})[image.name] = here
            inputs[image.name] = _planes(recorded)
        except (NotApplicable, UserError) as reason:
            reasons.append(f"{image.name}: {reason}")
    names = [package.name for package in packages if not package.control]
    objects: list[Objects] = []
    for kind, of_kind in sites.items():
        try:
            objects.append(_of_kind(kind, of_kind, inputs, dataset.name, names, results, wanted))
        except NotApplicable as reason:
            reasons.append(f"{kind}: {reason}")
    return objects, reasons


def _of_kind(
    kind: str,
    sites: Mapping[str, Sites],
    inputs: Mapping[str, NDArray[np.floating]],
    dataset: str,
    names: Iterable[str],
    results: CellFiles,
    definition: Definition,
) -> Objects:
    in_input = {image: look(here, inputs[image], definition) for image, here in sites.items()}
    levels = {
        image: threshold(in_input[image].brightness[here.marks :]) for image, here in sites.items()
    }
    baseline = _looks(sites, in_input, levels)
    found = [Found(INPUT, detect(baseline), None, _away_um(sites, in_input))]
    tables = [_table(INPUT, kind, sites, in_input, in_input, levels)]
    absent: dict[str, str] = {}
    for name in names:
        try:
            seen = {
                image: look(here, _restored(results, name, dataset, image), definition)
                for image, here in sites.items()
            }
        except (NotApplicable, UserError) as reason:
            absent[name] = str(reason)
            continue
        looks = _looks(sites, seen, levels)
        found.append(Found(name, detect(looks), lead(looks, baseline), _away_um(sites, seen)))
        tables.append(_table(name, kind, sites, seen, in_input, levels))
    return Objects(
        kind=kind,
        images=len(sites),
        marks=sum(here.marks for here in sites.values()),
        controls=sum(len(here.places) - here.marks for here in sites.values()),
        lines=len({(image, line) for image, here in sites.items() for line in here.line}),
        found=tuple(found),
        absent=absent,
        table=pd.concat(tables, ignore_index=True),
    )


def _restored(results: CellFiles, name: str, dataset: str, image: str) -> NDArray[np.floating]:
    file = results.prediction_file(CellKey(name, dataset, image))
    if not file.exists():
        raise NotApplicable(f"It has not restored {image}.")
    return _planes(images.read(file, lazy=True))


def _planes(image: xr.DataArray) -> NDArray[np.floating]:
    """Read one channel as (z, y, x)."""
    planes = mean_channel(image).values
    return planes[None] if planes.ndim == 2 else planes


def _looks(
    sites: Mapping[str, Sites], seen: Mapping[str, Seen], levels: Mapping[str, float]
) -> Looks:
    """Put the places of all images together; a line is one of its image."""
    numbers: dict[tuple[str, str], int] = {}
    rows: list[NDArray[np.float64]] = []
    for image, here in sites.items():
        line = [numbers.setdefault((image, name), len(numbers)) for name in here.line]
        is_mark = np.arange(len(here.places)) < here.marks
        level = np.full(len(here.places), levels[image])
        rows.append(np.stack([seen[image].brightness, line, level, is_mark], axis=1))
    brightness, line, level, is_mark = np.concatenate(rows).T
    marks = is_mark > 0
    return Looks(
        brightness[marks],
        brightness[~marks],
        line[marks].astype(np.intp),
        line[~marks].astype(np.intp),
        level[marks],
        level[~marks],
    )


def _away_um(sites: Mapping[str, Sites], seen: Mapping[str, Seen]) -> float:
    away = [seen[image].away_um[: here.marks] for image, here in sites.items()]
    return float(np.concatenate(away).mean())


def _table(
    name: str,
    kind: str,
    sites: Mapping[str, Sites],
    seen: Mapping[str, Seen],
    in_input: Mapping[str, Seen],
    levels: Mapping[str, float],
) -> pd.DataFrame:
    tables = [
        pd.DataFrame(
            {
                "package": name,
                "image": image,
                "kind": kind,
                "object": here.names,
                "control": np.arange(len(here.places)) >= here.marks,
                "line": here.line,
                "x_um": here.places.x_um,
                "y_um": here.places.y_um,
                "plane": here.places.plane,
                "brightness": seen[image].brightness,
                "in_input": in_input[image].brightness,
                "threshold": levels[image],
                "away_um": seen[image].away_um,
            },
            columns=list(COLUMNS),
        )
        for image, here in sites.items()
    ]
    return pd.concat(tables, ignore_index=True)
