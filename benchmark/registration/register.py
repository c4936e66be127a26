"""Write a dataset whose targets lie on their inputs, and say how far that went."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.table import Table

from benchmark.metrics.metric import NotApplicable
from benchmark.registration.alignment import Field, warp
from benchmark.registration.register_expanded import register_after_expansion
from benchmark.registration.register_figure import draw_registration
from benchmark.registration.registration import DisplacementFit, Registration, register_pair
from imaging import images
from imaging.channels import one_channel
from imaging.cli import UserError, console, progress
from imaging.dataset_facts import Facts, write_facts
from imaging.datasets import Item, new_dataset, open_dataset
from imaging.figure_files import write_png
from imaging.inspection import inspect_dataset
from imaging.resample import linear
from imaging.valid import common_rectangle, find_valid

PICTURES = "registration"
Entries = dict[str, float | str]
"""What dataset.toml says of one image, with units in the names."""

_Plane = NDArray[np.float64]


@dataclass(frozen=True)
class _Scene:
    """The images of one field, by folder; the coarsest of them is the grid that all share."""

    images: dict[str, xr.DataArray]
    shape: tuple[int, int]

    def factor(self, kind: str) -> int:
        """Return how many pixels of an image lie along one of the shared grid."""
        return self.images[kind].sizes["y"] // self.shape[0]

    def plane(self, kind: str) -> _Plane:
        """Return an image averaged to the shared grid."""
        return linear(self.images[kind].values, self.shape).astype(np.float64)

    def cropped(self, kind: str, rows: slice, columns: slice) -> xr.DataArray:
        """Return the part of an image that a rectangle of the shared grid covers."""
        k = self.factor(kind)
        y, x = (slice(part.start * k, part.stop * k) for part in (rows, columns))
        return self.images[kind].isel(y=y, x=x)


def register(
    dataset: Path,
    /,
    *,
    out: Path,
    affine: bool = False,
    channel: str | None = None,
) -> None:
    """Bring targets that show their input's field approximately onto the input.

    Parameters are those of `python -m benchmark register`, described in its help.
    """
    opened = open_dataset(dataset)
    factor = opened.facts.expansion_factor
    if affine and factor is not None:
        raise UserError(
            f"{dataset / 'dataset.toml'} states an expansion_factor, and expansion bends what it "
            "expands: leave --affine out."
        )
    inspect_dataset(opened).say()
    found: dict[str, Entries] = {}
    with new_dataset(out) as folder, progress() as bars:
        for item in bars.track(opened.items, description="Registering"):
            found[item.name] = (
                _register_item(item, folder, elastic=not affine, channel=channel)
                if factor is None
                else _register_expanded(item, folder, channel)
            )
        kept = any(entries["kept"] != "nothing" for entries in found.values())
        facts = replace(
            opened.facts,
            name=f"{opened.name} registered",
            registration="registered" if kept else opened.facts.registration,
            registered=found,
        )
        if factor is not None:
            facts = _after_expansion(facts, factor)
        write_facts(folder, facts)
    console.print(_table(found))
    for name, entries in found.items():
        if entries["why"]:
            console.print(f"{name}: {entries['why']}", soft_wrap=True)
    console.print(f"Look at the pictures in {out / PICTURES}.", soft_wrap=True)


def _register_item(item: Item, folder: Path, *, elastic: bool, channel: str | None) -> Entries:
    """Register one image, write all that belongs to it, and return what was found."""
    scene = _with_data(_open_scene(item, channel))
    seen = scene.plane("native" if "native" in scene.images else "input")
    try:
        registration = register_pair(seen, scene.plane("target"), elastic=elastic)
    except NotApplicable as reason:
        raise UserError(
            f"{item.input} and its target: {reason} Remove the pair, or give another one."
        ) from reason
    target, rows, columns = _displaced(scene, registration.after.field)
    for kind in scene.images:
        image = target if kind == "target" else scene.cropped(kind, rows, columns)
        images.write(folder / kind / f"{item.name}.tif", image)
    pixel_um = item.read_input().attrs["pixel_size_um"].get("x")
    coarse_um = pixel_um and pixel_um * scene.factor("input")
    figure = draw_registration(seen, scene.plane("target"), registration)
    write_png(folder / PICTURES / f"{item.name}.png", figure)
    return _entries(registration, coarse_um)


def _register_expanded(item: Item, folder: Path, channel: str | None) -> Entries:
    found, facts = register_after_expansion(item, folder, PICTURES, channel)
    of_placed = replace(found.registration, affine=found.placed)
    entries = _entries(of_placed, facts["pixel_um"])
    return entries | {name: round(value, 4) for name, value in facts.items() if name != "pixel_um"}


def _after_expansion(facts: Facts, factor: float) -> Facts:
    """State what targets are now: on the input's grid, with pixel sizes before expansion."""
    about = (
        f"The truth is the same field recorded after expansion by a factor of about {factor:g}, "
        "brought onto the input by registration."
    )
    return replace(
        facts,
        description=f"{facts.description or ''} {about}".strip(),
        expansion_factor=None,
        target_pixel_size_um=None,
        native_pixel_size_um=None,
        interpolation=None,
    )


