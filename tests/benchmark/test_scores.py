import json
import math
from pathlib import Path

import pandas as pd
import pytest

from benchmark.scores import COLUMNS, Cell, Failure, Place, Results, read_scores
from packages.cli import UserError

PLACE = Place("care", "cells", "0001")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def test_a_cell_comes_back_as_it_was_kept(results: Results) -> None:
    cell = Cell({"package": "abc"}, {"psnr": math.inf, "ssim": 0.5}, {"lpips": "No weights."})
    results.keep(PLACE, cell)
    assert results.find(PLACE) == cell


def test_a_cut_off_cell_counts_as_absent(results: Results) -> None:
    results.keep(PLACE, Cell({"package": "abc"}))
    file = results.cell_file(PLACE)
    file.write_text(file.read_text()[:10])
    assert results.find(PLACE) is None


def test_nan_cannot_be_kept(results: Results) -> None:
    with pytest.raises(ValueError, match="NaN"):
        results.keep(PLACE, Cell({}, {"ssim": math.nan}))
    assert results.find(PLACE) is None


def test_discarding_takes_the_prediction_along(results: Results) -> None:
    results.keep(PLACE, Cell({}))
    prediction = results.prediction_file(PLACE)
    prediction.parent.mkdir(parents=True)
    prediction.write_bytes(b"")
    results.discard(PLACE)
    assert results.find(PLACE) is None
    assert not prediction.exists()


def test_the_table_is_tidy_and_ordered(results: Results) -> None:
    places = [Place("b", "d", "1"), Place("a", "d", "2"), Place("a", "d", "1")]
    results.begin({})
    for place in places:
        results.keep(place, Cell({}, {"ssim": 1.0, "psnr": 2.0}))
    table = results.finish({}, places, []).table
    assert tuple(table.columns) == COLUMNS
    assert list(table.itertuples(index=False, name=None)) == sorted(
        (p.package, p.dataset, p.image, m, v)
        for p in places
        for m, v in (("psnr", 2.0), ("ssim", 1.0))
    )


def test_parquet_and_csv_hold_the_same(results: Results) -> None:
    results.begin({})
    results.keep(PLACE, Cell({}, {"psnr": math.inf, "ssim": 1 / 3}))
    results.finish({}, [PLACE], [])
    csv = pd.read_csv(results.path / "scores.csv", dtype={"image": str})
    pd.testing.assert_frame_equal(csv, read_scores(results.path).table, check_dtype=False)


def test_a_missing_value_is_a_reason_and_never_a_number(results: Results) -> None:
    results.begin({})
    results.keep(PLACE, Cell({}, {"ssim": 0.5}, {"lpips": "No weights, alas."}))
    results.finish({}, [PLACE], [])
    scores = read_scores(results.path)
    assert list(scores.table["metric"]) == ["ssim"]
    assert list(scores.not_applicable["reason"]) == ["No weights, alas."]


def test_failures_are_facts(results: Results) -> None:
    results.begin({"seed": 0})
    results.finish({"seed": 0}, [PLACE], [Failure(PLACE, "It broke.")])
    expected = {"package": "care", "dataset": "cells", "image": "0001", "reason": "It broke."}
    assert read_scores(results.path).facts["failures"] == [expected]


def test_cells_that_were_not_asked_for_stay_out(results: Results) -> None:
    results.keep(Place("old", "cells", "0001"), Cell({}, {"ssim": 0.5}))
    results.begin({})
    assert results.finish({}, [PLACE], []).table.empty


def test_results_of_another_schema_are_refused(results: Results) -> None:
    results.begin({})
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
    results.begin({})
    (results.path / "run.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        Results(results.path)


def test_reading_an_unfinished_run_is_refused(results: Results) -> None:
    results.begin({})
    with pytest.raises(UserError, match="did not finish"):
        read_scores(results.path)


def test_a_new_run_takes_the_old_table_away(results: Results) -> None:
    results.begin({})
    results.finish({}, [], [])
    results.begin({})
    with pytest.raises(UserError, match="did not finish"):
        read_scores(results.path)


def test_reading_from_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no results"):
        read_scores(tmp_path)


def test_leftovers_of_killed_processes_are_removed(results: Results) -> None:
    results.begin({})
    leftover = results.path / ".999999999.scores.csv"
    leftover.touch()
    Results(results.path)
    assert not leftover.exists()
