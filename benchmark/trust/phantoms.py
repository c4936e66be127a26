"""The phantoms: which are tested, and how they are made.

They are made by ``python -m training simulate``, as a user would: the benchmark knows the
simulation by its files only.
"""

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.trust.microscope import Microscope, blurrier, noisier, with_photons
from packages.cli import STATUS_INTERRUPTED, UserError
from packages.datasets import Dataset, open_dataset
from packages.files import sha256, sha256_of_all, write_json, write_toml

SIDE_PX = 256
REFERENCE = "cells"
"""The structure that shifts are compared with: `training simulate` makes it by default."""

_UNKNOWN = ("granules", "sheets", "nets")
_SHIFT_IMAGES = 6
_DRAWS_PER_IMAGE = {
    "point-pairs": 3.9,  # pairs of one brightness in 0.1 µm of distance
    "tube-pairs": 2.8,  # pairs in 0.1 µm of distance
    "gaps": 3.5,  # whole tubes, and gaps in 0.2 µm of length
    "crossings": 7.5,  # tubes that cross, and tubes that pass
    "empty": 3.8,  # fields of 100 µm²
}
"""Counted: what an image holds, on average, of the rarest kind."""

_FEWEST_IMAGES = 3
_USUAL = "usual"
_ROOT = Path(__file__).parent.parent.parent
_SIMULATION = ("training/simulation/*.py", "training/simulation/structures/*.py")


@dataclass(frozen=True)
class Phantoms:
    """A dataset that is to be made.

    Attributes
    ----------
    structure
        As `training simulate` names it.
    condition
        What distinguishes it from others of the same structure.
    images, seed
        As `training simulate` takes them.
    microscope
        What records them.
    """

    structure: str
    condition: str
    images: int
    seed: int
    microscope: Microscope

    @property
    def title(self) -> str:
        """Return how it is told from other shifts."""
        return self.structure if self.condition == _USUAL else f"{self.structure}, {self.condition}"

    @property
    def name(self) -> str:
        """Return the name of the folder."""
        return re.sub("[^a-z0-9.]+", "-", f"{self.structure} {self.condition}".lower())


@dataclass(frozen=True)
class Made:
    """A dataset of phantoms that is there.

    Attributes
    ----------
    phantoms
        What was asked for.
    dataset
        With geometry/ beside its images.
    sha256
        Of everything it was made of.
    """

    phantoms: Phantoms
    dataset: Dataset
    sha256: str


def plan_phantoms(
    microscope: Microscope, photons: Sequence[float], draws: int, seed: int
) -> list[Phantoms]:
    """List the phantoms of known geometry.

    Parameters
    ----------
    microscope
        At no level of light yet.
    photons
        The levels of light.
    draws
        Objects wanted in each condition: each 0.1 µm of distance at each level, for instance.
    seed
        From which all randomness follows.

    Returns
    -------
    list of Phantoms
        By structure and level.
    """
    return [
        Phantoms(
            structure,
            at_level(level),
            max(math.ceil(draws / per_image), _FEWEST_IMAGES),
            seed,
            with_photons(microscope, level),
        )
        for structure, per_image in _DRAWS_PER_IMAGE.items()
        for level in photons
    ]


def at_level(photons: float) -> str:
    """Return the condition of a level of light."""
    return f"{photons:g} photons"


def plan_shifts(microscope: Microscope, photons: float, seed: int) -> list[Phantoms]:
    """List structures unlike the first of them, and microscopes unlike its own.

    Parameters
    ----------
    microscope, seed
        As for `plan_phantoms`.
    photons
        The usual level of light.

    Returns
    -------
    list of Phantoms
        The usual first.
    """
    usual = with_photons(microscope, photons)
    recorded = {
        (REFERENCE, _USUAL): usual,
        **{(structure, _USUAL): usual for structure in _UNKNOWN},
        (REFERENCE, "30 % more noise"): noisier(usual, 1.3),
        (REFERENCE, "30 % less noise"): noisier(usual, 0.7),
        (REFERENCE, "20 % wider PSF"): blurrier(usual, 1.2),
        (REFERENCE, "20 % narrower PSF"): blurrier(usual, 0.8),
    }
    return [Phantoms(*of, _SHIFT_IMAGES, seed, by) for of, by in recorded.items()]


def make(phantoms: Sequence[Phantoms], folder: Path) -> Iterator[Made]:
    """Make datasets, or find them made.

    Parameters
    ----------
    phantoms
        What to make.
    folder
        Where they are kept. What has the name of one and was made otherwise goes; what an
        interrupted run made stays.

    Yields
    ------
    Made
        One by one, in order.

    Raises
    ------
    UserError
        The simulation refused.
    """
    simulation = sha256_of_all(sorted(f for p in _SIMULATION for f in _ROOT.glob(p)), _ROOT)
    for wanted in phantoms:
        out, stamp = folder / wanted.name, folder / f"{wanted.name}.json"
        made_of = json.loads(json.dumps({**asdict(wanted), "simulation": simulation}))
        if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8")) != made_of:
            for stale in (out, folder / f"{out.name}.partial"):
                shutil.rmtree(stale, ignore_errors=True)
            write_json(stamp, made_of)
        if not (out / "dataset.toml").exists():
            write_toml(folder / f"{out.name}.toml", wanted.microscope)
            simulate(wanted, folder / f"{out.name}.toml", out)
        yield Made(wanted, open_dataset(out), sha256(stamp))


def simulate(phantoms: Phantoms, microscope: Path, out: Path) -> None:
    """Run ``python -m training simulate``.

    Parameters
    ----------
    phantoms
        What to simulate.
    microscope
        The file of it.
    out
        The dataset to write.

    Raises
    ------
    UserError
        It refused.
    """
    words: list[Any] = [sys.executable, "-m", "training", "simulate", out]
    words += ["--structure", phantoms.structure, "--microscope", microscope]
    words += ["--images", phantoms.images, "--size", SIDE_PX, "--seed", phantoms.seed]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode == STATUS_INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise UserError(f"The phantoms {out.name} could not be simulated: {last}")
