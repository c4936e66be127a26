"""What packages made of the points that people marked beside lines in a dataset's images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import Definition
from benchmark.objects.detection import Detection, Looks, detect, lead, threshold
from benchmark.objects.fields import Field, Shows
from benchmark.objects.points import Seen, Sites, find_sites, look
from benchmark.objects.sensitivity import Sensitivity, compare, looks_by_variant
from imaging.cli import UserError
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
        Of the package or control, or of the input.
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
        The input, then every package and control that restored all of the images.
    absent
        By package, why it is not among them.
    table
        A row for each package and place, columns `COLUMNS`; `in_input` is the brightness of the
        same place in the input.
    sensitivity
        Detectability by other definitions.
    """

    kind: str
    images: int
    marks: int
    controls: int
    lines: int
    found: tuple[Found, ...]
    absent: dict[str, str]
    table: pd.DataFrame
    sensitivity: tuple[Sensitivity, ...]


def measure_points(
    fields: Iterable[Field], shown: Shows, definition: Definition | None = None
) -> tuple[list[Objects], list[str]]:
    """Look at marks and control points in the input and in what was restored.

    Parameters
    ----------
    fields
        Annotated images.
    shown
        What was made of them.
    definition
        What is looked at; the default one without it.

    Returns
    -------
    objects
        Of each kind of points that stand beside lines; empty where there are none.
    reasons
        Sentences: why points say nothing.
    """
    wanted = definition or Definition()
    sites: dict[str, list[tuple[Field, Sites]]] = {}
    reasons: list[str] = []
    for field in fields:
        if field.annotations is None or not field.annotations.points:
            continue
        try:
            for kind, here in find_sites(field.annotations, field.extent).items():
                sites.setdefault(kind, []).append((field, here))
        except NotApplicable as reason:
            reasons.append(f"{field.name}: {reason}")
    objects: list[Objects] = []
    for kind, of_kind in sites.items():
        try:
            objects.append(_of_kind(kind, of_kind, shown, wanted))
        except NotApplicable as reason:
            reasons.append(f"{kind}: {reason}")
    return objects, reasons


def _of_kind(
    kind: str,
    places: Sequence[tuple[Field, Sites]],
    shown: Shows,
    definition: Definition,
) -> Objects:
    def seen_in(name: str) -> dict[str, Seen]:
        return {f.name: look(here, shown.volume(name, f), definition) for f, here in places}

    sites = {field.name: here for field, here in places}
    in_input = seen_in(INPUT)
    levels = {
        image: threshold(in_input[image].brightness[here.marks :]) for image, here in sites.items()
    }
    baseline = _looks(sites, in_input, levels)
    found = [Found(INPUT, detect(baseline), None, _away_um(sites, in_input))]
    tables = [_table(INPUT, kind, sites, in_input, in_input, levels)]
    by_variant = looks_by_variant(places, shown, INPUT)
    sensitivity = compare(INPUT, by_variant)
    absent: dict[str, str] = {}
    for name in shown.names:
        try:
            seen = seen_in(name)
        except (NotApplicable, UserError) as reason:
            absent[name] = str(reason)
            continue
        looks = _looks(sites, seen, levels)
        found.append(Found(name, detect(looks), lead(looks, baseline), _away_um(sites, seen)))
        tables.append(_table(name, kind, sites, seen, in_input, levels))
        sensitivity += compare(name, looks_by_variant(places, shown, name), by_variant)
    return Objects(
        kind=kind,
        images=len(sites),
        marks=sum(here.marks for here in sites.values()),
        controls=sum(len(here.places) - here.marks for here in sites.values()),
        lines=len({(image, line) for image, here in sites.items() for line in here.line}),
        found=tuple(found),
        absent=absent,
        table=pd.concat(tables, ignore_index=True),
        sensitivity=tuple(sensitivity),
    )


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
