"""A process of its own may end in any way; this one goes on and says how."""

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from pathlib import Path

import pytest

from imaging.own_process import ProcessEndedError, own_process


@pytest.fixture(autouse=True)
def as_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start processes as the program does, not as the other tests do."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: SpawnContext())


def double(connection: Connection, number: int) -> None:
    while True:
        connection.send(number * connection.recv())


def end(_: Connection) -> None:
    os._exit(3)


def leave(_: Connection) -> None:
    raise SystemExit


def crash(_: Connection) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def run_out(_: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(_: Connection) -> None:
    time.sleep(3600)


def make_a_file(connection: Connection) -> None:
    file, name = tempfile.mkstemp()
    os.close(file)
    connection.send(name)


def test_it_answers_until_it_is_left() -> None:
    with own_process(double, 2) as process:
        for number in (1, 2):
            process.send(number)
            assert process.receive() == 2 * number
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("serve", "how"),
    [
        (end, "ended with status 3"),
        (leave, "ended with status 0"),
        (crash, "was ended by SIGSEGV"),
        (run_out, r"was ended by SIGKILL \(perhaps memory ran out\)"),
    ],
)
def test_how_it_ended_is_said(serve: Callable[[Connection], None], how: str) -> None:
    with own_process(serve) as process, pytest.raises(ProcessEndedError, match=f"^{how}$"):
        process.receive()


def test_one_that_takes_too_long_is_ended() -> None:
    said = r"^was ended, as it took more than 0\.1 s$"
    with own_process(hang) as process, pytest.raises(ProcessEndedError, match=said):
        process.receive(0.1)
    assert not multiprocessing.active_children()


def test_its_temporary_files_go_with_it() -> None:
    with own_process(make_a_file) as process:
        file = Path(process.receive())
    assert not file.exists()
