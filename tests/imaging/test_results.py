"""A finished run is read back whole, or refused in a sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.running.cell import Cell, CellKey
from benchmark.running.results_folder import Results
from imaging.cli import UserError
from imaging.results import NOT_APPLICABLE, SCORES, read_scores
from tests import records

PLACE = CellKey("care", "cells", "0001")
RUN = records.run(
    [records.package("care")], [records.dataset("cells", records.image("0001"))], seed=3
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results = Results(tmp_path / "results")
    results.begin(RUN)
    results.keep(PLACE, Cell({}, {"ssim": 0.5}, {"lpips": "No weights, alas."}))
    results.finish(RUN, [PLACE], [])
    return results.path


def edit(**entries: object) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        content = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(content | entries))

    return spoil


def write(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def test_a_run_is_read_back_as_it_was_written(folder: Path) -> None:
    scores = read_scores(folder)
    assert scores.run == RUN
    assert scores.table.to_numpy().tolist() == [["care", "cells", "0001", "ssim", 0.5]]
    assert scores.not_applicable.iloc[0].to_list()[3:] == ["lpips", "No weights, alas."]


def test_a_record_of_before_metrics_were_written_down_is_read(folder: Path) -> None:
    content = json.loads((folder / "run.json").read_text())
    del content["metrics"]
    for image in content["datasets"][0]["images"]:
        del image["native"]
    (folder / "run.json").write_text(json.dumps(content))
    assert read_scores(folder).run == replace(RUN, metrics={})


def test_reading_from_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no run\.json: give the folder that `python -m"):
        read_scores(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove(NOT_APPLICABLE), "did not finish: give the same command again"),
        (remove(SCORES), "are missing or damaged: give the same command of `benchmark run` again"),
        (write(SCORES, "no table"), "are missing or damaged"),
        (write(NOT_APPLICABLE, ""), "are missing or damaged"),
        (write("run.json", "{"), r"run\.json cannot be read: run `python -m benchmark run` again"),
        (write("run.json", "[]"), r"run\.json is in schema None"),
        (edit(schema=7), "in schema 7, and this program reads 2"),
        (edit(packages="none"), r"run\.json: entry 'packages' is 'none' where a list belongs; run"),
        (edit(packages=[{}]), r"run\.json: entry 'packages\.0\.name' is missing; run"),
        (edit(versoins={}), r"run\.json: there is no entry 'versoins'; run"),
        (edit(datasets=[]), r"image '0001' of 'cells', and run\.json knows no such image"),
    ],
)
def test_what_is_unfinished_or_damaged_is_refused_in_a_sentence(
    folder: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=sentence):
        read_scores(folder)
