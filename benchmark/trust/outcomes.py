"""What a package makes of a dataset of phantoms: restored, measured and kept as one file."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import xarray as xr
from pydantic.dataclasses import dataclass as checked_dataclass

from benchmark.metrics import NotApplicable
from benchmark.running.grids import on_common_grid
from benchmark.running.restore import Job, Method, RestorationError, Restore, sentence_of
from benchmark.trust import shifts
from benchmark.trust.battery import TESTS, VOLUME_TESTS
from benchmark.trust.phantom_datasets import PhantomDataset
from benchmark.trust.plane import Geometry, Outcome, Plane
from benchmark.trust.volume import Volume
from imaging import images
from imaging.cli import UserError
from imaging.datasets import Item
from imaging.files import STRICT
from imaging.record import Record

SHIFTS = "shifts"


@checked_dataclass(frozen=True, config=STRICT)
class Outcomes(Record):
    """What was measured of one package on one dataset.

    Attributes
    ----------
    computed_for
        Hashes and versions of all that the outcomes depend on, by what they are of.
    outcomes
        By test: of every object or image, with the name of its image.
    reason
        Why there are none, one sentence; empty where there are.
    """

    SCHEMA: ClassVar[int] = 1
    MADE_BY: ClassVar[str] = "python -m benchmark trust"

    computed_for: dict[str, str]
    outcomes: dict[str, list[dict[str, float | str]]] = field(
        default_factory=dict[str, list[dict[str, float | str]]]
    )
    reason: str = ""

    def table(self, test: str) -> pd.DataFrame:
        """Return the outcomes of one test, a row each."""
        return pd.DataFrame(self.outcomes.get(test, []))


@dataclass(frozen=True)
class PhantomTask:
    """A package or control, and a dataset.

    Attributes
    ----------
    is_shift
        Whether images are scored; objects of known geometry are judged otherwise.
    computed_for
        See `Outcomes`.
    file
        Where the outcomes are kept.
    """

    method: Method
    phantoms: PhantomDataset
    is_shift: bool
    computed_for: dict[str, str]
    file: Path

    def kept(self) -> Outcomes | None:
        """Return what an earlier run kept, if it was computed for the same."""
        try:
            outcomes = Outcomes.read(self.file)
        except UserError:  # missing, damaged or another version's: it is measured again
            return None
        return outcomes if outcomes.computed_for == self.computed_for else None


def measure(task: PhantomTask, restore: Restore, done: Callable[[], None]) -> None:
    """Restore the images of a dataset, measure the outcomes, and keep them.

    `done` is called after every image.

    Raises
    ------
    RestorationError
        An image could not be restored or be compared with its truth.
    """
    outcomes: dict[str, list[dict[str, float | str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for item in task.phantoms.dataset.items:
            output = Path(folder) / f"{item.name}.ome.tif"
            try:
                restore(Job(item, output))
            except NotApplicable as reason:
                Outcomes(task.computed_for, reason=str(reason)).write(task.file)
                return
            for test, found in _outcomes(task, item, images.read(output)).items():
                outcomes.setdefault(test, []).extend({"image": item.name, **o} for o in found)
            output.unlink()
            done()
    Outcomes(task.computed_for, outcomes).write(task.file)


def _outcomes(task: PhantomTask, item: Item, restored: xr.DataArray) -> dict[str, list[Outcome]]:
    try:
        if task.is_shift:
            return {SHIFTS: [shifts.score(restored, item, task.method)]}
        geometry = _geometry(task.phantoms, item)
        structure = task.phantoms.plan.structure
        if task.phantoms.plan.depth_px:
            volume = _volume(restored, item)
            return {
                test.name: test.look(volume, geometry)
                for test in VOLUME_TESTS
                if test.structure == structure
            }
        plane, psf_fwhm_um = _plane(restored, item), float(item.microscope["psf_fwhm_um"])
        return {
            test.name: test.look(plane, geometry, psf_fwhm_um)
            for test in TESTS
            if test.structure == structure
        }
    except (RestorationError, UserError):
        raise
    except Exception as error:
        raise RestorationError(sentence_of(error)) from error


def _plane(restored: xr.DataArray, item: Item) -> Plane:
    """Bring a restored image to the grid of its truth."""
    truth = _truth(item)
    planes, _ = on_common_grid(restored, truth)
    return Plane(planes[0].astype(np.float64), float(truth.attrs["pixel_size_um"]["y"]))


def _volume(restored: xr.DataArray, item: Item) -> Volume:
    """Bring a restored volume to the grid of its truth."""
    truth = _truth(item)
    planes, _ = on_common_grid(restored, truth)
    sizes_um: dict[str, float] = truth.attrs["pixel_size_um"]
    return Volume(planes.astype(np.float64), sizes_um["y"], sizes_um["z"])


def _truth(item: Item) -> xr.DataArray:
    truth = item.read_target()
    if truth is None:
        raise UserError(f"{item.input} has no target: remove its dataset, to have it made again.")
    return truth


def _geometry(phantoms: PhantomDataset, item: Item) -> Geometry:
    file = phantoms.dataset.path / "geometry" / f"{item.name}.json"
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise UserError(
            f"{file} is damaged: remove {phantoms.dataset.path}, to have it made again."
        ) from error
