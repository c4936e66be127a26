"""Tables as CSV: what a spreadsheet would run is guarded, and comes back as it was."""

import csv
import math
from pathlib import Path

import pandas as pd
import pytest

from imaging.csv_files import read_csv, write_csv

NAMES = ["=1+1", "+1", "-2", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "'=1", "''-1"]


def written(folder: Path, table: pd.DataFrame) -> list[list[str]]:
    write_csv(folder / "table.csv", table)
    with (folder / "table.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))[1:]


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_begins_as_a_formula(tmp_path: Path, name: str) -> None:
    assert written(tmp_path, pd.DataFrame({"name": [name]})) == [[f"'{name}"]]


OTHERS = ["cell", "a=b", "'quoted'", "NA", "1-2", " =1", "µ", "a\r=1", "a\n=1"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_texts_stay_as_they_are(tmp_path: Path, name: str) -> None:
    assert written(tmp_path, pd.DataFrame({"name": [name]})) == [[name]]


def test_negative_numbers_stay_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"value": [-1.5], "count": pd.array([-2], "Int64"), "any": [-3]})
    table["any"] = table["any"].astype(object)
    assert written(tmp_path, table) == [["-1.5", "-2", "-3"]]


@pytest.mark.parametrize("name", [*NAMES, *OTHERS, ""])
def test_a_text_comes_back(tmp_path: Path, name: str) -> None:
    write_csv(tmp_path / "table.csv", pd.DataFrame({"name": [name], "value": [-1.0]}))
    table = read_csv(tmp_path / "table.csv", {"name": str, "value": float})
    assert table["name"].to_list() == [name]


def test_numbers_come_back(tmp_path: Path) -> None:
    values = [-0.1, math.inf, -math.inf, 1e-300]
    write_csv(tmp_path / "table.csv", pd.DataFrame({"value": values}))
    assert read_csv(tmp_path / "table.csv", {"value": float})["value"].to_list() == values


def test_a_missing_number_comes_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", pd.DataFrame({"name": ["a"], "value": [math.nan]}))
    table = read_csv(tmp_path / "table.csv", {"name": str, "value": float})
    assert table["value"].isna().all()


def test_only_columns_asked_for_are_read(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", pd.DataFrame({"name": ["a"], "more": ["b"]}))
    assert list(read_csv(tmp_path / "table.csv", {"name": str}).columns) == ["name"]
