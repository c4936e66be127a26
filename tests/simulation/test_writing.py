"""Workers write the dataset that one process writes."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from imaging.cluster import Cluster, WorkersGoneError
from imaging.datasets import open_dataset
from simulation.simulate import plan_dataset
from simulation.writing import Plan, make
from tests.clusters import cluster_of_threads


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with cluster_of_threads() as threads:
        yield threads


class Dying(Cluster):
    """Workers that are gone after one task."""

    def __init__(self) -> None:
        pass

    def all(
        self, function: Callable[[Any], Any], tasks: Iterable[Any]
    ) -> Iterator[tuple[Any, Any]]:
        first = next(iter(tasks))
        yield first, function(first)
        raise WorkersGoneError("gone")


def plan_of(out: Path, **given: Any) -> Plan:
    plan = plan_dataset(out, size=32, seed=3, **given)
    assert plan is not None
    return plan


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_generated_images_are_the_same(cluster: Cluster, tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "alone", images=4, structure="points")
    make(tmp_path / "alone", plan)
    done: list[int] = []

    make(tmp_path / "together", plan, lambda: done.append(1), cluster)

    assert bytes_of(tmp_path / "together") == bytes_of(tmp_path / "alone")
    assert len(done) == 4


def test_crops_of_expanded_images_are_the_same(cluster: Cluster, tmp_path: Path) -> None:
    images = tmp_path / "expanded"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 1000, (64, 96)).astype(np.uint16)
        tifffile.imwrite(images / f"{number}.tif", pixels)
    plan = plan_of(tmp_path / "alone", expanded=images, pixel_size=0.08)
    make(tmp_path / "alone", plan)

    make(tmp_path / "together", plan, cluster=cluster)

    assert len(open_dataset(tmp_path / "alone").items) == 18
    assert bytes_of(tmp_path / "together") == bytes_of(tmp_path / "alone")


def test_what_workers_wrote_is_kept_when_they_are_gone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "data", images=3, structure="points")
    with pytest.raises(WorkersGoneError):
        make(tmp_path / "data", plan, cluster=Dying())
    written = tmp_path / "data.partial" / "input" / "0000.tif"
    before = written.stat().st_mtime_ns
    done: list[int] = []

    make(tmp_path / "data", plan, lambda: done.append(1))

    assert (tmp_path / "data/input/0000.tif").stat().st_mtime_ns == before
    assert len(done) == 3
