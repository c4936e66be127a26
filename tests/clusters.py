"""A cluster for tests whose workers are threads of this process: it is there in a moment."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from distributed import Client, LocalCluster

from imaging.cluster import Cluster

HERE: dict[str, Any] = {
    "host": "127.0.0.1",
    "protocol": "tcp://",
    "dashboard_address": "127.0.0.1:0",
}


@contextmanager
def cluster_of_threads(workers: int = 2) -> Generator[Cluster]:
    with client_of_threads(workers) as client:
        yield Cluster(client)


@contextmanager
def client_of_threads(workers: int) -> Generator[Client]:
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            **HERE,
        ) as started,
        Client(started, set_as_default=False) as client,
    ):
        yield client
