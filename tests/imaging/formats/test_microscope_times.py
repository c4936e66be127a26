from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging import images
from imaging.formats.times import interval_of
from tests.czi_metadata import attach_times, state_increment, state_offsets
from tests.microscope_files import INTERVAL_S, WRITERS, write_nd2

REASON = "the libraries of the extra 'formats' are not installed"
TIMES = 3
PIXELS = np.arange(TIMES * 2 * 6 * 7, dtype=np.uint16).reshape(1, TIMES, 1, 2, 6, 7)


def interval_in(path: Path) -> float | None:
    return images.read(path, lazy=True).attrs.get("interval_s")


@pytest.mark.parametrize("suffix", WRITERS)
def test_seconds_between_time_points(tmp_path: Path, suffix: str) -> None:
    library, write = WRITERS[suffix]
    pytest.importorskip(library, reason=REASON)
    write(tmp_path / f"a{suffix}", PIXELS)
    assert interval_in(tmp_path / f"a{suffix}") == pytest.approx(INTERVAL_S)


def czi(path: Path) -> Path:
    library: Any = pytest.importorskip("pylibCZIrw.czi", reason=REASON)
    with library.create_czi(str(path)) as file:
        for t in range(TIMES):
            file.write(PIXELS[0, t, 0, 0], plane={"T": t})
        file.write_metadata(channel_names={0: "GFP"}, scale_x=1e-7, scale_y=1e-7)
    return path


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (lambda path: state_offsets(path, [0, 60.075, 120.15]), 60.075),
        (lambda path: state_increment(path, 2.5), 2.5),
        (lambda path: attach_times(path, [122.6, 128.6, 134.7]), 6.05),
        (lambda path: attach_times(path, [122.6, 128.6]), None),  # of another recording
        (lambda path: state_offsets(path, [0, 1, 60]), None),  # uneven
        (lambda path: None, None),
    ],
)
def test_how_a_czi_says_its_times(
    tmp_path: Path, state: Callable[[Path], None], expected: float | None
) -> None:
    path = czi(tmp_path / "a.czi")
    state(path)
    assert interval_in(path) == (None if expected is None else pytest.approx(expected))


def test_times_of_a_stopped_recording_of_nd2(tmp_path: Path) -> None:
    pytest.importorskip("nd2", reason=REASON)
    write_nd2(tmp_path / "a.nd2", PIXELS, frames=3)
    assert interval_in(tmp_path / "a.nd2") == pytest.approx(INTERVAL_S)


def test_an_nd2_that_keeps_no_times(tmp_path: Path) -> None:
    pytest.importorskip("nd2", reason=REASON)
    write_nd2(tmp_path / "a.nd2", PIXELS)
    content = (tmp_path / "a.nd2").read_bytes()
    (tmp_path / "a.nd2").write_bytes(content.replace(b"AcqTimesCache", b"AcqTimesKache"))
    assert interval_in(tmp_path / "a.nd2") is None


@pytest.mark.parametrize(
    ("moments", "expected"), [([5.0, 7.0, 9.1], 2.05), ([5.0], None), ([3.0, 2.0], None)]
)
def test_even_moments_have_an_interval(moments: list[float], expected: float | None) -> None:
    assert interval_of(moments) == (None if expected is None else pytest.approx(expected))
