"""`benchmark trust` in seconds: few phantoms, made once for many tests, and stand-in packages."""

import shutil
from pathlib import Path

import pytest

from benchmark.running import restore
from benchmark.trust import phantom_datasets as phantoms_module
from benchmark.trust import trust as run_module
from benchmark.trust.phantom_datasets import PhantomPlan, plan_shifts, simulate
from simulation.microscope import Microscope
from tests.benchmark import stand_ins


def stand_in(patch: pytest.MonkeyPatch, recorded: Path) -> stand_ins.StandIns:
    """Put stand-ins in the place of packages, and test two kinds of shifts only.

    What is simulated is kept in a folder, for more than one test.
    """
    known = stand_ins.StandIns()

    def simulate_once(plan: PhantomPlan, out: Path) -> None:
        kept = recorded / str(plan.images) / plan.name
        simulate(plan, kept)
        if not out.exists():
            shutil.copytree(kept, out)

    def two_shifts(microscope: Microscope, photons: float, seed: int) -> list[PhantomPlan]:
        return plan_shifts(microscope, photons, seed)[:2]

    patch.setattr(phantoms_module, "simulate", simulate_once)
    patch.setattr(phantoms_module, "_SHIFT_IMAGES", 3)
    patch.setattr(run_module, "plan_shifts", two_shifts)
    patch.setattr(run_module, "_CONTROLS", ("input", "truth"))
    patch.setattr(restore, "open_package", stand_ins.open_package)
    patch.setattr(restore, "open_method", known.open_method)
    return known
