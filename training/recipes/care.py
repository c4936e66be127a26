"""CARE: mean absolute error on percentile-normalised pairs (Weigert et al. 2018)."""

from imaging.training_metadata import Settings
from packages.care.model import UNet
from training.recipe import Arguments, gpu, laptop, on_cells
from training.regression import regression


def small(factor: int) -> Settings:
    """Return the settings for a laptop.

    Where the microscope's pixels are coarser than the image's, working on their grid costs a
    fraction of the operations. Not residual: on that grid the network would have to cancel the
    noise of the fine one exactly. See decision 3.
    """
    network: Arguments = {"depth": 2, "filters": 48, "kernel_size": 3, "residual": False}
    return laptop(factor, network | on_cells(factor))


def full(factor: int) -> Settings:
    """Return the published network and schedule length, on the image's grid."""
    network: Arguments = {
        "depth": 2,
        "filters": 32,
        "kernel_size": 5,
        "factor": factor,
    }
    return gpu(factor, network, learning_rate=4e-4)


RECIPE = regression(
    model="care", architecture=UNet, loss="mae", presets={"small": small, "full": full}
)
