"""The picture of a registration: both images on each other, before and after, and the arrows."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.metric import Image
from benchmark.registration.alignment import warp
from benchmark.registration.registration import Registration
from imaging import drawing
from imaging.pictures import draw_colour

_SIDE, _LEFT, _TOP = 340.0, 36.0, 36.0
_LOW, _HIGH = 1.0, 99.5
_ARROWS = 14  # along the longer side
# Sky blue and orange add up to white and are told apart by every kind of colour vision.
_INPUT, _TARGET = np.array([0.2, 0.6, 1.0]), np.array([0.8, 0.4, 0.0])
_UNDONE, _MEASURED = drawing.Stroke("#d55e00", 1.4), drawing.Stroke("#009e73", 1.4)


def draw_registration(input: Image, target: Image, registration: Registration) -> str:
    """Draw how a target lay on its input, how it lies now, and what was done to it.

    Both are as they were registered, of one shape (y, x).
    """
    blurred = ndimage.gaussian_filter(target, registration.blur_sigma_px)
    moved = np.nan_to_num(warp(blurred, registration.after.field), nan=float(blurred.min()))
    seen = _unit(input)[..., None] * _INPUT
    panels = [_panel(i, input.shape) for i in range(3)]
    parts: list[str] = []
    for panel, image, fit, when in (
        (panels[0], blurred, registration.before, "before"),
        (panels[1], moved, registration.after, f"after, kept: {registration.kept}"),
    ):
        parts += _show(
            panel,
            draw_colour(seen + _unit(image)[..., None] * _TARGET),
            f"{when}: correlation {fit.correlation:.3f},",
            f"blocks {fit.residual.median_px:.2f} px apart "
            f"(95 % below {fit.residual.percentile_95_px:.2f})",
        )
    parts += _draw_arrows(panels[2], input, registration)
    below = (
        "blue: input; orange: target under the input's blur; white: both. Pixels of the coarsest "
        "image."
    )
    bottom = panels[0].y.stop
    parts.append(drawing.text((_LEFT, bottom + 36), below))
    return drawing.svg(parts, bottom + 44, "Registration", 3 * (_LEFT + _SIDE) + drawing.RIGHT)


def _panel(number: int, shape: tuple[int, ...]) -> drawing.Panel:
    """Make axes of pixels, rows downwards."""
    left, bottom = number * (_LEFT + _SIDE) + _LEFT, _TOP + _SIDE * shape[0] / shape[1]
    return drawing.Panel(
        drawing.linear_scale((-0.5, shape[1] - 0.5), left, left + _SIDE, margin=0),
        drawing.linear_scale((-0.5, shape[0] - 0.5), _TOP, bottom, margin=0),
    )


def _show(panel: drawing.Panel, source: str, *title: str) -> list[str]:
    """Draw an image with two lines of title and the numbers of its pixels."""
    left, right, top, bottom = panel.x.start, panel.x.stop, panel.y.start, panel.y.stop
    return [
        *(drawing.text((left, 13 + 14 * i), words) for i, words in enumerate(title)),
        *drawing.x_axis(panel.x, top, bottom, ""),
        *drawing.y_axis(panel.y, left, right, ""),
        drawing.picture(source, (left, top), right - left, bottom - top),
    ]


def _draw_arrows(panel: drawing.Panel, input: Image, registration: Registration) -> Iterator[str]:
    """Draw where the target has what belongs to a place, and what blocks are still displaced by."""
    field, residual = registration.after.field, registration.after.residual
    step = max(1, max(input.shape) // _ARROWS)
    y, x = np.meshgrid(*(_places(length, step) for length in input.shape), indexing="ij")
    longest = float(np.hypot(*field[:, y, x]).max())
    remaining = float(np.percentile(np.linalg.norm(residual.shift_px, axis=1), 95))
    magnified = step / max(longest, remaining, 1e-3)
    yield from _show(
        panel,
        draw_colour(0.4 + 0.6 * _unit(input)),
        f"arrows × {magnified:.3g}: orange, what was undone (up to {longest:.2f} px);",
        "green, what blocks still measure",
    )
    undone = np.stack([y, x, *field[:, y, x]]).reshape(4, -1).T
    measured = np.concatenate([residual.at_px, residual.shift_px], axis=1)
    for arrows, stroke in ((undone, _UNDONE), (measured, _MEASURED)):
        for at_y, at_x, along_y, along_x in arrows.tolist():
            half_y, half_x = magnified * along_y / 2, magnified * along_x / 2
            tail = panel.place(at_x - half_x, at_y - half_y)
            tip = panel.place(at_x + half_x, at_y + half_y)
            yield drawing.polyline(_arrow(tail, tip), stroke)


def _places(length: int, step: int) -> NDArray[np.int_]:
    """Return pixels of a line a step apart, at least half a step from its ends: arrows stay in."""
    count = max(1, length // step)
    return (length - 1 - step * (count - 1)) // 2 + step * np.arange(count)


def _arrow(tail: drawing.Point, tip: drawing.Point) -> Iterable[drawing.Point]:
    """Return the corners of an arrow, with a head of a third of its length."""
    x, y = (tip[0] - tail[0]) / 3, (tip[1] - tail[1]) / 3
    sides = [(tip[0] - x + turn * y, tip[1] - y - turn * x) for turn in (0.5, -0.5)]
    return tail, tip, sides[0], tip, sides[1]


def _unit(image: Image) -> NDArray[np.float64]:
    low, high = np.percentile(image, [_LOW, _HIGH])
    return np.clip((image - low) / max(high - low, 1e-12), 0, 1)
