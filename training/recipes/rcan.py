"""RCAN: mean absolute error on percentile-normalised pairs (Chen et al. 2021)."""

from dataclasses import replace

from imaging.training_metadata import Settings
from packages.rcan.model import RCAN
from training.recipe import Arguments, gpu, in_volumes, laptop, looking_as_far_as_patches, on_cells
from training.regression import regression


def small(factor: int) -> Settings:
    """Return the settings for a laptop: the form of Chen et al. (2021), in 2-D and on cells."""
    network: Arguments = {"groups": 5, "blocks": 3, "filters": 32, "reduction": 8}
    return looking_as_far_as_patches(factor, laptop(factor, network | on_cells(factor)))


def full(factor: int) -> Settings:
    """Return the network as it was published, and its learning rate (Zhang et al. 2018)."""
    network: Arguments = {
        "groups": 10,
        "blocks": 20,
        "filters": 64,
        "reduction": 16,
        "factor": factor,
    }
    return looking_as_far_as_patches(factor, gpu(factor, network, learning_rate=1e-4))


def small_volumes(factor: int) -> Settings:
    """Return the settings for volumes on a laptop.

    Two groups less than of planes, and one convolution of each block looks at neighbouring planes:
    9 planes to either side in all, so that tiles along z are not mostly halo.
    """
    fewer: Arguments = {"groups": 3, "all_through_planes": False}
    return replace(in_volumes(small(factor), **fewer), steps=2000)


def full_volumes(factor: int) -> Settings:
    """Return the network published for volumes, and its learning rate (Chen et al. 2021)."""
    network: Arguments = {"groups": 5, "blocks": 3, "filters": 32, "reduction": 8}
    settings = gpu(factor, network | {"factor": factor}, learning_rate=1e-4)
    return in_volumes(looking_as_far_as_patches(factor, settings))


RECIPE = regression(
    model="rcan",
    architecture=RCAN,
    loss="mae",
    presets={"small": small, "full": full},
    of_volumes={"small": small_volumes, "full": full_volumes},
)
