"""The picture of a registration: both images on each other, before and after, and the arrows."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.alignment import warp
from benchmark.metrics.metric import Image
from benchmark.registration import Registration
from packages.files import replacing

_SIDE_IN = 4.6
_LOW, _HIGH = 1.0, 99.5
_ARROWS = 14  # along the longer side
# Sky blue and orange add up to white and are told apart by every kind of colour vision.
_INPUT, _TARGET = np.array([0.2, 0.6, 1.0]), np.array([0.8, 0.4, 0.0])


def draw_registration(input: Image, target: Image, registration: Registration, path: Path) -> None:
    """Draw how a target lay on its input, how it lies now, and what was done to it.

    Parameters
    ----------
    input, target
        As they were registered, one shape (y, x).
    registration
        Of both.
    path
        A PNG.
    """
    blurred = ndimage.gaussian_filter(target, registration.blur_sigma_px)
    moved = np.nan_to_num(warp(blurred, registration.after.field), nan=float(blurred.min()))
    figure = Figure((3 * _SIDE_IN, _SIDE_IN * input.shape[0] / input.shape[1] + 0.9))
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    before, after, arrows = figure.subplots(1, 3)
    for panel, image, fit, when in (
        (before, blurred, registration.before, "before"),
        (after, moved, registration.after, f"after, kept: {registration.kept}"),
    ):
        panel.imshow(_unit(input)[..., None] * _INPUT + _unit(image)[..., None] * _TARGET)
        panel.set_title(
            f"{when}: correlation {fit.correlation:.3f},\nblocks {fit.residual.median_px:.2f} px "
            f"apart (95 % below {fit.residual.percentile_95_px:.2f})",
            fontsize=10,
        )
    _draw_arrows(arrows, input, registration)
    figure.supxlabel(
        "blue: input; orange: target under the input's blur; white: both. Pixels of the coarsest "
        "image.",
        fontsize=9,
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _draw_arrows(panel: Axes, input: Image, registration: Registration) -> None:
    """Draw where the target has what belongs to a place, and what blocks are still displaced by."""
    field, left = registration.after.field, registration.after.residual
    panel.imshow(_unit(input), cmap="gray", alpha=0.6)
    step = max(1, max(input.shape) // _ARROWS)
    y, x = np.mgrid[step // 2 : input.shape[0] : step, step // 2 : input.shape[1] : step]
    longest = float(np.hypot(*field[:, y, x]).max())
    remaining = float(np.percentile(np.linalg.norm(left.shift_px, axis=1), 95))
    magnified = step / max(longest, remaining, 1e-3)
    undone = np.stack([y, x, *field[:, y, x]]).reshape(4, -1)
    measured = np.concatenate([left.at_px, left.shift_px], axis=1).T
    for (at_y, at_x, along_y, along_x), colour in ((undone, "C1"), (measured, "C2")):
        panel.quiver(
            at_x,
            at_y,
            along_x,
            along_y,
            color=colour,
            angles="xy",
            scale_units="xy",
            scale=1 / magnified,
            width=0.004,
        )
    panel.set_xlim(-0.5, input.shape[1] - 0.5)
    panel.set_ylim(input.shape[0] - 0.5, -0.5)
    panel.set_title(
        f"arrows × {magnified:.3g}: orange, what was undone (up to {longest:.2f} px);\n"
        "green, what blocks still measure",
        fontsize=10,
    )


def _unit(image: Image) -> NDArray[np.float64]:
    low, high = np.percentile(image, [_LOW, _HIGH])
    return np.clip((image - low) / max(high - low, 1e-12), 0, 1)
