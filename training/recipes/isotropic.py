"""Isotropic restoration: mean absolute error on degraded planes (Weigert et al. 2018)."""

from dataclasses import replace

from imaging.training_metadata import Settings
from packages.isotropic.model import Isotropic
from training.recipe import Arguments, gpu, laptop
from training.regression import regression


def small(factor: int) -> Settings:
    """Return the settings for a laptop, for planes some times as far apart as pixels.

    Narrow, for slices are many and what is to be learnt is one blur.
    """
    return replace(laptop(1, _network(factor, filters=16)), batch_size=4)


def full(factor: int) -> Settings:
    """Return the published schedule, with the width of CARE's network."""
    return gpu(1, _network(factor, filters=32), learning_rate=4e-4)


def _network(factor: int, filters: int) -> Arguments:
    return {"factor_z": factor, "depth": 2, "filters": filters, "kernel_size": 3}


RECIPE = regression(
    model="isotropic",
    architecture=Isotropic,
    loss="mae",
    presets={"small": small, "full": full},
)
