"""A run with workers gives the scores of a run without."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from benchmark.running import cell as cells_module
from benchmark.running import restore, run
from benchmark.running.run import run_benchmark
from imaging.cluster import Cluster
from imaging.results import Scores
from imaging.scores import COSTS
from tests import tiny_packages as tiny
from tests.benchmark import stand_ins
from tests.clusters import cluster_of_threads

# Loaders leave files to the garbage collector, which here may meet them in any thread.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with cluster_of_threads() as threads:
        yield threads


@pytest.fixture(autouse=True)
def prepared(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_cluster(number: int | None, _: object) -> Any:
        return nullcontext(cluster if number else None)

    monkeypatch.setattr(run, "open_cluster", open_cluster)
    monkeypatch.setattr(restore, "open_method", restore.in_this_process)
    monkeypatch.setattr(cells_module, "METRICS", dict(stand_ins.FEW_METRICS))


def table_of(scores: Scores) -> list[list[Any]]:
    table = scores.table[~scores.table.metric.isin(COSTS)]
    return table.to_numpy().tolist()


def test_scores_are_those_of_one_process(tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data")
    package = tiny.write(tmp_path / "net.zip", nn.Identity(), pixel_um=stand_ins.PIXEL_UM)

    alone = run_benchmark([package], [data], tmp_path / "alone")
    together = run_benchmark([package], [data], tmp_path / "together", workers=2)

    assert table_of(together) == table_of(alone)
    assert (len(table_of(alone)) > 0, together.run.failures) == (True, [])


def test_what_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data", count=2)
    package = tiny.write(tmp_path / "net.zip", nn.Identity(), pixel_um=stand_ins.PIXEL_UM)
    whole = (data / "input/0001.tif").read_bytes()
    (data / "input/0001.tif").write_bytes(whole[:200])

    def scores() -> Scores:
        return run_benchmark([package], [data], tmp_path / "out", controls=False, workers=2)

    assert [cell.image for cell in scores().run.failures] == ["0001"]
    (data / "input/0001.tif").write_bytes(whole)
    assert scores().run.failures == []
