"""The verb that learns isotropic restoration."""

from pathlib import Path
from typing import Literal


def isotropic(
    *,
    data: Path,
    out: Path = Path("runs/isotropic"),
    preset: str = "small",
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    psf_fwhm: tuple[float, float] | None = None,
    microscope: Path | None = None,
    pixel_size: float | None = None,
    z_step: float | None = None,
    channels: Literal["together"] | None = None,
) -> None:
    """Learn from stacks, without any truth, to restore them to planes as close as their pixels.

    The planes of the stacks are degraded along one axis as the microscope degrades along the
    optical axis, and a network learns to undo it. The same command goes on where an interrupted
    training was.

    For instance:
        python -m training isotropic --data STACK.tif --minutes 20

    Parameters
    ----------
    data
        A stack, a folder of stacks of one microscope, or a dataset.
    out
        Folder of the run.
    preset
        Hyper-parameters: "small" for a laptop; "full" for a GPU.
    minutes
        How long to train; the preset's number of steps without it and --steps.
    steps
        How many optimiser steps to train; the preset's number without it and --minutes.
    seed
        Seed of weights and patches.
    resume
        Go on with a training although another length is asked for than before.
    psf_fwhm
        Lateral and axial full width at half maximum of the PSF, in micrometres, as measured on
        beads. Without it and --microscope the blur is measured on the stacks.
    microscope
        File of a microscope, as `training fit` writes it, whose PSF is computed; without it and
        --psf-fwhm the blur is measured on the stacks.
    pixel_size
        In micrometres, where the files do not state it; what they state without it.
    z_step
        Distance of planes in micrometres, where the files do not state it; what they state without
        it.
    channels
        "together": one network sees all channels of each stack, which must be registered, and
        restores all of them; stacks of several channels are refused without it.
    """
    from training.isotropic import isotropic

    isotropic(
        data=data,
        out=out,
        preset=preset,
        minutes=minutes,
        steps=steps,
        seed=seed,
        resume=resume,
        psf_fwhm=psf_fwhm,
        microscope=microscope,
        pixel_size=pixel_size,
        z_step=z_step,
        channels=channels,
    )
