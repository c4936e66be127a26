"""What all tests share: one thread in each process, no network, nothing of the user's settings."""

import multiprocessing
import os
import socket
from collections.abc import Iterator
from multiprocessing.context import BaseContext
from typing import Any

import pytest
import torch

# The workers of pytest-xdist share the cores, and so do the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# Settings that change what the code under test finds or says.
VARIABLES = ("LPIPS_BACKBONE_WEIGHTS", "RESTORATION_DEBUG")

# What processes that the code under test starts need: importing it takes each of them seconds.
IMPORTED = [
    "benchmark.running.run",
    "packages.check",
    "packages.export",
    "tests.benchmark.stand_ins",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, or one worker does it while the others have nothing left."""
    items.sort(key=lambda item: item.name != "test_the_page_is_followed_to_the_letter")


@pytest.fixture(scope="session", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No network but this machine, no variables of the user's, an empty cache of weights."""
    ask = socket.getaddrinfo

    def refuse(host: Any, *arguments: Any, **options: Any) -> Any:
        if host == "127.0.0.1":
            return ask(host, *arguments, **options)
        raise OSError(f"A test asked for the network: {host}.")

    with pytest.MonkeyPatch.context() as patch:
        for variable in VARIABLES:
            patch.delenv(variable, raising=False)
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        patch.setenv("PIP_NO_INDEX", "1")  # of the processes that tests start, only pip asks for it
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="session", autouse=True)
def prepared_processes(alone: None) -> Iterator[None]:
    """Make processes from one that has imported their modules and done nothing else.

    They are as new as spawned ones, which Windows keeps, and the tests of `imaging.own_process`.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        yield
        return
    ask = multiprocessing.get_context
    server = ask("forkserver")
    server.set_forkserver_preload(IMPORTED)

    def get_context(method: str | None = None) -> BaseContext:
        return server if method == "spawn" else ask(method)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing, "get_context", get_context)
        yield
