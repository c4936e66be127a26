import math
from pathlib import Path

import pytest

from benchmark.running.cell_files import Cell, CellFiles, CellKey

PLACE = CellKey("care", "cells", "0001")


@pytest.fixture
def results(tmp_path: Path) -> CellFiles:
    return CellFiles(tmp_path / "results")


def test_a_cell_comes_back_as_it_was_kept(results: CellFiles) -> None:
    cell = Cell({"package": "abc"}, {"psnr": math.inf, "ssim": 0.5}, {"lpips": "No weights."})
    results.keep(PLACE, cell)
    assert results.find(PLACE) == cell


def test_a_cut_off_cell_counts_as_absent(results: CellFiles) -> None:
    results.keep(PLACE, Cell({"package": "abc"}))
    file = results.cell_file(PLACE)
    file.write_text(file.read_text()[:10])
    assert results.find(PLACE) is None


def test_nan_cannot_be_kept(results: CellFiles) -> None:
    with pytest.raises(ValueError, match="NaN"):
        results.keep(PLACE, Cell({}, {"ssim": math.nan}))
    assert results.find(PLACE) is None


def test_discarding_takes_the_prediction_along(results: CellFiles) -> None:
    results.keep(PLACE, Cell({}))
    prediction = results.prediction_file(PLACE)
    prediction.parent.mkdir(parents=True)
    prediction.write_bytes(b"")
    results.discard(PLACE)
    assert results.find(PLACE) is None
    assert not prediction.exists()
