"""The verb that trains a model, the same for every recipe."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal


def verb_of(name: str) -> Callable[..., None]:
    """Return the verb that trains a model.

    Parameters
    ----------
    name
        Of its recipe.

    Returns
    -------
    Callable
        With options and help for the command line.
    """

    def verb(
        *,
        data: Path | None = None,
        also: list[Path] | None = None,
        out: Path | None = None,
        preset: str = "small",
        minutes: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        resume: bool = False,
        microscope: Path | None = None,
        loss: str | None = None,
        planes: bool = False,
        devices: int = 1,
        nodes: int = 1,
        precision: Literal["32-true", "16-mixed", "bf16-mixed"] | None = None,
    ) -> None:
        """Train the model NAME; the same command goes on where an interrupted training was.

        For instance:
            python -m training NAME --data data/mine --out runs/mine --minutes 20

        Parameters
        ----------
        data
            Dataset with input/ and target/, of equal file names; targets have the pixels of their
            inputs, or 2 to 4 times as fine ones. Parts that its dataset.toml does not name are
            every fifth source; of fewer than three sources each is divided into blocks of its
            images, planes or field. Without it, cells are simulated
            in OUT/data, and dendrites in OUT/dendrites, which are trained on, too.
        also
            Further datasets, of the same pixels, whose training images are trained on, too; the
            weights are chosen and calibrated on --data. None without it.
        out
            Folder of the run; default runs/NAME.
        preset
            Hyper-parameters: "small" for a laptop; "full", of the published size, for a GPU.
        minutes
            How long to train; the preset's number of steps without it and --steps.
        steps
            How many optimiser steps to train; the preset's number without it and --minutes.
        seed
            Seed of weights, patches and simulated data.
        resume
            Go on with a training although another length is asked for than before.
        microscope
            Degrade the targets of the data anew for every patch with the microscope of this file,
            or "default" for the default one; inputs are those of the data without it.
        loss
            What a model that restores one image is trained on: mae, mse-ssim, ms-ssim-l1,
            l1-fourier or fdl; the model's own without it. Models that predict more than that
            have no other than their own.
        planes
            Restore stacks plane by plane. Without it, stacks of 8 planes or more are restored as
            volumes by the models that can (care, rcan, hazematching).
        devices
            On how many devices to train, which divide each batch among them: GPUs, or without any
            processes on the CPU.
        nodes
            Computers with as many devices each that run this same command, see docs/devices.md.
        precision
            Arithmetic; without it, the fastest that trains well on this machine.
        """
        from training.run import run

        run(
            importlib.import_module(f"training.recipes.{name}").RECIPE,
            data=data,
            also=also or [],
            out=out or Path("runs") / name,
            preset=preset,
            steps=steps,
            minutes=minutes,
            seed=seed,
            resume=resume,
            microscope=microscope,
            loss=loss,
            planes=planes,
            devices=devices,
            nodes=nodes,
            precision=precision,
        )

    verb.__doc__ = (verb.__doc__ or "").replace("NAME", name)
    return verb
