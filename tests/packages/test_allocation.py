import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from packages.allocation import keep_large_blocks
keep_large_blocks()
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are counted on Linux")
def test_large_blocks_are_not_taken_page_by_page_again() -> None:
    pages = 2**26 // resource.getpagesize()
    asked = [sys.executable, "-c", FAULTS]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert int(ran.stdout) < pages
