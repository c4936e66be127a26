"""SFSRM: structural similarity over scales and mean absolute error (Chen et al. 2023).

The publication adds a hundredth of a distance of Fourier transforms, a hundredth of one of features
of a network that was trained on photographs, and a thousandth of an adversarial loss.
"""

from imaging.training_metadata import Settings
from packages.sfsrm.model import SFSRM
from training.recipe import Arguments, gpu, laptop, on_cells
from training.regression import regression


def small(factor: int) -> Settings:
    """Return the settings for a laptop: two of the published blocks, narrower, on coarser cells."""
    network: Arguments = {"filters": 32, "growth": 16, "blocks": 2}
    return laptop(factor, network | on_cells(factor))


def full(factor: int) -> Settings:
    """Return the published network, on the input's grid."""
    network: Arguments = {"filters": 64, "growth": 32, "blocks": 23}
    return gpu(factor, network | {"factor": factor}, learning_rate=1e-4)


RECIPE = regression(
    model="sfsrm", architecture=SFSRM, loss="ms-ssim-l1", presets={"small": small, "full": full}
)
