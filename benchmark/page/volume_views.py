"""Volumes for the eye: planes through a stack, and what lies below and beside them, as all see it.

Three pictures of each: planes (x to the right, y down) at up to twelve depths, the section below
one row of them (x to the right, z down) and the one beside one column (z to the right, y down).
Along z pictures are stretched to true proportions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.page.crops import Window, brightest, fitted
from benchmark.page.panels import Restored
from benchmark.running.grids import on_common_grid
from benchmark.running.restore import RestorationError
from benchmark.running.volumes import sizes_um
from imaging import drawing, images
from imaging.cli import UserError
from imaging.datasets import Item
from imaging.pictures import draw_grey, round_length
from imaging.resample import linear
from imaging.scores import INPUT

Volume = NDArray[np.float64]

PLANES = 12
"""Of each volume, at most."""

_LOW, _HIGH = 1.0, 99.9
_SMOOTHING_PX = 2.0
_TITLE, _GAP, _BETWEEN = 42.0, 14.0, 3.0
_COLUMNS = 4


@dataclass(frozen=True)
class VolumePanel:
    """One volume of a view; pictures are PNGs as data URIs, empty where there is none.

    Attributes
    ----------
    planes
        All shown depths in one picture, each below the one before.
    below, beside
        The sections along x and along y.
    note
        A score, or why there is no picture.
    """

    name: str
    is_package: bool
    planes: str
    below: str
    beside: str
    note: str


@dataclass(frozen=True)
class VolumeView:
    """One volume of a dataset as everyone restored it.

    Attributes
    ----------
    image, why
        Its name, and the rule that chose it.
    panels
        Input first, truth (where known) last.
    width, height, depth
        Of the crop and of its sections along z, in pixels of the plane.
    row, column
        Where the sections are cut, from 0 to 1 of height and width.
    planes
        Of each shown depth: its number, its place from 0 to 1 of the depth, and µm below the first.
    bar_um
        Length of the scale bars.
    bar_width, bar_depth
        Their share of width and of depth, from 0 to 1; 0 where the stack is thinner than a bar.
    """

    image: str
    why: str
    panels: tuple[VolumePanel, ...]
    width: int
    height: int
    depth: int
    row: float
    column: float
    planes: tuple[tuple[int, float, float], ...]
    bar_um: float
    bar_width: float
    bar_depth: float

    @property
    def middle(self) -> int:
        """Return which of the shown depths is shown first."""
        return len(self.planes) // 2


@dataclass(frozen=True)
class _Cut:
    """Where everything is cut: a window, a row and a column in it, depths, and rows along z."""

    window: Window
    row: int
    column: int
    depths: NDArray[np.intp]
    stretched: int


def make_volume_view(
    item: Item,
    why: str,
    restored: Sequence[Restored],
    notes: Mapping[str, str],
    side: int,
) -> VolumeView | None:
    """Cut the same planes and sections out of everything that shows one volume.

    The crop is where the mean over all planes of the truth (or else the input) is brightest on
    average, and the sections run through the brightest place of its inner half, so no restoration
    has a say in them. Restored volumes are fitted to the truth (or else the input) by one gain and
    one offset, and all share its percentiles 1 and 99.9 as display range. Of several volumes in a
    file the first is shown.

    Parameters
    ----------
    item
        What was restored.
    why, restored, notes, side
        As for `benchmark.page.panels.make_view`.

    Returns
    -------
    VolumeView or None
        None where the image has one plane, or its pixel size or the distance of its planes are not
        known.

    Raises
    ------
    UserError
        The input or the truth cannot be read.
    """
    measured, truth = item.read_input(), item.read_target()
    found = {one.name: image for one in restored if (image := _readable(one.file)) is not None}
    # Without truth the finest grid counts: restored planes may lie closer than recorded ones.
    grid = max([measured, *found.values()], key=_voxels) if truth is None else truth
    sizes = sizes_um(grid, measured)
    pixel_um, step_um = sizes.get("x"), sizes.get("z")
    if grid.sizes.get("z", 1) == 1 or pixel_um is None or step_um is None:
        return None
    reference = _on_grid(measured if truth is None else truth, grid)
    if reference is None:
        return None
    cut = _cut(reference, side, step_um / pixel_um)
    reference = reference[:, *cut.window]
    low, high = (float(level) for level in np.percentile(reference, [_LOW, _HIGH]))
    levels = low, max(high, low + 1e-12)

    panels: list[VolumePanel] = []
    everyone = [(INPUT, False, measured)]
    everyone += [(one.name, one.is_package, found.get(one.name)) for one in restored]
    for name, is_package, image in everyone:
        volume = None if image is None else _on_grid(image, grid)
        pictures = ("", "", "")
        if volume is not None:
            pictures = _pictures(fitted(volume[:, *cut.window], reference), cut, levels)
        panels.append(VolumePanel(name, is_package, *pictures, notes.get(name, "")))
    if truth is not None:
        panels.append(VolumePanel("truth", False, *_pictures(reference, cut, levels), ""))
    planes, height, width = reference.shape
    bar_um = round_length(width * pixel_um / 4)
    bar_depth = bar_um / (planes * step_um)
    return VolumeView(
        item.name,
        why,
        tuple(panels),
        width,
        height,
        cut.stretched,
        (cut.row + 0.5) / height,
        (cut.column + 0.5) / width,
        tuple((int(z), (float(z) + 0.5) / planes, float(z) * step_um) for z in cut.depths),
        bar_um,
        bar_um / (width * pixel_um),
        bar_depth if bar_depth <= 1 else 0.0,
    )


def figure_of_volume(view: VolumeView) -> str:
    """Draw a view with its middle plane, names and scores: an SVG that holds the pictures."""
    shown = [panel for panel in view.panels if panel.planes]
    columns = min(len(shown), _COLUMNS)
    wide = view.width + _BETWEEN + view.depth
    step_x, step_y = wide + _GAP, view.height + _BETWEEN + view.depth + _TITLE
    parts: list[str] = []
    for i, panel in enumerate(shown):
        x, y = i % columns * step_x, i // columns * step_y
        parts.append(drawing.text((x, y + 13), panel.name, bold=panel.is_package))
        parts.append(drawing.text((x, y + 27), panel.note))
        top, right = y + 34, x + view.width + _BETWEEN
        plane = drawing.picture(
            panel.planes,
            (0, -view.middle * view.height),
            view.width,
            view.height * len(view.planes),
        )
        # An SVG in the SVG shows one plane out of the picture of all.
        parts.append(
            drawing.element("svg", plane, x=x, y=top, width=view.width, height=view.height)
        )
        below = top + view.height + _BETWEEN
        parts.append(drawing.picture(panel.below, (x, below), view.width, view.depth))
        parts.append(drawing.picture(panel.beside, (right, top), view.depth, view.height))
    bar = drawing.Stroke("#fff", 3)
    foot, length = 34 + view.height - 9, view.width * view.bar_width
    parts.append(drawing.line((10, foot), (10 + length, foot), bar))
    parts.append(drawing.text((10, foot - 6), f"{view.bar_um:g} µm", colour="#fff"))
    if view.bar_depth:
        top = 34 + view.height + _BETWEEN + 4
        parts.append(drawing.line((6, top), (6, top + view.depth * view.bar_depth), bar))
    rows = -(-len(shown) // columns)
    return drawing.svg(parts, rows * step_y, f"{view.image}, sections", columns * step_x - _GAP)


def _readable(file: Path) -> xr.DataArray | None:
    """Read a restoration; a damaged one costs its own panel, not the page."""
    try:
        return images.read(file) if file.exists() else None
    except UserError:
        return None


def _voxels(image: xr.DataArray) -> int:
    return image.sizes.get("z", 1) * image.sizes["y"] * image.sizes["x"]


def _on_grid(image: xr.DataArray, grid: xr.DataArray) -> Volume | None:
    """Return the first volume of an image on a grid; None where it shows another field."""
    try:
        planes, _ = on_common_grid(image, grid)
    except RestorationError:
        return None
    return planes[: grid.sizes["z"]].astype(np.float64)


def _cut(reference: Volume, side: int, anisotropy: float) -> _Cut:
    projected = reference.mean(axis=0)
    window = brightest(projected, side)
    smooth = ndimage.gaussian_filter(projected[window], _SMOOTHING_PX)
    height, width = reference[0][window].shape
    top, left = height // 4, width // 4
    inner = smooth[top : height - top, left : width - left]
    row, column = (int(place) for place in np.unravel_index(inner.argmax(), inner.shape))
    planes = len(reference)
    number = min(planes, PLANES)
    depths = ((np.arange(number) + 0.5) * planes / number).astype(np.intp)
    return _Cut(window, top + row, left + column, depths, max(round(planes * anisotropy), 1))


def _pictures(volume: Volume, cut: _Cut, levels: tuple[float, float]) -> tuple[str, str, str]:
    """Draw the planes below each other, the section below and the one beside."""
    _, height, width = volume.shape
    below = linear(volume[:, cut.row], (cut.stretched, width))
    beside = linear(volume[:, :, cut.column], (cut.stretched, height)).T
    planes = volume[cut.depths].reshape(-1, width)
    return (draw_grey(planes, *levels), draw_grey(below, *levels), draw_grey(beside, *levels))