def _open_scene(item: Item, channel: str | None) -> _Scene:
    if item.target is None:
        raise UserError(f"{item.input} has no target: there is nothing to register.")
    files = {"input": item.input, "target": item.target, "native": item.native}
    files["repeat"] = item.repeat
    scene = {
        kind: one_channel(file, images.read(file), channel)
        for kind, file in files.items()
        if file is not None
    }
    for kind, image in scene.items():
        if set(image.dims) != {"y", "x"}:
            raise UserError(
                f"{files[kind]} has axes {', '.join(map(str, image.dims))}, and only planes are "
                "registered: give one plane or a projection."
            )
    if scene["input"].size > scene["target"].size:
        raise UserError(
            f"{item.input} is larger than {item.target}: the target must show the same field with "
            "at least as many pixels."
        )
    shape = min(image.shape for image in scene.values())
    for kind, image in scene.items():
        (rows, no_rows), (columns, no_columns) = map(divmod, image.shape, shape)
        if no_rows or no_columns or rows != columns:
            raise UserError(
                f"{files[kind]} is {image.shape[0]} x {image.shape[1]} pixels, not a whole number "
                f"of times {shape[0]} x {shape[1]}: crop or resample it to the same field."
            )
    return _Scene(scene, (shape[0], shape[1]))


def _with_data(scene: _Scene) -> _Scene:
    """Cut a scene to where all of its images have data, for borders would be brought together."""
    found = [find_valid(image.values) for image in scene.images.values()]
    part = common_rectangle(found, scene.shape)
    if part is None:
        return scene
    rows, columns = part
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    return _Scene({kind: scene.cropped(kind, rows, columns) for kind in scene.images}, shape)


def _displaced(scene: _Scene, field: Field) -> tuple[xr.DataArray, slice, slice]:
    """Return the target on its input, cropped, and the part of the shared grid that is left."""
    target, k = scene.images["target"], scene.factor("target")
    if not field.any():
        return target, slice(0, scene.shape[0]), slice(0, scene.shape[1])
    fine = linear(k * field, (target.sizes["y"], target.sizes["x"])).astype(np.float64)
    values = warp(target.values.astype(np.float64), fine)
    cells = np.isfinite(values).reshape(scene.shape[0], k, scene.shape[1], k)
    rows, columns = _inner_rectangle(np.asarray(cells.all(axis=(1, 3))))
    moved = target.astype(np.float32).copy(data=values.astype(np.float32))
    scene = _Scene({"target": moved}, scene.shape)
    return scene.cropped("target", rows, columns), rows, columns


def _inner_rectangle(filled: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Cut the emptiest border off until nothing is missing."""
    top, bottom, left, right = 0, filled.shape[0], 0, filled.shape[1]
    while top < bottom and left < right:
        part = filled[top:bottom, left:right]
        missing = [1 - edge.mean() for edge in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = int(np.argmax(missing))
        if missing[worst] == 0 and part.all():
            return slice(top, bottom), slice(left, right)
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    raise UserError("Input and target have no rectangle in common: check that the fields match.")


def _entries(registration: Registration, pixel_um: float | None) -> Entries:
    """Say what was found, in µm where the pixel size is known."""
    unit, size = ("um", pixel_um) if pixel_um else ("px", 1.0)
    affine = registration.affine

    def lengths(when: str, fit: DisplacementFit) -> Mapping[str, float]:
        return {
            f"residual_{when}_median_{unit}": fit.residual.median_px * size,
            f"residual_{when}_95_{unit}": fit.residual.percentile_95_px * size,
            f"correlation_{when}": fit.correlation,
        }

    numbers = {
        f"shift_y_{unit}": affine.shift_px[0] * size,
        f"shift_x_{unit}": affine.shift_px[1] * size,
        "rotation_deg": affine.rotation_deg,
        "scale": affine.scale,
        "shear": affine.shear,
        f"blur_sigma_{unit}": registration.blur_sigma_px * size,
        **lengths("before", registration.before),
        **lengths("after", registration.after),
    }
    words: Entries = {"kept": registration.kept, "why": registration.why}
    return words | {name: round(float(value), 4) for name, value in numbers.items()}


def _table(found: Mapping[str, Entries]) -> Table:
    unit = "um" if any("shift_y_um" in entries for entries in found.values()) else "px"
    columns = ("shift y, x", "turn", "scale", "residual", "correlation")
    table = Table("image", "kept", *columns, title=f"Registration, lengths in {unit}")
    for name, entries in found.items():
        number = {key: value for key, value in entries.items() if isinstance(value, float)}
        shift = [number[f"shift_{axis}_{unit}"] for axis in "yx"]
        pairs = [
            f"{number[before]:.3g} → {number[before.replace('before', 'after')]:.3g}"
            for before in (f"residual_before_median_{unit}", "correlation_before")
        ]
        table.add_row(
            name,
            str(entries["kept"]),
            f"{shift[0]:.3g}, {shift[1]:.3g}",
            f"{number['rotation_deg']:.2f}°",
            f"{number['scale']:.4f}",
            *pairs,
        )
    return table
