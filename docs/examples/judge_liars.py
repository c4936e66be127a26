"""Judge filters and liars on marked points: ``python -m docs.examples.judge_liars DATASET``.

DATASET has images in which points stand beside lines (docs/annotations.md). Prints how well the
points are told from control points after filters that everybody has, and after three packages that
nobody should have: one sharpens noise into spots, one erases everything dim, one paints spots along
every line. Then detectability by each definition, as on the page of the benchmark.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from cyclopts import App
from numpy.typing import NDArray
from rich.table import Table
from scipy.ndimage import gaussian_filter, maximum_filter

from benchmark.objects.brightness import Volume, vertices_of
from benchmark.objects.fields import Field, volume_of
from benchmark.objects.marked_points import Objects, measure_points
from benchmark.objects.side_places import sample
from benchmark.page.text import interval_text
from imaging.cli import console
from imaging.cli import run as run_app
from imaging.datasets import open_dataset
from imaging.extent import extent_of
from imaging.scores import INPUT

app = App(name="python -m docs.examples.judge_liars", result_action="return_value")
Planes = NDArray[np.floating]
SIDE_UM, EVERY_UM = 1.2, 1.0  # where spots are painted: beside lines, and along them


def blurred(planes: Planes, sigma: float) -> Planes:
    """Blur each plane, as many pixels as sigma says."""
    return np.asarray(gaussian_filter(planes, (0, sigma, sigma)))


def unsharp(planes: Planes) -> Planes:
    """Add what a blur of 2 pixels takes away three times."""
    return np.clip(planes + 3 * (planes - blurred(planes, 2)), 0, None)


def spotted(planes: Planes) -> Planes:
    """Put a bright spot on every maximum of the noise."""
    smooth = blurred(planes, 1)
    peaks = (smooth == maximum_filter(smooth, (1, 9, 9))) & (smooth > np.percentile(smooth, 90))
    spots = blurred(peaks.astype(np.float32), 1.5)
    return 0.3 * planes + np.percentile(planes, 99.8) * spots / spots.max()


def erased(planes: Planes) -> Planes:
    """Put the background in the place of what is not half as bright as the brightest is."""
    bright = np.percentile(planes, 99.8)
    return np.where(blurred(planes, 1) < bright / 2, np.median(planes), planes)


def painted(planes: Planes, field: Field) -> Planes:
    """Paint bright spots on both sides of every line."""
    made = planes.copy()
    bright = np.percentile(planes, 99.5)
    for line in field.annotations.lines if field.annotations else ():
        along = sample(vertices_of(line))
        every = slice(None, None, max(round(EVERY_UM / along.step_um), 1))
        for side in (-SIDE_UM, SIDE_UM):
            x_um = along.x_um[every] + side * along.across_x[every]
            y_um = along.y_um[every] + side * along.across_y[every]
            places = np.rint([y_um / field.extent.pixel_um["y"], x_um / field.extent.pixel_um["x"]])
            for plane, row, column in zip(along.plane[every], *places.astype(int), strict=True):
                spot = np.s_[
                    max(plane - 1, 0) : plane + 2,
                    max(row - 2, 0) : max(row + 3, 0),
                    max(column - 2, 0) : max(column + 3, 0),
                ]
                made[spot] = np.maximum(made[spot], bright)
    return made


MAKERS: dict[str, Callable[[Planes, Field], Planes]] = {
    "Gaussian 1": lambda planes, _: blurred(planes, 1),
    "Gaussian 2": lambda planes, _: blurred(planes, 2),
    "unsharp mask": lambda planes, _: unsharp(planes),
    "noise into spots": lambda planes, _: spotted(planes),
    "dim erased": lambda planes, _: erased(planes),
    "spots painted": painted,
}


class Made:
    """What the filters and liars make, in memory."""

    names = tuple(MAKERS)

    def __init__(self) -> None:
        self._last: tuple[str, Field, Planes] | None = None

    def volume(self, name: str, field: Field) -> Volume:
        """Return what one of them makes of a field."""
        if name == INPUT:
            return volume_of(field.recorded, field.extent)
        if self._last is None or self._last[:2] != (name, field):  # asked for in a row
            recorded = field.recorded.astype(np.float32)
            self._last = name, field, MAKERS[name](recorded, field)
        return volume_of(self._last[2], field.extent)


@app.default
def judge(data: Path, /) -> None:
    """Judge filters and liars.

    Parameters
    ----------
    data
        A dataset with annotations.
    """
    fields: list[Field] = []
    for item in open_dataset(data).items:
        image, marks = item.read_input(), item.read_annotations()
        if marks is not None:
            planes = image.values.reshape(-1, *image.shape[-2:])
            fields.append(Field(item.name, extent_of(image), planes, marks, None))
    for points in measure_points(fields, Made())[0]:
        _print_points(points)


def _print_points(points: Objects) -> None:
    table = Table("", "detectability", "lead", "contrast", "kept", "false", title=points.kind)
    for one in points.found:
        of = one.detection
        table.add_row(
            one.name,
            interval_text(of.detectability, 3),
            interval_text(one.lead.detectability, 3, sign=True) if one.lead else "",
            interval_text(of.contrast, 3),
            interval_text(of.kept, 0, times=100),
            interval_text(of.false, 0, times=100),
        )
    console.print(table)
    names = [one.name for one in points.found]
    by_definition = Table("", "", *names, title="detectability, lead")
    variants = dict.fromkeys(one.variant for one in points.sensitivity)
    found = {(one.variant, one.package): one for one in points.sensitivity}
    for variant in variants:
        cells = [found.get((variant, name)) for name in names]
        by_definition.add_row(
            variant.choice,
            variant.value,
            *(
                f"{one.detectability.value:.3f}" + (f" {one.lead.value:+.3f}" if one.lead else "")
                if one
                else ""
                for one in cells
            ),
        )
    console.print(by_definition)


if __name__ == "__main__":
    run_app(app)
