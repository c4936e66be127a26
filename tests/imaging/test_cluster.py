import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from imaging import cluster as cluster_module
from imaging.cli import UserError
from imaging.cluster import Cluster, open_cluster
from tests.clusters import client_of_threads, cluster_of_threads


def square(number: int) -> int:
    if number == 3:
        raise UserError("No square of 3.")
    return number**2


def die_once(place: tuple[Path, int]) -> int:
    """Take the worker along, the first time that the marked number is asked for."""
    folder, number = place
    if number == 1 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.fixture(scope="module")
def threads() -> Iterator[Cluster]:
    with cluster_of_threads() as cluster:
        yield cluster


def test_every_task_is_done_once(threads: Cluster) -> None:
    tasks = [n for n in range(20) if n != 3]
    assert sorted(threads.all(square, tasks)) == [(n, n**2) for n in tasks]


def test_an_error_stops_no_other_task(threads: Cluster) -> None:
    done = {task: error for task, _, error in threads.each(square, range(6))}
    assert {task: str(error) for task, error in done.items() if error} == {3: "No square of 3."}


def test_the_first_error_is_raised_as_it_was(threads: Cluster) -> None:
    with pytest.raises(UserError, match=r"No square of 3\."):
        list(threads.all(square, range(6)))


def test_a_worker_that_dies_costs_time_only(tmp_path: Path) -> None:
    with open_cluster(1, None) as processes:
        assert processes is not None
        found = list(processes.all(die_once, [(tmp_path, n) for n in range(3)]))
    assert {number for _, number in found} == {0, 1, 2}
    assert (tmp_path / "died").exists()


def test_neither_is_no_cluster() -> None:
    with open_cluster(None, None) as cluster:
        assert cluster is None


@pytest.mark.parametrize(
    ("workers", "scheduler", "sentence"),
    [
        (2, "tcp://127.0.0.1:8786", "not both"),
        (0, None, "0 workers do nothing"),
        (None, "tcp://127.0.0.1:9", r"No scheduler answers at tcp://127\.0\.0\.1:9"),
        (None, "nonsense://a", "No scheduler answers at nonsense"),
    ],
)
def test_what_cannot_be_reached_is_said(
    workers: int | None, scheduler: str | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_ANSWER_S", 0.2)

    def ask() -> None:
        with pytest.raises(UserError, match=sentence), open_cluster(workers, scheduler):
            pass

    ask()
    # Clients that reached nobody close when they are collected: in a thread that starts a loop at
    # that moment, they would hold it up.
    gc.collect()


@pytest.mark.parametrize(("workers", "sentence"), [(0, "has no workers"), (1, "has zarr 1, and")])
def test_workers_that_would_do_something_else_are_refused(
    workers: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter(["2", "1"])
    monkeypatch.setattr(cluster_module, "_ANSWER_S", 0.2)
    monkeypatch.setattr(cluster_module, "fingerprint", lambda: {"zarr": next(asked)})
    with client_of_threads(workers) as client:
        address = client.scheduler.address if client.scheduler else ""
        with pytest.raises(UserError, match=sentence), open_cluster(None, address):
            pass
