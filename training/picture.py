"""The picture of a training: its losses, and crops of input, restored and truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from packages.files import replacing
from training.data import Batch
from training.loop import same_randomness
from training.recipe import N, Recipe

_CROPS = 4
_IMAGES = ("input", "mean", "sample", "truth")


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
        Crops of the calibration part, shape (batch, 1, y, x); the first four are shown.
    channels
        What the channels of the network's output are.
    """
    device = next(network.parameters()).device
    inputs, targets = fixed.input[:_CROPS].numpy(), fixed.target[:_CROPS].numpy()
    with same_randomness():
        restored = network(fixed.input[:_CROPS].to(device)).float().cpu().numpy()
    rows = {"input": inputs} | {n: restored[:, i : i + 1] for i, n in enumerate(channels)}
    rows["truth"] = targets

    chart_in, square_in = 5.0, 2.2
    height_in = max(square_in * len(rows), 5.0)
    crops_in = square_in * len(inputs)
    figure = Figure(figsize=(chart_in + crops_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(chart_in, crops_in))[0]
    axes = left.subplots()
    steps = [entry["step"] for entry in entries]
    axes.plot(steps, [e["loss"] for e in entries], color="#888888", label="training, mean")
    axes.plot(
        steps, [e["calibration_loss"] for e in entries], color="#0072b2", label="calibration crops"
    )
    # A log-likelihood may be negative.
    scale = "log" if min(e["loss"] for e in entries) > 0 else "linear"
    axes.set(xlabel="step", ylabel=f"{recipe.loss_name} (normalised intensity)", yscale=scale)
    axes.set_title(f"{recipe.room}: best {min(e['calibration_loss'] for e in entries):.4f}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)

    panels = right.subplots(len(rows), len(inputs), squeeze=False)
    for i, (label, crops) in enumerate(rows.items()):
        for j, crop in enumerate(crops):
            # One display range per column, the truth's, so that brightness can be compared; what is
            # no restored image has its own.
            shown = targets[j, 0] if label in _IMAGES else crop[0]
            low, high = np.percentile(shown, [0.5, 99.8])
            panels[i, j].imshow(
                crop[0], cmap="viridis", vmin=low, vmax=high, interpolation="nearest"
            )
            panels[i, j].set(xticks=[], yticks=[])
        panels[i, 0].set_ylabel(label)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
