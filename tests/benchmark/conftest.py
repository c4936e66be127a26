from pathlib import Path

import pytest

from benchmark.metrics import METRICS
from benchmark.page.report import write_report
from benchmark.running import cell as cells_module
from benchmark.running import restore
from benchmark.running.run import run_benchmark
from tests.benchmark import stand_ins

SHOWN = {**stand_ins.FEW_METRICS, "coverage_90": METRICS["coverage_90"]}


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with their page: three packages and the controls, with truth and without.

    One cell failed. Not to be changed.
    """
    folder = tmp_path_factory.mktemp("report")
    data = [
        stand_ins.dataset(folder / "cells & more", 4),
        stand_ins.dataset(folder / "real", 1, truth=False),
    ]
    packages = [
        stand_ins.package(folder / "net.zip"),
        stand_ins.package(folder / "other.zip", "fail on one"),
        stand_ins.package(folder / "sampler.zip", "be uncertain"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "open_package", stand_ins.open_package)
        patch.setattr(restore, "open_method", stand_ins.StandIns().open_method)
        patch.setattr(cells_module, "METRICS", SHOWN)
        run_benchmark(packages, data, folder / "results")
    write_report(folder / "results")
    return folder / "results"
