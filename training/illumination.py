"""The light over a whole image, of which a patch shows a part.

Vignetting and background vary slowly over an image: a coarse grid of it holds them.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from simulation import formation, specimen
from simulation.microscope import Acquisition

_GRID = 16


def light_over(acquisition: Acquisition, side_um: Tensor, generator: Generator) -> Tensor:
    """Draw vignetting and background of images.

    Parameters
    ----------
    acquisition
        Tensors (batch, 1, 1).
    side_um
        (batch, 1, 1), side of each image, µm.
    generator
        Source of randomness.

    Returns
    -------
    Tensor
        (batch, 2, rows, columns) of a coarse grid over each image: share of the light of the
        structure that vignetting leaves, and photons of the background.
    """
    shape = (len(side_um), _GRID, _GRID)
    centre = side_um.new_zeros(len(side_um), 2)
    left = specimen.vignetted(side_um.new_ones(shape), acquisition.vignetting, centre)
    background = specimen.background(
        shape,
        acquisition.background_photons,
        acquisition.background_variation,
        acquisition.background_length_um / (side_um / _GRID),
        generator,
    )
    return torch.stack([left, background * left], dim=1)


def expected_photons(
    brightness: Tensor, acquisition: Acquisition, light: Tensor, places: Tensor
) -> Tensor:
    """Light structure at some places of an image.

    Parameters
    ----------
    brightness
        (batch, y, x), relative to the bright level.
    acquisition
        Tensors (batch, 1, 1).
    light
        Of `light_over`.
    places
        (batch, y, x, 2), x and y of each value of `brightness` in its image, from -1 to 1.

    Returns
    -------
    Tensor
        (batch, y, x), mean number of photons.
    """
    here = F.grid_sample(light, places, padding_mode="border", align_corners=False)
    left, background = here.unbind(1)
    photons = acquisition.photons * formation.share_of_light(acquisition)
    return brightness * photons * left + background
