"""Cells computed by the workers of a cluster: one task is a cell.

Each worker holds one package. A package that takes its process with it takes the worker, which dask
starts again; only after several times is the cell given up.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmark.running.cell import CellFiles, CellTask, compute_cell
from benchmark.running.restore import (
    Method,
    RestorationError,
    Restore,
    in_this_process,
    sentence_of,
)
from imaging.cli import UserError
from imaging.cluster import ONE_AT_A_TIME, Cluster, worker_device


@dataclass(frozen=True)
class WorkerTask:
    """A cell, and the results to keep it in."""

    cell: CellTask
    results: CellFiles


def each_with(
    cluster: Cluster, tasks: Sequence[CellTask], results: CellFiles
) -> Iterator[tuple[CellTask, Exception | None]]:
    """Compute cells with workers, whichever is done first.

    Parameters
    ----------
    cluster
        The workers, which see the files of tasks and results under the same paths.
    tasks
        The cells.
    results
        Where they are kept.

    Yields
    ------
    tuple
        Each cell's task, and the `RestorationError` or `UserError` on which it failed.
    """
    kept = CellFiles(results.path)
    for task, _, error in cluster.each(compute, (WorkerTask(task, kept) for task in tasks)):
        if error is not None and not isinstance(error, RestorationError | UserError):
            raise error
        yield task.cell, error


def compute(task: WorkerTask) -> None:
    """Compute a cell, in a worker.

    Raises
    ------
    RestorationError
        The package cannot be loaded, or the image not be restored or scored.
    """
    with ONE_AT_A_TIME:
        compute_cell(task.cell, _held.method(task.cell.method), task.results)


class _Held:
    """The package that a worker holds from one task to the next."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._open: tuple[Method, Restore] | None = None

    def method(self, method: Method) -> Restore:
        """Return what restores with a package, loaded once."""
        if self._open is None or self._open[0] != method:
            self._stack.close()
            self._open = None
            try:
                restore = self._stack.enter_context(in_this_process(method, worker_device()))
            except Exception as error:
                raise RestorationError(sentence_of(error)) from error
            self._open = method, restore
        return self._open[1]


_held = _Held()
