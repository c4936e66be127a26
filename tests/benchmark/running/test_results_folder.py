import json
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmark.running.cell import Cell, CellKey
from benchmark.running.results_folder import Results
from imaging.benchmark_run import FailedCell
from imaging.cli import UserError
from imaging.results import read_scores
from imaging.scores import COLUMNS
from tests import records

PLACE = CellKey("care", "cells", "0001")
RUN = records.run(datasets=[records.dataset("cells", records.image("0001"))])


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def test_the_table_is_tidy_and_ordered(results: Results) -> None:
    places = [CellKey("b", "d", "1"), CellKey("a", "d", "2"), CellKey("a", "d", "1")]
    results.begin(RUN)
    for place in places:
        results.keep(place, Cell({}, {"ssim": 1.0, "psnr": 2.0}))
    table = results.finish(RUN, places, []).table
    assert tuple(table.columns) == COLUMNS
    assert list(table.itertuples(index=False, name=None)) == sorted(
        (p.package, p.dataset, p.image, m, v)
        for p in places
        for m, v in (("psnr", 2.0), ("ssim", 1.0))
    )


FORMULAS = CellKey("=care", "+cells", "-0001")


@pytest.fixture
def of_formulas(results: Results) -> Path:
    """Return results of names that a spreadsheet would run."""
    image = records.image(FORMULAS.image)
    run = records.run(datasets=[records.dataset(FORMULAS.dataset, image)])
    results.begin(run)
    results.keep(FORMULAS, Cell({}, {"ssim": -0.5}, {"lpips": "@home"}))
    results.finish(run, [FORMULAS], [])
    return results.path


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("scores.csv", ["'=care", "'+cells", "'-0001", "ssim", -0.5]),
        ("not_applicable.csv", ["'=care", "'+cells", "'-0001", "lpips", "'@home"]),
    ],
)
def test_names_are_no_formulas_in_csv(of_formulas: Path, file: str, row: list[str]) -> None:
    assert pd.read_csv(of_formulas / file).to_numpy().tolist() == [row]


def test_names_in_parquet_are_as_they_are(of_formulas: Path) -> None:
    (row,) = pd.read_parquet(of_formulas / "scores.parquet").to_numpy().tolist()
    assert row == ["=care", "+cells", "-0001", "ssim", -0.5]


def test_reasons_are_read_with_the_names_that_they_had(of_formulas: Path) -> None:
    (row,) = read_scores(of_formulas).not_applicable.to_numpy().tolist()
    assert row == ["=care", "+cells", "-0001", "lpips", "@home"]


def test_parquet_and_csv_hold_the_same(results: Results) -> None:
    results.begin(RUN)
    results.keep(PLACE, Cell({}, {"psnr": math.inf, "ssim": 1 / 3}))
    results.finish(RUN, [PLACE], [])
    csv = pd.read_csv(results.path / "scores.csv", dtype={"image": str})
    pd.testing.assert_frame_equal(csv, read_scores(results.path).table, check_dtype=False)


def test_a_missing_value_is_a_reason_and_never_a_number(results: Results) -> None:
    results.begin(RUN)
    results.keep(PLACE, Cell({}, {"ssim": 0.5}, {"lpips": "No weights, alas."}))
    results.finish(RUN, [PLACE], [])
    scores = read_scores(results.path)
    assert list(scores.table["metric"]) == ["ssim"]
    assert list(scores.not_applicable["reason"]) == ["No weights, alas."]


def test_failures_are_in_the_record(results: Results) -> None:
    failed = [FailedCell("care", "cells", f"000{i}", "It broke.") for i in (2, 1)]
    results.begin(RUN)
    assert results.finish(RUN, [PLACE], failed).run.failures == failed[::-1]
    assert read_scores(results.path).run == replace(RUN, failures=failed[::-1])


def test_cells_that_were_not_asked_for_stay_out(results: Results) -> None:
    results.keep(CellKey("old", "cells", "0001"), Cell({}, {"ssim": 0.5}))
    results.begin(RUN)
    assert results.finish(RUN, [PLACE], []).table.empty


def test_results_of_another_schema_are_refused(results: Results) -> None:
    results.begin(RUN)
    file = results.path / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 0}))
    with pytest.raises(UserError, match="schema 0"):
        Results(results.path)


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(UserError, match="neither empty nor a folder of results"):
        Results(tmp_path)


def test_what_a_run_killed_at_once_leaves_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".123.run.json").write_text("{")
    Results(tmp_path)


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(UserError, match="is a file"):
        Results(tmp_path / "results")


def test_an_unreadable_run_file_is_refused(results: Results) -> None:
    results.begin(RUN)
    (results.path / "run.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        Results(results.path)


def test_reading_an_unfinished_run_is_refused(results: Results) -> None:
    results.begin(RUN)
    with pytest.raises(UserError, match="did not finish"):
        read_scores(results.path)


def test_a_new_run_takes_the_old_table_away(results: Results) -> None:
    results.begin(RUN)
    results.finish(RUN, [], [])
    results.begin(RUN)
    with pytest.raises(UserError, match="did not finish"):
        read_scores(results.path)


def test_leftovers_of_killed_processes_are_removed(results: Results) -> None:
    results.begin(RUN)
    leftover = results.path / ".999999999.scores.csv"
    leftover.touch()
    Results(results.path)
    assert not leftover.exists()
