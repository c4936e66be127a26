"""The picture of a training: its losses, and crops of input, restored and truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn

from packages.files import replacing
from training.data import Batch
from training.recipe import Recipe

_CROPS = 4


@torch.no_grad()
def draw(
    path: Path,
    recipe: Recipe,
    network: nn.Module,
    entries: Sequence[dict[str, float]],
    fixed: Batch,
) -> None:
    """Draw the losses so far and what the network makes of fixed crops.

    Parameters
    ----------
    path
        PNG file to write.
    recipe
        How the network restores.
    network
        In evaluation mode.
    entries
        Log entries with step, loss and calibration_loss.
    fixed
        Crops of the calibration part, shape (batch, 1, y, x); the first four are shown.
    """
    device = next(network.parameters()).device
    inputs, targets = fixed.input[:_CROPS].numpy(), fixed.target[:_CROPS].numpy()
    restored = recipe.restore(network, fixed.input[:_CROPS].to(device)).float().cpu().numpy()

    height_in, chart_in = 6.6, 5.0
    crops_in = height_in * len(inputs) / 3  # three rows of squares
    figure = Figure(figsize=(chart_in + crops_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(chart_in, crops_in))[0]
    axes = left.subplots()
    steps = [entry["step"] for entry in entries]
    axes.plot(steps, [e["loss"] for e in entries], color="#888888", label="training, mean")
    axes.plot(
        steps, [e["calibration_loss"] for e in entries], color="#0072b2", label="calibration crops"
    )
    axes.set(xlabel="step", ylabel=f"{recipe.loss_name} (normalised intensity)", yscale="log")
    axes.set_title(f"{recipe.room}: best {min(e['calibration_loss'] for e in entries):.4f}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)

    rows = (("input", inputs), ("restored", restored), ("truth", targets))
    panels = right.subplots(len(rows), len(inputs), squeeze=False)
    for i, (label, crops) in enumerate(rows):
        for j, crop in enumerate(crops):
            # One display range per column, the truth's, so that brightness can be compared.
            low, high = np.percentile(targets[j, 0], [0.5, 99.8])
            panels[i, j].imshow(
                crop[0], cmap="viridis", vmin=low, vmax=high, interpolation="nearest"
            )
            panels[i, j].set(xticks=[], yticks=[])
        panels[i, 0].set_ylabel(label)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
