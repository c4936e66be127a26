"""Crops for the eye: input, restored and truth on one display range, with error maps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

from benchmark.metrics import NotApplicable
from benchmark.metrics.rolling import RollingCorrelation, rolling_correlation
from benchmark.page.crops import Plane, brightest, fitted, on_grid, readable
from benchmark.running.grids import named_channel
from imaging import drawing, images
from imaging.benchmark_run import ImageEntry
from imaging.pictures import data_uri, draw_grey, middle, round_length
from imaging.scores import INPUT, SAMPLE_SUFFIX

_LARGEST_SIDE = 256
_LOW, _HIGH = 1.0, 99.9
_FULL_COLOUR = 99.0  # percentile of the input's errors that error maps show in full colour
_LEAST_COLOUR = 0.01  # of the range: rounding is no error
_IN_ONE_ROW, _IN_EACH_ROW = 5, 4  # panels of a figure; of several rows, each has four
_TITLE, _GAP = 42.0, 8.0
_BYTES_PER_PIXEL = 1.3  # of an 8-bit PNG of a noisy image, in base64
# Okabe and Ito's sky blue and orange: told apart by every kind of colour vision.
_MISSING, _ADDED = (86, 180, 233), (230, 159, 0)


@dataclass(frozen=True)
class Restored:
    """What a package or control made of an image, and of its repeat where there is one."""

    name: str
    is_package: bool
    file: Path
    repeat: Path


@dataclass(frozen=True)
class ViewPanel:
    """One image of a view: of a package, which stands out, or of a control.

    Attributes
    ----------
    image, error
        PNGs as data URIs; empty where there is none.
    note
        What stands below: a score, or why there is no image.
    std, resolution
        Its standard deviation, and where it is resolved, as the images.
    """

    name: str
    is_package: bool
    image: str
    error: str
    note: str
    std: str = ""
    resolution: str = ""


@dataclass(frozen=True)
class View:
    """One image of a dataset as everyone restored it.

    Attributes
    ----------
    image, why
        Its name, and the rule that chose it.
    panels
        Input first, truth (where known) last.
    width, height
        Of the crop, pixels.
    bar_um, bar_percent
        A scale bar: its length and its share of the crop's width; 0 when the pixel size is unknown.
    error
        What the full colours of the error maps stand for, relative to the displayed range; 0
        without truth.
    std
        What white stands for in the maps of the standard deviation; 0 where there are none.
    period
        What white stands for in the maps of resolution, in µm or else pixels; 0 where there are
        none.
    """

    image: str
    why: str
    panels: tuple[ViewPanel, ...]
    width: int
    height: int
    bar_um: float
    bar_percent: float
    error: float
    std: float
    period: float


def side_within(panels: int, budget_bytes: float) -> int:
    """Choose the side of the crops, 64 to 256 pixels, so that all panels of a page fit a budget."""
    fitting = math.isqrt(int(budget_bytes / (_BYTES_PER_PIXEL * max(panels, 1))))
    return max(64, min(_LARGEST_SIDE, fitting // 32 * 32))


def make_view(
    shown: ImageEntry,
    why: str,
    restored: Sequence[Restored],
    notes: Mapping[str, str],
    side: int,
    pixel_size_um: float | None,
) -> View:
    """Cut the same crop out of everything that shows one image.

    The crop is where the truth (or else the input) is brightest on average, so no restoration has a
    say in it; of stacks it is the middle plane. Restored images are fitted to the truth (or else
    the input) by least squares and all share its percentiles 1 and 99.9 as display range. A single
    sample is an image of its own; standard deviations are shown as they are stated, not fitted.

    Parameters
    ----------
    shown
        The image.
    why
        The rule that chose the image.
    restored
        By everyone; absent files are shown as such.
    notes
        What stands below each restored image, by name.
    side
        Of the crop, pixels, where the image is that large.
    pixel_size_um
        What the dataset says of it, µm, for files that do not say it themselves.

    Returns
    -------
    View
        Ready for the page.
    """
    measured = images.read(Path(shown.input), lazy=True)
    truth = images.read(Path(shown.target), lazy=True) if shown.target else None
    found = {one.name: image for one in restored if (image := readable(one.file)) is not None}
    # Without truth the finest grid counts: restorations of native pixels are larger than those.
    finest = max([measured, *found.values()], key=lambda image: image.sizes["y"])
    grid = finest if truth is None else truth
    shape = (grid.sizes["y"], grid.sizes["x"])
    reference = on_grid(measured if truth is None else truth, shape)
    window = brightest(reference, side)
    reference = reference[window]
    low, high = (float(level) for level in np.percentile(reference, [_LOW, _HIGH]))
    high = max(high, low + 1e-12)

    everyone: list[tuple[str, bool, xr.DataArray | None]] = [(INPUT, False, measured)]
    stds: dict[str, Plane] = {}
    repeats = {INPUT: Path(shown.repeat)} if shown.repeat else {}
    for one in restored:
        name, is_package, image = one.name, one.is_package, found.get(one.name)
        everyone.append((name, is_package, image))
        if image is None:
            continue
        repeats[name] = one.repeat
        if (sample := named_channel(image, "sample")) is not None:
            everyone.append((name + SAMPLE_SUFFIX, is_package, sample))
        if (std := named_channel(image, "std")) is not None:
            stds[name] = on_grid(std, shape)[window]
    # One scale for all packages, so that the more certain one is the darker one.
    white = max((float(np.percentile(std, _FULL_COLOUR)) for std in stds.values()), default=0.0)

    resolved = {
        name: resolution_map(on_grid(image, shape), on_grid(again, shape))[window]
        for name, _, image in everyone
        if image is not None and name in repeats and (again := readable(repeats[name])) is not None
    }
    finest_frequency = max((float(of.max()) for of in resolved.values()), default=0.0)

    panels: list[ViewPanel] = []
    full_colour = 0.0
    for name, is_package, image in everyone:
        picture = error = ""
        if image is not None:
            crop = fitted(on_grid(image, shape)[window], reference)
            picture = draw_grey(crop, low, high)
            if truth is not None:
                wrong = (crop - reference) / (high - low)
                # The input comes first and sets the colours: its errors are what all begin with.
                largest = float(np.percentile(abs(wrong), _FULL_COLOUR))
                full_colour = full_colour or max(largest, _LEAST_COLOUR)
                error = _diverging(wrong / full_colour)
        std = draw_grey(stds[name], 0, white or 1.0) if name in stds else ""
        resolution = (
            draw_grey(resolved[name], 0, finest_frequency or 1.0) if name in resolved else ""
        )
        panels.append(
            ViewPanel(name, is_package, picture, error, notes.get(name, ""), std, resolution)
        )
    if truth is not None:
        panels.append(ViewPanel("truth", False, draw_grey(reference, low, high), "", ""))
    pixel_um = float(grid.attrs["pixel_size_um"].get("x") or pixel_size_um or 0)
    height, width = reference.shape
    bar_um = round_length(width * pixel_um / 4)
    bar_percent = 100 * bar_um / (width * pixel_um) if pixel_um else 0
    return View(
        shown.name,
        why,
        tuple(panels),
        width,
        height,
        bar_um,
        bar_percent,
        full_colour,
        white,
        (pixel_um or 1.0) / finest_frequency if finest_frequency else 0.0,
    )


def resolution_map(one: Plane, other: Plane) -> Plane:
    """Return up to which frequency two images agree around each pixel.

    Parameters
    ----------
    one, other
        (y, x), restored from independent recordings of one field; or these themselves.

    Returns
    -------
    ndarray
        (y, x), cycles per pixel by rolling Fourier ring correlation, the same for all pixels of a
        cell; 0 in the background and where nothing is resolved, for instance where the images are
        too small.
    """
    try:
        return frequency_map(rolling_correlation(one, other), one.shape)
    except NotApplicable:
        return np.zeros_like(one)


def frequency_map(found: RollingCorrelation, shape: tuple[int, ...]) -> Plane:
    """Return the frequency of each pixel's cell, cycles per pixel; 0 where it is unresolved."""
    cells = np.nan_to_num(1 / found.resolution_px)
    pixels = cells.repeat(found.stride, axis=0).repeat(found.stride, axis=1)
    # The last cell of a row reaches as far as the image does.
    missing = [max(0, want - have) for want, have in zip(shape, pixels.shape, strict=True)]
    filled = np.pad(pixels, [(0, length) for length in missing], mode="edge")
    return filled[: shape[0], : shape[1]]


