"""Work divided among processes and machines by dask.distributed, the extra ``cluster``.

A local cluster has a process for each worker; any other, such as one that dask-jobqueue starts on
SLURM, is known by the address of its scheduler. Tasks are functions of modules with arguments that
can be pickled; who does which, and again where a worker dies, is dask's to decide.
"""

import logging
import os
import platform
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from imaging.cli import UserError
from imaging.files import sha256_of_all
from imaging.source_files import ROOMS, ROOT

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

_ANSWER_S = 15.0
"""How long a scheduler may take to answer, and to find its first worker."""
_AHEAD = 2  # tasks for each thread of the workers: the next is there when one is done
_LIBRARIES = ("numpy", "onnxruntime", "torch", "zarr")

ONE_AT_A_TIME = Lock()
"""For tasks that hold what the threads of a worker share."""


class WorkersGoneError(UserError):
    """Workers ended before their tasks did; the same command goes on from what is there."""


class Cluster:
    """Workers that do tasks.

    Parameters
    ----------
    client
        Of their scheduler.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def each(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[tuple[T, R | None, Exception | None]]:
        """Do tasks, whichever is done first.

        Parameters
        ----------
        function
            Of a module, for the workers import it.
        tasks
            Taken as workers become free, so that neither they nor results pile up.

        Yields
        ------
        tuple
            A task, and what the function returned or raised.

        Raises
        ------
        WorkersGoneError
            The scheduler is gone.
        """
        from distributed import as_completed
        from distributed.client import FutureCancelledError

        left = iter(tasks)
        running: dict[Any, T] = {}
        done = as_completed(loop=self._client.loop)

        def go_on() -> None:
            threads = cast(dict[str, int], self._client.nthreads())
            ahead = _AHEAD * max(1, sum(threads.values()))
            while len(running) < ahead:
                try:
                    task = next(left)
                except StopIteration:
                    return
                future = self._client.submit(function, task, pure=False)
                running[future.key] = task
                done.add(future)

        with _explained(self._client):
            go_on()
            for future in done:
                task = running.pop(future.key)
                error = _error_of(future)
                if isinstance(error, FutureCancelledError):
                    raise error
                result = None if error else future.result()
                del future  # or the scheduler keeps the result
                go_on()
                yield task, result, error

    def all(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[tuple[T, R | None]]:
        """Do tasks as `each` does; raise the first error."""
        for task, result, error in self.each(function, tasks):
            if error is not None:
                raise error
            yield task, result


@contextmanager
def open_cluster(workers: int | None, scheduler: str | None) -> Generator[Cluster | None]:
    """Find or start workers.

    Parameters
    ----------
    workers
        How many processes to start here; they end with the block.
    scheduler
        Address of the scheduler of a cluster that is there, such as ``tcp://10.0.0.1:8786``.

    Yields
    ------
    Cluster or None
        None where neither is given.

    Raises
    ------
    UserError
        Both are given, dask is not installed, nobody answers, there are no workers, or they have
        another version of the project or of what computes.
    """
    if workers is None and scheduler is None:
        yield None
        return
    if workers is not None and scheduler is not None:
        raise UserError("Give --workers or --scheduler, not both: a scheduler has its own workers.")
    if workers is not None and workers < 1:
        raise UserError(f"{workers} workers do nothing: give 1 or more.")
    try:
        from dask.config import set as configured
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UserError(
            "--workers and --scheduler need dask.distributed: install the extra, "
            'pip install -e ".[cluster]".'
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"No scheduler answers at {scheduler}: start one with `dask scheduler`, or check "
                "the address."
            ) from error
        with client:
            _refuse_strangers(client, scheduler)
            yield Cluster(client)
        return
    threads = max(1, (os.cpu_count() or 1) // (workers or 1))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {f"distributed.nanny.pre-spawn-environ.{name}": threads for name in names}
    local: dict[str, Any] = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",  # any free port: the usual one may be another's
        "silence_logs": logging.CRITICAL,
        "memory_limit": None,
    }
    with (
        configured(environment),
        LocalCluster(**local) as started,
        Client(started, set_as_default=False) as client,
    ):
        yield Cluster(client)


def fingerprint() -> dict[str, str]:
    """Return what must be the same on all machines for the same bytes: versions, and our files."""
    rooms = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    return {
        "restoration-zoo": sha256_of_all(rooms, ROOT)[:12],
        "Python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }


def worker_device() -> str | None:
    """Return the GPU of a worker among several of its machine; None where it has no choice.

    Workers of a local cluster are numbered. Others are given theirs by who starts them, in
    CUDA_VISIBLE_DEVICES.
    """
    import torch
    from distributed import get_worker

    name = get_worker().name
    count = torch.cuda.device_count()
    return f"cuda:{name % count}" if count > 1 and isinstance(name, int) else None


def _refuse_strangers(client: "Client", scheduler: str) -> None:
    """Refuse workers that would compute something else."""
    try:
        client.wait_for_workers(1, timeout=_ANSWER_S)
    except TimeoutError as error:
        raise UserError(
            f"The scheduler at {scheduler} has no workers: start some with `dask worker "
            f"{scheduler}`, or wait until they have started."
        ) from error
    own = fingerprint()
    found = cast(dict[str, Any], client.run(fingerprint, on_error="return"))
    for worker, theirs in found.items():
        if not isinstance(theirs, dict):
            raise UserError(
                f"The worker at {worker} cannot import this project ({theirs}): install the same "
                "version there."
            )
        for name, here in own.items():
            if theirs.get(name) != here:
                raise UserError(
                    f"The worker at {worker} has {name} {theirs.get(name)}, and here it is {here}: "
                    "install the same version there, or results would differ."
                )


def _error_of(future: "Future[Any]") -> Exception | None:
    from distributed import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        return WorkersGoneError(
            f"A task was given up, as the workers that did it died, the last at "
            f"{error.last_worker.address}: perhaps memory ran out; give fewer workers or a smaller "
            "--tile, and the same command goes on from what is there."
        )
    return error if error is None or isinstance(error, Exception) else RuntimeError(repr(error))


@contextmanager
def _explained(client: "Client") -> Generator[None]:
    """Turn what a scheduler's end looks like here into a sentence."""
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (FutureCancelledError, CommClosedError) as error:
        raise WorkersGoneError(
            f"The scheduler at {client.scheduler.address if client.scheduler else 'its address'} "
            "answers no more: start it again; the same command goes on from what is there."
        ) from error
