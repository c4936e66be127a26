"""Patches as they are, or recorded anew by the microscope that was asked for."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from imaging.cli import UserError
from imaging.datasets import Dataset
from imaging.files import sha256
from imaging.known_images import SIDES_PX
from imaging.training_metadata import Request
from simulation.microscope import Microscope, read_microscope
from training.data import Pair, Patches
from training.degrade import FreshPatches
from training.pixel_sizes import find_pixel_size_um
from training.run_folder import Images


class Asked(NamedTuple):
    """The microscope asked for, its file if it has one, and what tells it from others."""

    microscope: Microscope | None
    file: Path | None
    name: str | None


def read_asked(file: Path | None) -> Asked:
    """Read the microscope of a file, or take the default one by its name; none without."""
    if file is None:
        return Asked(None, None, None)
    if str(file) == "default":
        return Asked(Microscope(), None, "default")
    return Asked(read_microscope(file), file, sha256(file))


def draw_patches(
    pairs: list[Pair],
    request: Request,
    dataset: Dataset,
    microscope: Microscope | None,
    device: torch.device,
) -> Patches:
    """Draw from pairs as they are, or degrade their targets anew.

    Parameters
    ----------
    pairs
        Of the training part.
    request
        Patches of what size, and the seed.
    dataset
        Where the pairs come from.
    microscope
        What degrades them; None for pairs as they are.
    device
        On which it does.

    Returns
    -------
    Patches
        In main memory.

    Raises
    ------
    UserError
        The pixel size is unknown, or images and microscope do not fit.
    """
    size_px, batch_size = request.settings.patch_px, request.settings.batch_size
    if microscope is None:
        return Patches(
            pairs,
            size_px=size_px,
            batch_size=batch_size,
            seed=request.seed,
            planes=request.settings.patch_planes,
        )
    input_um = find_pixel_size_um(dataset)
    if input_um is None:
        raise UserError(
            f"{dataset.path} does not say how large its pixels are, which --microscope needs: "
            "state pixel_size_um in dataset.toml."
        )
    return FreshPatches(
        pairs,
        microscope,
        pixel_size_um=input_um / pairs[0].factor,
        size_px=size_px,
        batch_size=batch_size,
        seed=request.seed,
        device=device,
    )


def draw_fresh(
    images: Images,
    request: Request,
    dataset: Dataset,
    microscope: Microscope | None,
    device: torch.device,
) -> Patches | None:
    """Draw windows that a microscope records anew, where the network was trained on such.

    Parameters are those of `draw_patches`; windows are as large as what tells images apart.
    """
    if microscope is None:
        return None
    factor = images.training[0].factor
    smallest = min(min(pair.input.shape) for pair in images.all_training)
    windows = replace(request.settings, patch_px=factor * min(smallest, SIDES_PX[0]))
    asked = replace(request, settings=windows)
    return draw_patches(images.all_training, asked, dataset, microscope, device)
