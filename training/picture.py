"""The picture of a training: its losses, and crops of input, restored and truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imaging import drawing
from imaging.figure_files import write_png
from imaging.pictures import draw_grey
from training.data import Batch
from training.loop import same_randomness
from training.recipe import N, Recipe

_CROPS = 4
_IMAGES = ("input", "mean", "sample", "truth")
_LEFT, _TOP, _BELOW = 60.0, 64.0, 44.0
_SIDE, _GAP, _FIRST_ROW = 118.0, 4.0, 24.0
_LOSSES = {
    "loss": drawing.Key("training, mean", drawing.Stroke(opacity=0.6)),
    "calibration_loss": drawing.Key("calibration crops", drawing.Stroke(drawing.ACCENT, 1.8)),
}


@torch.no_grad()
def draw(
    path: Path,
    recipe: Recipe[N],
    network: N,
    entries: Sequence[dict[str, float]],
    fixed: Batch,
    channels: Sequence[str],
) -> None:
    """Draw the losses so far and what the network makes of fixed crops.

    Parameters
    ----------
    path
        PNG file to write.
    recipe
        Whose loss it is.
    network
        In evaluation mode.
    entries
        Log entries with step, loss and calibration_loss.
    fixed
        Crops of the calibration part, shape (batch, 1, y, x), or volumes, of which the middle
        planes are drawn; the first four are shown.
    channels
        What the channels of the network's output are.
    """
    device = next(network.parameters()).device
    with same_randomness():
        given = network(fixed.input[:_CROPS].to(device)).float().cpu()
    inputs, targets, restored = (
        _middle(crops) for crops in (fixed.input[:_CROPS], fixed.target[:_CROPS], given)
    )
    rows = {"input": inputs} | {n: restored[:, i : i + 1] for i, n in enumerate(channels)}
    rows["truth"] = targets

    labels = drawing.LETTER * max(map(len, rows)) + 12
    height = max(_FIRST_ROW + len(rows) * (_SIDE + _GAP), 320.0)
    parts = _losses(recipe, entries, height - _BELOW)
    for i, (label, crops) in enumerate(rows.items()):
        top = _FIRST_ROW + i * (_SIDE + _GAP)
        parts.append(
            drawing.text((drawing.WIDTH + labels - 8, top + _SIDE / 2), label, anchor="end")
        )
        for j, crop in enumerate(crops):
            # One display range per column, the truth's, so that brightness can be compared; what is
            # no restored image has its own.
            shown = targets[j, 0] if label in _IMAGES else crop[0]
            low, high = np.percentile(shown, [0.5, 99.8])
            source = draw_grey(crop[0], low, max(high, low + 1e-12))
            place = (drawing.WIDTH + labels + j * (_SIDE + _GAP), top)
            parts.append(drawing.picture(source, place, _SIDE, _SIDE))
    width = drawing.WIDTH + labels + len(inputs) * (_SIDE + _GAP)
    write_png(path, drawing.svg(parts, height, "Losses and crops", width))


def _middle(crops: Tensor) -> NDArray[np.float32]:
    """Return crops (batch, channels, y, x), or the middle planes of volumes."""
    return (crops if crops.ndim == 4 else crops[:, :, crops.shape[2] // 2]).numpy()


def _losses(recipe: Recipe[Any], entries: Sequence[dict[str, float]], bottom: float) -> list[str]:
    losses = [entry[name] for entry in entries for name in _LOSSES]
    # A log-likelihood may be negative.
    y = (
        drawing.log_scale(losses, bottom, _TOP, factor=1.05)
        if min(losses) > 0
        else drawing.linear_scale(losses, bottom, _TOP)
    )
    panel = drawing.Panel(
        drawing.linear_scale([e["step"] for e in entries], _LEFT, drawing.WIDTH - drawing.RIGHT), y
    )
    title = f"{recipe.model}: best {min(e['calibration_loss'] for e in entries):.4f}"
    return [
        *panel.axes("step", f"{recipe.loss_name} (normalised intensity)", title),
        *(
            panel.curve([(e["step"], e[name]) for e in entries], key.stroke)
            for name, key in _LOSSES.items()
        ),
        *drawing.legend(_LOSSES.values(), _LEFT, 2, drawing.WIDTH)[0],
    ]
