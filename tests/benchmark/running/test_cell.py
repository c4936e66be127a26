import math
from pathlib import Path

import pytest

from benchmark.metrics import Metric, MissingFile, NotApplicable
from benchmark.running import cell, restore
from benchmark.running.cell import Cell, CellFiles, CellKey
from benchmark.running.run import run_benchmark
from imaging import images
from imaging.results import Scores
from imaging.scores import MEMORY
from tests.benchmark import stand_ins

WHY = "The weights are not there."


class Lpips:
    """Stand-in for a metric that needs a file; counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer: float | NotApplicable = MissingFile(WHY)
        self.asked = 0
        metric = Metric("lpips", "LPIPS", "lower", "", ("truth", "prediction"), self)
        monkeypatch.setattr(cell, "METRICS", {**stand_ins.FEW_METRICS, "lpips": metric})

    def __call__(self, truth: object, prediction: object) -> float:
        self.asked += 1
        if isinstance(self.answer, NotApplicable):
            raise self.answer
        return self.answer


@pytest.fixture
def lpips(monkeypatch: pytest.MonkeyPatch) -> Lpips:
    return Lpips(monkeypatch)


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> stand_ins.StandIns:
    known = stand_ins.StandIns()
    monkeypatch.setattr(restore, "open_package", stand_ins.open_package)
    monkeypatch.setattr(restore, "open_method", known.open_method)
    return known


def score(tmp_path: Path, *, does: str = "be uncertain") -> Scores:
    data = tmp_path / "data"
    if not data.exists():
        stand_ins.dataset(data)
    package = stand_ins.package(tmp_path / "net.zip", does)
    return run_benchmark([package], [data], tmp_path / "results", controls=True)


def test_what_a_metric_lacked_may_be_there_next_time(
    tmp_path: Path, packages: stand_ins.StandIns, lpips: Lpips
) -> None:
    assert "lpips" not in set(score(tmp_path).table.metric)
    packages.restored.clear()
    lpips.answer = 0.25
    scores = score(tmp_path)
    found = scores.table[scores.table.metric == "lpips"]
    assert set(found.value) == {0.25}
    assert {"net", "net (sample)", "input", "truth"} <= set(found.package)
    assert MEMORY in set(scores.not_applicable.metric)  # other reasons stay
    assert WHY not in set(scores.not_applicable.reason)
    assert packages.restored == []


def test_what_is_still_lacking_is_asked_once_for_all_cells(
    tmp_path: Path, packages: stand_ins.StandIns, lpips: Lpips
) -> None:
    first = score(tmp_path)
    lpips.asked = 0
    second = score(tmp_path)
    assert lpips.asked <= 2  # of one restoration and its sample
    assert first.not_applicable.equals(second.not_applicable)
    assert packages.restored == [("net", f"{i:04}") for i in range(3)]


def test_another_reason_takes_the_place_of_a_missing_file(
    tmp_path: Path, packages: stand_ins.StandIns, lpips: Lpips
) -> None:
    score(tmp_path)
    lpips.answer = NotApplicable("The image is too small.")
    assert "The image is too small." in set(score(tmp_path).not_applicable.reason)
    lpips.asked = 0
    score(tmp_path)
    assert lpips.asked == 0


def test_a_second_run_reads_no_restored_image(
    tmp_path: Path, packages: stand_ins.StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell, "METRICS", stand_ins.FEW_METRICS)
    first = score(tmp_path)

    def refuse(*given: object) -> None:
        raise AssertionError("a restored image was read")

    monkeypatch.setattr(cell, "metric_inputs", refuse)
    assert score(tmp_path).table.equals(first.table)


@pytest.mark.parametrize("damage", ["cut off", "another size"])
def test_a_damaged_restoration_is_made_again(
    tmp_path: Path, packages: stand_ins.StandIns, lpips: Lpips, damage: str
) -> None:
    score(tmp_path)
    packages.restored.clear()
    file = tmp_path / "results/predictions/net/data/0001.ome.tif"
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:100])
    else:
        images.write(file, images.read(file).isel(y=slice(20)))
    lpips.answer = 0.25
    score(tmp_path)
    assert packages.restored == [("net", "0001")]
    assert images.read(file).size


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
