import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from bioimageio.core.common import MemberId
from bioimageio.core.stat_measures import SampleQuantile
from torch import nn

from imaging import images
from imaging.block_statistics import Moments
from imaging.cli import UserError
from imaging.cluster import Cluster
from imaging.formats import ome_zarr_writing as store
from packages import predict, workers
from packages.predict import predict_file
from packages.processing import Measured
from tests import tiny_networks
from tests import tiny_packages as tiny
from tests.clusters import cluster_of_threads
from tests.small_images import random_image

# Loaders leave files to the garbage collector, which here may meet them in any thread.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

TILE = 32
AWAITS = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}}]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with cluster_of_threads() as threads:
        yield threads


@pytest.fixture(autouse=True)
def found(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_cluster(number: int | None, _: object) -> Any:
        return nullcontext(cluster if number else None)

    monkeypatch.setattr(predict, "open_cluster", open_cluster)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("blur") / "p.zip", tiny_networks.Blur())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.ome.zarr"
    images.write(path, random_image(2, 40, 90, dims="zyx", pixel_um=0.1))
    return path


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): p.read_bytes() for p in files}


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("out.ome.zarr", {}),
        ("out.ome.zarr", {"shard": 48}),
        ("out.ome.zarr", {"ome_zarr": "0.4"}),
        ("out.tif", {}),
    ],
)
def test_workers_write_the_same_bytes(
    tmp_path: Path, package: Path, source: Path, name: str, options: dict[str, Any]
) -> None:
    alone, together = tmp_path / "alone" / name, tmp_path / "together" / name
    predict_file(package, source, alone, tile=TILE, **options)
    predict_file(package, source, together, tile=TILE, workers=2, **options)

    assert contents(together) == contents(alone)
    assert left_in(together.parent) == {name}


def test_a_package_that_awaits_its_whole_result(tmp_path: Path, source: Path) -> None:
    package = tiny.write(tmp_path / "p", tiny_networks.Blur(), postprocessing=AWAITS)
    alone, together = tmp_path / "alone.ome.zarr", tmp_path / "together.ome.zarr"
    predict_file(package, source, alone, tile=TILE)
    predict_file(package, source, together, tile=TILE, workers=2)

    assert contents(together) == contents(alone)


def test_a_folder_is_restored_image_by_image(tmp_path: Path) -> None:
    plain = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=[])
    (tmp_path / "in").mkdir()
    for name in "abc":
        images.write(tmp_path / "in" / f"{name}.tif", random_image(20, 30) * (name != "b"))

    status = predict_file(plain, tmp_path / "in", tmp_path / "out", workers=2)

    assert status == 1  # b is empty
    assert left_in(tmp_path / "out") == {"a.tif", "c.tif", "predict.toml"}


def test_a_killed_run_goes_on(
    tmp_path: Path, package: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "out.ome.zarr"

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            predict_file(package, source, target, tile=TILE, workers=2)
    assert left_in(target.parent) == {".begun.out.ome.zarr", ".begun.out.ome.zarr.json"}
    chunks = target.parent / ".begun.out.ome.zarr" / "0" / "c" / "0"
    kept, lost = sorted(p for p in chunks.rglob("*") if p.is_file())[:2]
    os.utime(kept, (0, 0))
    lost.unlink()
    lost.with_suffix(".partial").touch()

    predict_file(package, source, target, tile=TILE, workers=2)

    there = target / kept.relative_to(target.parent / ".begun.out.ome.zarr")
    assert there.stat().st_mtime == 0
    predict_file(package, source, tmp_path / "alone.ome.zarr", tile=TILE)
    assert contents(target) == contents(tmp_path / "alone.ome.zarr")


def test_what_was_begun_of_another_image_is_made_anew(
    tmp_path: Path, package: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "out.ome.zarr"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "coarsen", full)
        patch.setattr(store, "finish", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*out\.ome\.zarr'"):
            predict_file(package, source, target, tile=TILE, workers=2)
    images.write(source, random_image(2, 40, 90, dims="zyx", pixel_um=0.1) * 2 + 1)

    predict_file(package, source, target, tile=TILE, workers=2)

    predict_file(package, source, tmp_path / "alone.ome.zarr", tile=TILE)
    assert contents(target) == contents(tmp_path / "alone.ome.zarr")


def test_an_output_that_vanishes_is_said(
    tmp_path: Path, package: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "out.ome.zarr"
    is_written = store.is_written

    def vanishing(path: Path, *given: Any) -> bool:
        there = is_written(path, *given)
        shutil.rmtree(path, ignore_errors=True)
        return there

    monkeypatch.setattr(store, "is_written", vanishing)
    with pytest.raises(UserError, match="vanished while it was written"):
        predict_file(package, source, target, tile=TILE, workers=2)
    assert not target.exists()


def test_another_package_under_the_same_path_is_refused(package: Path) -> None:
    by = workers.OpenedBy(workers.Options(package), "0" * 64)
    with pytest.raises(UserError, match="another file for a worker"):
        workers._Held().job(by)  # pyright: ignore[reportPrivateUsage]


def test_what_was_measured_is_said_alike_in_every_process() -> None:
    # Sets of names have another order in each.
    moments = Moments(1, 0.0, 1.0, 0.0, 1.0)
    one, other = (
        Measured({SampleQuantile(q=q, member_id=MemberId("i")): q for q in order}, moments, 1.0)
        for order in ((0.02, 0.98), (0.98, 0.02))
    )
    assert one.facts == other.facts


def test_only_ome_zarr_has_shards(tmp_path: Path, package: Path, source: Path) -> None:
    with pytest.raises(UserError, match="only OME-Zarr has shards"):
        predict_file(package, source, tmp_path / "out.tif", shard=512)
