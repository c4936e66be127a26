"""CARE: mean absolute error on percentile-normalised pairs (Weigert et al. 2018)."""

from torch import Tensor
from torch.nn import functional as F

from packages.care.model import UNet
from training.recipe import Recipe, gpu, laptop


def loss(network: UNet, image: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error of the restored image."""
    return F.l1_loss(network(image), target)


RECIPE = Recipe(
    model="care",
    architecture=UNet,
    loss=loss,
    loss_name="mean absolute error",
    presets={
        # The simulated microscope's pixels are 4 times coarser than the target's: working on
        # their grid costs a sixteenth of the operations. Not residual: on that grid the network
        # would have to cancel the noise of the fine one exactly. See decision 3.
        "small": laptop(
            {"depth": 2, "filters": 48, "kernel_size": 3, "residual": False, "coarsen": 4}
        ),
        # The published network and schedule length, on the fine grid.
        "full": gpu({"depth": 2, "filters": 32, "kernel_size": 5}, learning_rate=4e-4),
    },
)
