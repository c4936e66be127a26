"""Work in a process of its own, which may crash or hang without taking others with it."""

import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

_LEAVE_S = 5.0
_TIDY_S = 60.0  # letting go of libraries takes long on a busy machine


class ProcessEndedError(Exception):
    """The process is gone; the message says how it ended, as the end of a sentence."""


class Peer:
    """The other process, seen from this one."""

    def __init__(self, connection: Connection, process: BaseProcess) -> None:
        self._connection = connection
        self._process = process

    def send(self, content: object) -> None:
        """Hand something over that can be pickled."""
        try:
            self._connection.send(content)
        except OSError:
            raise ProcessEndedError(self._how_it_ended()) from None

    def receive(self, limit_s: float | None = None) -> Any:
        """Wait for what the other process sends next.

        Parameters
        ----------
        limit_s
            How long, at most; for ever when omitted.

        Raises
        ------
        ProcessEndedError
            The process is gone, or took longer and was killed.
        """
        try:
            if not self._connection.poll(limit_s):
                self._process.kill()
                raise ProcessEndedError(f"was ended, as it took more than {limit_s:g} s")
            return self._connection.recv()
        except (EOFError, OSError):
            raise ProcessEndedError(self._how_it_ended()) from None

    def _how_it_ended(self) -> str:
        self._process.join(_LEAVE_S)
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (perhaps memory ran out)" if name == "SIGKILL" else ""
            return f"was ended by {name}{hint}"
        return f"ended with status {code}"


@contextmanager
def own_process(serve: Callable[..., None], *arguments: object) -> Generator[Peer]:
    """Start a process that answers over a connection.

    Parameters
    ----------
    serve
        A function of a module, called in the process with a connection and the arguments.
    arguments
        What can be pickled.

    Yields
    ------
    Peer
        The process, which has begun to serve; it ends with the block.

    Raises
    ------
    ProcessEndedError
        It could not begin.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # Its temporary files lie in a folder of ours, which goes even if the process is killed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = context.Process(
            target=_enter, args=(serve, theirs, folder, *arguments), daemon=True
        )
        process.start()
        theirs.close()
        patience_s = _TIDY_S
        try:
            peer = Peer(ours, process)
            peer.receive()  # says that all is imported, which may take long
            yield peer
        except BaseException:
            process.terminate()  # it may be in the middle of something
            patience_s = _LEAVE_S
            raise
        finally:
            ours.close()  # it leaves by itself
            process.join(patience_s)
            if process.is_alive():
                process.kill()
                process.join()


def _enter(
    serve: Callable[..., None], connection: Connection, temporary: str, *arguments: object
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # let go of what is half-written
    tempfile.tempdir = temporary
    try:
        connection.send(None)
        serve(connection, *arguments)
    except (EOFError, BrokenPipeError):
        return  # the other side left
