from pathlib import Path

import pytest

from tools.tiff_speed import compare, measure


def test_a_stack_is_read_in_every_way(tmp_path: Path) -> None:
    timing = measure(tmp_path, "LZW tiles", 3)
    assert (timing.layout, timing.pages) == ("LZW tiles", 3)
    assert min(timing.floor_s, timing.whole_s, timing.by_plane_s) > 0


def test_every_layout_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    compare(pages=(2,))
    shown = capsys.readouterr().out
    assert all(layout in shown for layout in ("one block", "scattered", "LZW", "LZW tiles"))
