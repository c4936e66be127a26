"""CARE: mean absolute error on percentile-normalised pairs (Weigert et al. 2018)."""

from dataclasses import replace

from imaging.training_metadata import Settings
from packages.care.model import UNet
from training.recipe import Arguments, gpu, in_volumes, laptop, on_cells
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


def small_volumes(factor: int) -> Settings:
    """Return the settings for volumes on a laptop.

    One halving less than of planes: windows of volumes are small, and twice the halo would leave
    little of them.
    """
    fewer: Arguments = {"depth": 1, "filters": 32, "through_planes": 1}
    return replace(in_volumes(small(factor), **fewer), steps=2000)


def full_volumes(factor: int) -> Settings:
    """Return the network published for volumes, whose kernels are of 3 voxels."""
    return in_volumes(full(factor), kernel_size=3, halve_z=True)


RECIPE = regression(
    model="care",
    architecture=UNet,
    loss="mae",
    presets={"small": small, "full": full},
    of_volumes={"small": small_volumes, "full": full_volumes},
)
