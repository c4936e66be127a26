"""Planted packages go through `benchmark trust` as real ones do, and each is found out."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark.running.restore import Job
from benchmark.trust.exposure import STANDARD
from benchmark.trust.trust import trust_packages
from benchmark.trust.trust_report import read_findings
from imaging import images
from tests.benchmark import stand_ins
from tests.benchmark.trust import drawings, recordings
from tests.benchmark.trust.drawings import Model

PLANTED: dict[str, tuple[Model, str]] = {
    "hallucinator": (drawings.hallucinator, "lower SI-PSNR than its input (on all images)"),
    "dots": (drawings.dot_drawer, "invents more objects"),
    "lines": (drawings.line_drawer(0.45), "fills empty fields with more light"),
    "dim_lines": (drawings.line_drawer(0.3), "fills empty fields with more light"),
    "mesh": (drawings.mesh_drawer, "fills empty fields with more light"),
    "blob": (drawings.blob_drawer, "fills empty fields with more light"),
    "smoother": (drawings.over_smoother, "takes two tubes for one"),
    "bridges": (drawings.bridge_builder, "bridges more gaps"),
    "cube": (drawings.cube, "loses more dim points"),
}
HONEST = ("identity", "perfect")
PHOTONS = 30.0


def _restore(job: Job, model: Model) -> None:
    image = images.read(job.item.input).astype(np.float64)
    file = job.item.input.parent.parent / "geometry" / f"{job.item.name}.json"
    geometry = json.loads(file.read_text(encoding="utf-8"))
    offset, gain = STANDARD.offset_counts[0], STANDARD.gain_counts_per_photon[0]
    recorded = (image.values - offset) / (gain * PHOTONS)
    rng = np.random.default_rng(int(job.item.name))
    images.write(job.output, image.copy(data=model(geometry, recorded, rng)).astype(np.float32))


def _restore_perfectly(job: Job) -> None:
    assert job.item.target is not None
    images.write(job.output, images.read(job.item.target))


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory, recorded: Path) -> Iterator[dict[str, str]]:
    """What is found of all packages in one run."""
    folder = tmp_path_factory.mktemp("planted")
    models = {name: model for name, (model, _) in PLANTED.items()} | {"identity": drawings.identity}
    behaviours = {
        name: lambda job, model=model: _restore(job, model) for name, model in models.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        recordings.stand_in(patch, recorded)
        for name, restore in (behaviours | {"perfect": _restore_perfectly}).items():
            patch.setitem(stand_ins.BEHAVIOURS, name, restore)
        packages = [stand_ins.package(folder / f"{n}.zip", n) for n in (*PLANTED, *HONEST)]
        assert trust_packages(packages, out=folder / "out", draws=14, photons=(PHOTONS,)) == 0
        verdicts = read_findings(folder / "out").run.verdicts
        yield {verdict.package: "; ".join(verdict.faults) for verdict in verdicts}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_package_is_found_out(name: str, faults: dict[str, str]) -> None:
    assert PLANTED[name][1] in faults[name]


@pytest.mark.parametrize("name", [*HONEST, "input", "truth"])
def test_an_honest_package_has_no_fault(name: str, faults: dict[str, str]) -> None:
    assert faults[name] == ""
