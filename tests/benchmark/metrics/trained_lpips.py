"""The weights of LPIPS, where `python -m benchmark weights` has put them."""

import pytest

from benchmark.metrics.lpips import BACKBONE, HEADS
from benchmark.metrics.weights import cache

CACHE = cache()
"""The user's own: tests see an empty one."""

needs_weights = pytest.mark.skipif(
    not all((CACHE / file.names[0]).is_file() for file in (BACKBONE, HEADS)),
    reason="the weights of LPIPS are not here: run `python -m benchmark weights`",
)
