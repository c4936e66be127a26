"""The phantoms: which are tested, and how they are simulated."""

import json
import math
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark.trust.exposure import blurrier, entries, noisier, with_photons
from imaging.cli import UserError
from imaging.dataset_facts import FEWEST_PLANES
from imaging.datasets import Dataset, open_dataset
from imaging.files import read_stamp, sha256, write_json, write_toml
from imaging.source_files import source_sha256
from simulation import writing
from simulation.microscope import Microscope
from simulation.simulate import plan_dataset

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
    "spines": 6.0,  # dim spines, anywhere from 0.1 to 1.5 µm beside their shaft
    "empty": 3.8,  # fields of 100 µm²
}
"""Counted: what an image holds, on average, of the rarest kind."""

_VOLUMES_PER_IMAGE = {
    "axial-pairs": 5.6,  # pairs in 0.5 µm of distance
    "depth-crossings": 5.5,  # crossings in 0.5 µm of distance
}
_DEPTH_UM = 12.0
"""Of a volume: the widest pair, and as much above and below as profiles need."""

_FEWEST_IMAGES = 3
_USUAL = "usual"


@dataclass(frozen=True)
class PhantomPlan:
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
        What records them, at a level of light.
    depth_px
        Planes of each volume; 0 of single planes.
    """

    structure: str
    condition: str
    images: int
    seed: int
    microscope: Microscope
    depth_px: int = 0

    @property
    def title(self) -> str:
        """Return how it is told from other shifts."""
        return self.structure if self.condition == _USUAL else f"{self.structure}, {self.condition}"

    @property
    def name(self) -> str:
        """Return the name of the folder."""
        return re.sub("[^a-z0-9.]+", "-", f"{self.structure} {self.condition}".lower())


@dataclass(frozen=True)
class PhantomDataset:
    """A dataset of phantoms that is made, with geometry/, and a hash of all it was made of."""

    plan: PhantomPlan
    dataset: Dataset
    sha256: str


def plan_phantoms(
    microscope: Microscope, photons: Sequence[float], draws: int, seed: int
) -> list[PhantomPlan]:
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
    """
    return [
        PhantomPlan(
            structure,
            at_level(level),
            max(math.ceil(draws / per_image), _FEWEST_IMAGES),
            seed,
            with_photons(microscope, level),
        )
        for structure, per_image in _DRAWS_PER_IMAGE.items()
        for level in photons
    ]


def plan_volumes(
    microscope: Microscope, photons: Sequence[float], draws: int, seed: int
) -> list[PhantomPlan]:
    """List the phantoms that are volumes; parameters are those of `plan_phantoms`."""
    planes = max(math.ceil(_DEPTH_UM / microscope.z_step_um), FEWEST_PLANES)
    return [
        PhantomPlan(
            structure,
            at_level(level),
            max(math.ceil(draws / per_image), _FEWEST_IMAGES),
            seed,
            with_photons(microscope, level),
            planes,
        )
        for structure, per_image in _VOLUMES_PER_IMAGE.items()
        for level in photons
    ]


def at_level(photons: float) -> str:
    """Return the condition of a level of light."""
    return f"{photons:g} photons"


def plan_shifts(microscope: Microscope, photons: float, seed: int) -> list[PhantomPlan]:
    """List structures unlike the first of them, and microscopes unlike its own, at usual light."""
    usual = with_photons(microscope, photons)
    recorded = {
        (REFERENCE, _USUAL): usual,
        **{(structure, _USUAL): usual for structure in _UNKNOWN},
        (REFERENCE, "30 % more noise"): noisier(usual, 1.3),
        (REFERENCE, "30 % less noise"): noisier(usual, 0.7),
        (REFERENCE, "20 % wider PSF"): blurrier(usual, 1.2),
        (REFERENCE, "20 % narrower PSF"): blurrier(usual, 0.8),
    }
    return [PhantomPlan(*of, _SHIFT_IMAGES, seed, by) for of, by in recorded.items()]


def make(plans: Sequence[PhantomPlan], folder: Path) -> Iterator[PhantomDataset]:
    """Make datasets, or find them made.

    Parameters
    ----------
    plans
        What to make.
    folder
        Where they are kept. What has the name of one and was made otherwise goes; what an
        interrupted run made stays.

    Yields
    ------
    PhantomDataset
        One by one, in order.

    Raises
    ------
    UserError
        The simulation refused.
    """
    source = source_sha256(__name__)  # the simulation included
    for plan in plans:
        out, stamp = folder / plan.name, folder / f"{plan.name}.json"
        made_of = json.loads(json.dumps({**asdict(plan), "source": source}))
        if read_stamp(stamp) != made_of:
            for stale in (out, folder / f"{out.name}.partial"):
                shutil.rmtree(stale, ignore_errors=True)
            write_json(stamp, made_of)
        simulate(plan, out)
        yield PhantomDataset(plan, open_dataset(out), sha256(stamp))


def simulate(plan: PhantomPlan, out: Path) -> None:
    """Make the dataset that ``python -m training simulate`` makes, unless it is there.

    The file of its microscope comes beside it.
    """
    microscope_file = out.with_name(f"{out.name}.toml")
    write_toml(microscope_file, entries(plan.microscope))
    try:
        simulation = plan_dataset(
            out,
            images=plan.images,
            size=SIDE_PX,
            seed=plan.seed,
            microscope_file=microscope_file,
            structure=plan.structure,
            volumes=plan.depth_px > 0,
            depth_px=plan.depth_px or None,
        )
        if simulation is not None:
            writing.make(out, simulation)
    except UserError as error:
        raise UserError(f"The phantoms {out.name} could not be simulated: {error}") from error
