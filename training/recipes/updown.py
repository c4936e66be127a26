"""Cascaded up- and down-sampling network (Aetesam 2025): its Fourier loss beside absolute error."""

from imaging.training_metadata import Settings
from packages.updown.model import UpDown
from training.recipe import Arguments, gpu, laptop, on_cells
from training.regression import regression


def small(factor: int) -> Settings:
    """Return the settings for a laptop: fewer, narrower units, up from cells, a smaller memory."""
    network: Arguments = {"units": 3, "filters": 16, "entries": 16}
    return laptop(factor, network | on_cells(factor))


def full(factor: int) -> Settings:
    """Return the network and the learning rate as they were published.

    Onto the image's own grid units go up from one half as fine.
    """
    coarsen = 2 if factor == 1 else 1
    network: Arguments = {"units": 7, "filters": 64, "entries": 64, "coarsen": coarsen}
    return gpu(factor, network | {"factor": factor}, learning_rate=1e-4)


RECIPE = regression(
    model="updown",
    architecture=UpDown,
    loss="l1-fourier",
    presets={"small": small, "full": full},
)
