import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from imaging.mapped import FileArray, let_go, map_file


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


def test_an_array_keeps_nothing_of_what_was_read(tmp_path: Path) -> None:
    expected = np.arange(2**21, dtype=np.float64).reshape(32, 256, 256)
    (tmp_path / "a").write_bytes(b"head" + expected.tobytes())
    array = FileArray(tmp_path / "a", expected.dtype, expected.shape, 4)
    memory = psutil.Process().memory_info
    before = memory().shared
    for plane, values in enumerate(expected):
        np.testing.assert_array_equal(array[plane], values)
    if sys.platform == "linux":
        assert memory().shared - before < 2**20