def figure_of_panels(view: View) -> str:
    """Draw a view as pictures with their names and scores: an SVG that holds them.

    What does not fit into one row stands in several, and shows the middle of the crop at twice the
    size: names stay readable, and the file small.
    """
    shown = [panel for panel in view.panels if panel.image]
    rows = 1 if len(shown) <= _IN_ONE_ROW else math.ceil(len(shown) / _IN_EACH_ROW)
    columns = math.ceil(len(shown) / rows)
    zoom = 1 if rows == 1 else 2
    step_x, step_y = view.width + _GAP, view.height + _TITLE
    parts: list[str] = []
    for i, panel in enumerate(shown):
        x, y = i % columns * step_x, i // columns * step_y
        parts.append(drawing.text((x, y + 13), panel.name, bold=panel.is_package))
        parts.append(drawing.text((x, y + 27), panel.note))
        image = middle(panel.image, zoom)
        parts.append(drawing.picture(image, (x, y + 34), view.width, view.height))
    if view.bar_um:
        length, y = zoom * view.width * view.bar_percent / 100, 34 + view.height - 9
        parts.append(drawing.line((10, y), (10 + length, y), drawing.Stroke("#fff", 3)))
        parts.append(drawing.text((10, y - 6), f"{view.bar_um:g} µm", colour="#fff"))
    return drawing.svg(parts, rows * step_y - _GAP, view.image, columns * step_x - _GAP)


def _diverging(plane: Plane) -> str:
    """Draw −1 to 1 as blue (too dark), black (right), orange (too bright)."""
    levels = np.clip(plane * 63 + 63, 0, 126).round().astype(np.uint8)
    picture = Image.fromarray(levels)
    ramp = [
        tuple(round(part * abs(level - 63) / 63) for part in (_MISSING if level < 63 else _ADDED))
        for level in range(127)
    ]
    picture.putpalette([part for colour in ramp for part in colour])
    return data_uri(picture)
