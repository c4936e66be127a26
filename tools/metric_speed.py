"""``python -m tools.metric_speed``: how long metrics take, beside other implementations of them.

One image of 1024 x 1024 pixels, one thread, seconds of processor time so that other work on the
machine matters little, the best of three runs. Other implementations are measured where they are
installed (``pip install nanopyx``); nothing else needs them.
"""

import contextlib
import importlib
import io
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from scipy import ndimage
from threadpoolctl import threadpool_limits

from benchmark.metrics import METRICS
from benchmark.metrics.decorrelation import cutoff_period_px
from benchmark.metrics.resolution import frc
from benchmark.metrics.rolling import rolling_correlation
from benchmark.metrics.squirrel import resolution_scaled_fit
from imaging.cli import STATUS_FAILED_CHECK, console

Plane = NDArray[np.float64]
Work = Callable[[], object]

SIDE = 1024
_RUNS = 3


@dataclass(frozen=True)
class PeerTiming:
    """One piece of work, here and elsewhere.

    Attributes
    ----------
    name
        What is computed.
    ours
        Computes it.
    peer
        The package with another implementation of it.
    theirs
        Computes it with the module of that package.
    limit_s
        Seconds that ours may take, where there is nothing to compare with.
    """

    name: str
    ours: Work
    peer: str = ""
    theirs: Callable[[Any], object] | None = None
    limit_s: float | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds of both; None where the other is not installed or there is none."""

    contest: PeerTiming
    ours_s: float
    theirs_s: float | None

    @property
    def passed(self) -> bool:
        """Return whether ours is faster and within its limit, as far as either was measured."""
        within = self.contest.limit_s is None or self.ours_s < self.contest.limit_s
        return within and (self.theirs_s is None or self.ours_s < self.theirs_s)


def contests(side: int = SIDE) -> list[PeerTiming]:
    """Prepare what is measured.

    Parameters
    ----------
    side
        Pixels along both axes, more than 160.

    Returns
    -------
    list of PeerTiming
        All on the same images: blurred noise, seen with noise.
    """
    rng = np.random.default_rng(0)
    truth = np.asarray(ndimage.gaussian_filter(rng.normal(size=(side, side)), 2))
    truth = (truth - truth.min()) / np.ptp(truth)
    first, second = (truth + rng.normal(0, 0.05, truth.shape) for _ in range(2))
    blurred = np.asarray(ndimage.gaussian_filter(first, 2))
    squirrel = "nanopyx.methods.squirrel"
    return [
        PeerTiming("fidelity and structure", lambda: _panel(truth, first), limit_s=1.5),
        PeerTiming(
            "FRC",
            lambda: frc(first, second, 1.0),
            squirrel,
            lambda m: m.calculate_frc(first, second),
        ),
        PeerTiming(
            "SQUIRREL",
            lambda: resolution_scaled_fit(blurred, first),
            squirrel,
            lambda m: m.calculate_error_map(blurred, first),
        ),
        PeerTiming(
            "decorrelation",
            lambda: cutoff_period_px(first),
            squirrel,
            lambda m: m.calculate_decorr_analysis(first),
        ),
        PeerTiming("rolling FRC", lambda: rolling_correlation(first, second), limit_s=2.0),
    ]


def measure(contest: PeerTiming, runs: int = _RUNS) -> Timing:
    """Time one piece of work, here and where it is installed elsewhere.

    Parameters
    ----------
    contest
        See `contests`.
    runs
        How often; the fastest counts, after one that does not.

    Returns
    -------
    Timing
        Seconds of processor time, on one thread.
    """
    with _quiet():
        theirs = _their_work(contest)
        torch.set_num_threads(1)
        with threadpool_limits(1):
            ours_s = _seconds(contest.ours, runs)
            return Timing(contest, ours_s, None if theirs is None else _seconds(theirs, runs))


def main() -> int:
    """Print seconds and ratios.

    Returns
    -------
    int
        0, or 1 where something was slower than another implementation or than its limit.
    """
    results = [measure(contest) for contest in contests()]
    table = Table("", "here (s)", "there (s)", "ratio", "limit (s)", title=f"{SIDE} x {SIDE}")
    for result in results:
        contest, theirs_s = result.contest, result.theirs_s
        missing = f"{contest.peer.partition('.')[0]} is not installed" if contest.peer else ""
        table.add_row(
            contest.name if result.passed else f"{contest.name}: too slow",
            f"{result.ours_s:.3f}",
            missing if theirs_s is None else f"{theirs_s:.3f}",
            "" if theirs_s is None else f"{theirs_s / result.ours_s:.1f}",
            "" if contest.limit_s is None else f"{contest.limit_s}",
        )
    console.print(table)
    return 0 if all(result.passed for result in results) else STATUS_FAILED_CHECK


def _panel(truth: Plane, prediction: Plane) -> list[float]:
    return [
        metric(truth, prediction)
        for metric in METRICS.values()
        if metric.family in ("fidelity", "structure")
    ]


def _their_work(contest: PeerTiming) -> Work | None:
    if contest.theirs is None:
        return None
    try:
        module = importlib.import_module(contest.peer)
    except ImportError:
        return None
    theirs = contest.theirs
    return lambda: theirs(module)


def _seconds(work: Work, runs: int) -> float:
    work()
    times: list[float] = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Keep what other packages print and warn of from the table."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    raise SystemExit(main())
