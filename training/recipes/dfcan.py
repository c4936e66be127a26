"""DFCAN: mean squared error and structural similarity (Qiao et al. 2021)."""

from imaging.training_metadata import Settings
from packages.dfcan.model import DFCAN
from training.recipe import Arguments, gpu, laptop, looking_as_far_as_patches, on_cells
from training.regression import regression


def small(factor: int) -> Settings:
    """Return the settings for a laptop: a quarter of the published blocks, on coarser cells.

    Spectra are looked at as they are. Interpolated to 128 x 128 they take far longer, and all
    windows are of one size.
    """
    network: Arguments = {"filters": 64, "groups": 2, "blocks": 2, "fine": 16, "spectrum_px": None}
    return looking_as_far_as_patches(factor, laptop(factor, network | on_cells(factor)))


def full(factor: int) -> Settings:
    """Return the published network and learning rate, on the input's grid."""
    network: Arguments = {"filters": 64, "groups": 4, "blocks": 4, "spectrum_px": 128}
    settings = gpu(factor, network | {"factor": factor}, learning_rate=1e-4)
    return looking_as_far_as_patches(factor, settings)


RECIPE = regression(
    model="dfcan", architecture=DFCAN, loss="mse-ssim", presets={"small": small, "full": full}
)
