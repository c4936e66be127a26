import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from imaging.mapped import let_go, map_file


def test_pages_that_are_let_go_of_leave_the_memory(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells pages of files apart")
    path = tmp_path / "a"
    path.write_bytes(bytes(2**24))
    memory = psutil.Process().memory_info
    pixels = np.frombuffer(mapped := map_file(path, write=True), np.uint8)
    before = memory().shared
    pixels[:] = 7
    assert memory().shared - before > 2**23
    let_go(mapped)
    assert memory().shared - before < 2**21
    assert path.read_bytes() == bytes([7]) * 2**24


def test_what_is_only_read_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert map_file(tmp_path / "a")[1:] == b"bc"
    with pytest.raises(TypeError):
        map_file(tmp_path / "a")[0] = 0
