"""The section of the page on objects that people marked: a table, and a gallery of examples."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from benchmark.objects.brightness import Definition
from benchmark.objects.detection import FALSE_POSITIVE_RATE, Interval
from benchmark.objects.marked_points import Found, Objects
from benchmark.page.sensitivity_figure import draw_sensitivity
from benchmark.page.text import enumerate_words, interval_text
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.grids import mean_channel
from imaging import drawing, images
from imaging.benchmark_run import DatasetEntry, ImageEntry
from imaging.cli import UserError, counted
from imaging.pictures import draw_grey
from imaging.scores import INPUT

HEADINGS = (
    "Package",
    "Detectability ↑",
    "Lead over the input ↑",
    "Contrast ↑",
    "Kept ↑",
    "False objects ↓",
    "Position ↓ µm",
)
FEWEST_LINES = 6  # as of specimens in paired tests: fewer cannot be told from chance at 5 %
_EXAMPLES = 8  # of each outcome
_CROP_UM = 5.0
_SIDE, _GAP, _TOP, _LABELS = 64.0, 6.0, 20.0, 66.0
_LOW, _HIGH = 50.0, 99.8  # percentiles of a plane that are black and white
# What became of a place, by whether it is a control point and whether it was and is seen.
_OUTCOMES = (
    ("kept", False, True, True),
    ("lost", False, True, False),
    ("gained", False, False, True),
    ("invented", True, False, True),
)


@dataclass(frozen=True)
class ObjectsTold:
    """What the page shows of objects of one kind.

    Attributes
    ----------
    kind, about, finding
        What was marked, and sentences.
    rows
        Of the table, with `HEADINGS`.
    absent
        Sentences naming packages without, and why.
    galleries
        SVG elements by package.
    sensitivity
        An SVG element.
    """

    kind: str
    about: str
    finding: str
    rows: list[tuple[str, ...]]
    absent: list[str]
    galleries: dict[str, str]
    sensitivity: str


def tell_objects(
    found: Sequence[Objects], dataset: DatasetEntry, results: CellFiles
) -> list[ObjectsTold]:
    """Write what was measured on marked objects, and draw examples.

    Parameters
    ----------
    found
        By kind.
    dataset, results
        Where the images are.
    """
    return [
        ObjectsTold(
            kind=objects.kind,
            about=_about(objects),
            finding=" ".join([_finding(objects), *_faults(objects)]),
            rows=[_row(one) for one in objects.found],
            absent=[f"{name}: {reason}" for name, reason in objects.absent.items()],
            galleries=_galleries(objects, dataset, results),
            sensitivity=draw_sensitivity(objects.sensitivity),
        )
        for objects in found
    ]


def _about(objects: Objects) -> str:
    definition = Definition()
    return (
        f"{counted(objects.marks, 'mark')} beside {counted(objects.lines, 'line')} in "
        f"{counted(objects.images, 'image')}, and {counted(objects.controls, 'control point')} as "
        "far from the same lines and away from every mark. Each is as bright as the brightest disc "
        f"of {definition.disc_um:g} µm radius within {definition.search_um:g} µm and "
        f"{definition.depth_um:g} µm in depth, where the background is 0 and the line beside it 1."
    )


def _finding(objects: Objects) -> str:
    ahead = [
        one.name
        for one in objects.found
        if one.lead and one.lead.detectability.low is not None and one.lead.detectability.low > 0
    ]
    behind = [
        one.name
        for one in objects.found
        if one.lead and one.lead.detectability.high is not None and one.lead.detectability.high < 0
    ]
    if objects.lines < FEWEST_LINES:
        said = (
            f"{counted(objects.lines, 'line')} cannot show that a package is ahead of the input or "
            f"behind it: that asks for {FEWEST_LINES} at least. Intervals over few are too narrow."
        )
        return f"{said} In these lines {_show(behind, 'worse')}." if behind else said
    shown = [_show(names, how) for names, how in ((ahead, "better"), (behind, "worse")) if names]
    if not shown:
        return "No package is told from the input by how well these objects are seen."
    return f"{'; '.join(shown)}, beyond chance."


def _show(names: Sequence[str], how: str) -> str:
    verb = "shows" if len(names) == 1 else "show"
    return f"{enumerate_words(names)} {verb} them {how} than the input"


def _faults(objects: Objects) -> list[str]:
    """Say who makes objects of nothing, and who loses marks: no count of lines excuses that."""
    kept = objects.found[0].detection.kept.value
    said: list[str] = []
    for one in objects.found[1:]:
        false, lost = one.detection.false, one.lead.kept if one.lead else None
        if false.low is not None and false.low > FALSE_POSITIVE_RATE:
            said.append(
                f"{one.name} makes objects of {false.value:.0%} of the control points, the input "
                f"of {FALSE_POSITIVE_RATE:.0%}.".replace("%", " %")
            )
        if lost and lost.high is not None and lost.high < 0:
            said.append(
                f"{one.name} keeps {one.detection.kept.value:.0%} of the marks, the input "
                f"{kept:.0%}.".replace("%", " %")
            )
    return said


def _row(one: Found) -> tuple[str, ...]:
    lead = one.lead.detectability if one.lead else None
    return (
        one.name,
        interval_text(one.detection.detectability, 3),
        interval_text(lead, 3, sign=True) if lead else "",
        interval_text(one.detection.contrast, 3),
        _percent(one.detection.kept),
        _percent(one.detection.false),
        f"{one.away_um:.2f}",
    )


def _percent(of: Interval) -> str:
    if of.low is None or of.high is None:
        return f"{100 * of.value:.0f} %"
    return f"{100 * of.value:.0f} % ({100 * of.low:.0f} – {100 * of.high:.0f})"


def _galleries(objects: Objects, dataset: DatasetEntry, results: CellFiles) -> dict[str, str]:
    entries = {image.name: image for image in dataset.images}
    galleries: dict[str, str] = {}
    for one in objects.found:
        if one.name == INPUT:
            continue
        rows = objects.table[objects.table["package"] == one.name]
        try:
            galleries[one.name] = _gallery(one.name, rows, entries, dataset, results)
        except UserError:
            continue  # moved or damaged since the run; what was measured stands without pictures
    return galleries


def _gallery(
    name: str,
    rows: pd.DataFrame,
    entries: dict[str, ImageEntry],
    dataset: DatasetEntry,
    results: CellFiles,
) -> str:
    seen, before = rows["brightness"] > rows["threshold"], rows["in_input"] > rows["threshold"]
    parts: list[str] = []
    top = 0.0
    for outcome, is_control, was, now in _OUTCOMES:
        of_outcome = rows[(rows["control"] == is_control) & (before == was) & (seen == now)]
        change = (of_outcome["brightness"] - of_outcome["in_input"]).abs()
        shown = of_outcome.loc[change.sort_values(ascending=False, kind="stable").index[:_EXAMPLES]]
        total = int((rows["control"] == is_control).sum())
        kind = "control points" if is_control else "marks"
        parts.append(
            drawing.text(
                (0, top + 13), f"{outcome}: {len(of_outcome)} of {total} {kind}", bold=True
            )
        )
        if len(shown):
            for number, label in enumerate((INPUT, name)):
                parts.append(drawing.text((0, top + _TOP + 36 + number * (_SIDE + 2)), label))
        for number, place in enumerate(shown.to_dict("records")):
            left = _LABELS + number * (_SIDE + _GAP)
            files = (
                Path(entries[str(place["image"])].input),
                results.prediction_file(CellKey(name, dataset.name, str(place["image"]))),
            )
            for row, file in enumerate(files):
                corner = (left, top + _TOP + row * (_SIDE + 2))
                crop = _crop(file, place, dataset.pixel_size_um)
                parts.append(drawing.picture(crop, corner, _SIDE, _SIDE))
                parts.append(_ring(corner))
        top += _TOP + (2 * _SIDE + 14 if len(shown) else 2)
    return drawing.svg(
        parts, top, f"Marked objects in {name}", _LABELS + _EXAMPLES * (_SIDE + _GAP)
    )


def _ring(corner: tuple[float, float]) -> str:
    """Draw the circle in which the brightest disc was searched for."""
    radius = Definition().search_um / _CROP_UM * _SIDE
    return drawing.element(
        "circle",
        cx=corner[0] + _SIDE / 2,
        cy=corner[1] + _SIDE / 2,
        r=radius,
        fill="none",
        stroke="#e69f00",
        stroke_width=1,
    )


def _crop(file: Path, place: Mapping[Hashable, object], pixel_size_um: float | None) -> str:
    """Cut the plane around a place out of an image of the same field."""
    plane = _plane(images.read(file, lazy=True), int(str(place["plane"])))
    pixel_um = float(plane.attrs["pixel_size_um"].get("x") or pixel_size_um or 1)
    values = np.asarray(plane.values, dtype=np.float64)
    low, high = np.percentile(values, [_LOW, _HIGH])
    reach = round(_CROP_UM / 2 / pixel_um)
    row, column = (round(float(str(place[axis])) / pixel_um) for axis in ("y_um", "x_um"))
    padded: NDArray[np.float64] = np.pad(values, reach, constant_values=low)
    crop = padded[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
    return draw_grey(crop, low, max(high, low + 1e-12))


def _plane(image: xr.DataArray, number: int) -> xr.DataArray:
    one = mean_channel(image)
    return one.isel(z=number) if "z" in one.dims else one
