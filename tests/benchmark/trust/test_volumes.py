"""Trust tests on volumes: which packages they are for, and what is made of a restored stack."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from benchmark.running import restore
from benchmark.running.restore import Cost, Job, Method
from benchmark.trust import trust as run_module
from benchmark.trust.exposure import STANDARD
from benchmark.trust.outcomes import PhantomTask, measure
from benchmark.trust.phantom_datasets import PhantomDataset, PhantomPlan, plan_volumes
from benchmark.trust.trust import trust_packages
from benchmark.trust.trust_report import summarise
from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.files import write_json, write_toml
from tests.benchmark import stand_ins
from tests.benchmark.trust.test_depth import PLANES, SIDE, STEP_UM, pair, planted

PLANAR = {"tube-pairs", "gaps", "cells"}
DEEP = {"axial-pairs", "depth-crossings"}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], PLANAR),
        (["planes"], PLANAR),
        (["volumes"], DEEP),
        (["planes", "volumes"], PLANAR | DEEP),
    ],
)
def test_phantoms_are_those_that_packages_restore(
    kinds: list[str], expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: set[str] = set()

    def stop(plans: Sequence[PhantomPlan], folder: Path) -> None:
        planned.update(plan.structure for plan in plans)
        raise UserError("That is enough.")

    def open_package(path: Path, *, trust: bool = False) -> Any:
        axes = [SimpleNamespace(id=axis) for axis in ("zyx" if path.stem == "volumes" else "yx")]
        return _with_axes(path, axes)

    monkeypatch.setattr(restore, "open_package", open_package)
    monkeypatch.setattr(run_module, "_make", stop)
    packages = [stand_ins.package(tmp_path / f"{kind}.zip") for kind in kinds]
    with pytest.raises(UserError, match="enough"):
        trust_packages(packages, out=tmp_path / "out", draws=1, photons=(30.0,))
    assert planned & (PLANAR | DEEP) == expected


def _with_axes(path: Path, axes: list[SimpleNamespace]) -> Any:
    class Opened:
        def __enter__(self) -> SimpleNamespace:
            with stand_ins.open_package(path) as package:
                package.input.axes = axes
                return package

        def __exit__(self, *raised: object) -> None:
            pass

    return Opened()


@pytest.mark.parametrize(("z_step_um", "planes"), [(0.5, 24), (1.0, 12)])
def test_volumes_are_as_deep_whatever_the_step(z_step_um: float, planes: int) -> None:
    plans = plan_volumes(replace(STANDARD, z_step_um=z_step_um), [10.0, 30.0], 5, 0)
    assert {plan.depth_px for plan in plans} == {planes}
    assert len(plans) == len(DEEP) * 2


def test_a_restored_stack_is_judged_along_z(tmp_path: Path) -> None:
    distance_um, middle_um = 3.0, PLANES * STEP_UM / 2
    pixels_um = {"z": STEP_UM, "y": 0.1, "x": 0.1}
    volume = planted([middle_um - distance_um / 2, middle_um + distance_um / 2]).image
    stack = xr.DataArray(volume.astype(np.float32), dims=("z", "y", "x"))
    data = tmp_path / "axial-pairs"
    for kind in ("input", "target"):
        images.write(data / f"{kind}/0.ome.tif", stack.assign_attrs(pixel_size_um=pixels_um))
    write_json(data / "geometry/0.json", pair(distance_um))
    write_toml(data / "dataset.toml", {"images": {"0": {"microscope": {"psf_fwhm_um": 0.4}}}})
    plan = PhantomPlan("axial-pairs", "30 photons", 1, 0, STANDARD, depth_px=PLANES)
    phantoms = PhantomDataset(plan, open_dataset(data), "0" * 64)
    task = PhantomTask(Method("net", "net"), phantoms, False, {}, tmp_path / "seen.json")

    def leave_as_it_is(job: Job) -> Cost:
        images.write(job.output, job.item.read_input())
        return Cost(1.0, None)

    measure(task, leave_as_it_is, lambda: None)

    table = summarise([task])
    assert set(table["test"]) == {"axial points"}
    (resolved,) = table[table["metric"] == "resolved"]["value"]
    assert (resolved, stack.shape) == (1, (PLANES, SIDE, SIDE))
