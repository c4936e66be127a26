"""Stand-ins for the simulation and for packages, with which `benchmark trust` runs in a second."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.trust import phantoms as phantoms_module
from benchmark.trust import run as run_module
from benchmark.trust.microscope import Microscope
from benchmark.trust.phantoms import Phantoms, plan_shifts
from benchmark.trust.plane import Geometry
from packages.files import write_json, write_toml
from packages.resample import linear
from tests.benchmark import stand_ins
from tests.benchmark.trust import drawings

OFFSET, GAIN, PHOTONS = 100, 20, 30
SCENES: dict[str, Callable[[np.random.Generator], Geometry]] = {
    "point-pairs": lambda rng: drawings.point_pairs(rng, float(rng.choice([1.0, 3.0]))),
    "tube-pairs": drawings.tube_pairs,
    "gaps": drawings.gaps,
    "crossings": drawings.crossings,
    "empty": lambda rng: {},
    "cells": drawings.tube_pairs,
    "granules": drawings.point_pairs,
}


def stand_in(patch: pytest.MonkeyPatch, recorded: Path) -> stand_ins.StandIns:
    """Put stand-ins in the place of packages and of the simulation, and two kinds of shifts only.

    What is recorded is kept in a folder, for more than one test.
    """
    known = stand_ins.StandIns()

    def simulate(phantoms: Phantoms, microscope: Path, out: Path) -> None:
        if not (recorded / phantoms.name).exists():
            _record(phantoms, recorded / phantoms.name)
        shutil.copytree(recorded / phantoms.name, out)

    def two_shifts(microscope: Microscope, photons: float, seed: int) -> list[Phantoms]:
        return plan_shifts(microscope, photons, seed)[:2]

    patch.setattr(phantoms_module, "simulate", simulate)
    patch.setattr(phantoms_module, "_SHIFT_IMAGES", 3)
    patch.setattr(run_module, "plan_shifts", two_shifts)
    patch.setattr(run_module, "_CONTROLS", ("input", "truth"))
    patch.setattr("benchmark.run.open_package", stand_ins.open_package)
    patch.setattr(run_module, "open_method", known.open_method)
    return known


def _record(phantoms: Phantoms, out: Path) -> None:
    """Blur, sample and count as the simulation does, in short."""
    for i in range(phantoms.images):
        rng = np.random.default_rng([i, len(phantoms.name)])
        geometry = SCENES[phantoms.structure](rng)
        blurred = drawings.render(geometry, drawings.PSF_FWHM_UM)
        sampled = blurred.reshape(64, 4, 64, 4).mean(axis=(1, 3))
        native = (OFFSET + GAIN * rng.poisson(PHOTONS * sampled + 1)).astype(np.uint16)
        target = drawings.render(geometry, drawings.TRUTH_FWHM_UM).astype(np.float32)
        stand_ins.save(out / "native" / f"{i:04}.tif", native, 0.32)
        stand_ins.save(out / "target" / f"{i:04}.tif", target)
        stand_ins.save(out / "input" / f"{i:04}.tif", linear(native, target.shape))
        write_json(out / "geometry" / f"{i:04}.json", geometry)
    known = {"psf_fwhm_um": drawings.PSF_FWHM_UM}
    facts = {f"{i:04}": {"microscope": known} for i in range(phantoms.images)}
    write_toml(out / "dataset.toml", {"pixel_size_um": 0.08, "images": facts})
