import numpy as np
import pytest
import torch
from torch.nn import functional as F

from imaging.normalise import normalise
from simulation import formation
from simulation.microscope import Microscope, stack
from simulation.structures import STRUCTURES, Grid
from training.illumination import light_over
from training.percentiles import Sampler, area_px

PIXEL_UM = 0.08


@pytest.mark.parametrize("kind", ["cells", "sheets"])
def test_percentiles_are_those_of_a_whole_image(kind: str) -> None:
    """The sampler against images recorded in full, over acquisitions of the whole range."""
    target = normalise(STRUCTURES[kind](Grid((256, 256), PIXEL_UM), np.random.default_rng(0)).image)
    microscope = Microscope()
    reach_px = 20
    rng = np.random.default_rng(1)
    sampler = Sampler(microscope, PIXEL_UM, 4, reach_px, torch.device("cpu"))
    around = np.pad(target, reach_px, mode="symmetric")
    sample = sampler.sample(around, rng)
    acquisitions = [microscope.draw(rng) for _ in range(4)] * 6
    field = torch.from_numpy(around)
    acquisition = stack(acquisitions, field)
    generator = torch.Generator().manual_seed(0)
    counts = formation.record(
        field.expand(len(acquisitions), -1, -1),
        PIXEL_UM,
        acquisition,
        generator,
        sampling=4,
        reach_px=reach_px,
        bright_level=sample.bright_level,
    )
    cut = reach_px // 4
    native = counts[:, None, cut:-cut, cut:-cut]
    fine = F.interpolate(native, scale_factor=4, mode="bilinear", align_corners=False)
    wanted = (2.0, 99.8)
    true = np.percentile(fine.numpy(), wanted, axis=(1, 2, 3)).T.reshape(6, 4, 2).mean(0)
    light = light_over(
        acquisition, torch.full((len(acquisitions), 1, 1), 256 * PIXEL_UM), generator
    )
    blur_px = area_px(formation.kernel(PIXEL_UM, acquisition, reach_px))
    asked = torch.tensor([wanted]).expand(len(acquisitions), -1)
    told = sampler.percentiles(
        [sample] * len(acquisitions), acquisition, blur_px, light, generator, asked
    )
    ours = told.numpy().reshape(6, 4, 2).mean(0)
    contrast = true[:, 1] - true[:, 0]
    assert np.abs(ours[:, 0] - true[:, 0]).max() < 0.01 * contrast.min()
    assert np.abs((ours[:, 1] - true[:, 1]) / contrast).max() < 0.07
