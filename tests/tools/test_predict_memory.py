import sys

import pytest

from imaging.cli import UserError
from tools.predict_memory import measure

WAITS = "import time; time.sleep(0.2)"
HOLDS = f"block = bytearray(b'a' * 2**25); {WAITS}"


def test_the_peak_is_that_of_the_process() -> None:
    if sys.platform != "linux":
        pytest.skip("memory is read from /proc")
    little, much = (measure([sys.executable, "-c", code]) for code in (WAITS, HOLDS))
    assert little.files > 0
    assert much.whole - little.whole == pytest.approx(64, abs=4)  # the bytes, too


def test_what_fails_is_not_measured() -> None:
    if sys.platform != "linux":
        pytest.skip("memory is read from /proc")
    with pytest.raises(UserError, match="failed: run it by itself"):
        measure([sys.executable, "-c", "raise SystemExit(3)"])
