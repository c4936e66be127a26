"""Seconds and peak memory of a piece of work."""

import threading
import time
from types import TracebackType
from typing import Self

import psutil
import torch

_SAMPLE_S = 0.002


class Measure:
    """Measure a block: ``with Measure() as m: ...`` then `m.seconds` and `m.peak_mib`.

    Memory is the largest resident size of this process during the block above its size before,
    sampled every 2 ms; on a GPU, the largest allocation on it.

    Parameters
    ----------
    device
        Where the work runs.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._cuda = torch.device(device).type == "cuda"
        self.seconds = 0.0
        self.peak_mib = 0.0

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._peak = self._before
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        self._thread.start()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._cuda:
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        self._thread.join()
        used = torch.cuda.max_memory_allocated() if self._cuda else self._peak - self._before
        self.peak_mib = used / 2**20

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            self._peak = max(self._peak, self._process.memory_info().rss)
