import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.page.compare import compare
from imaging.cli import STATUS_FAILED_CHECK, UserError, console


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 200)


def changed(reported: Path, folder: Path, **entries: Any) -> Path:
    """Copy a run whose datasets state something else."""
    folder.mkdir()
    for name in ("run.json", "scores.parquet", "not_applicable.csv"):
        shutil.copy(reported / name, folder / name)
    record = json.loads((folder / "run.json").read_text())
    for dataset in record["datasets"]:
        dataset.update(entries)
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_comparable_runs_stand_in_one_table(
    reported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = changed(reported, tmp_path / "again")
    assert compare(reported, again) == 0
    said = capsys.readouterr().out
    assert "cells & more: scores compare." in said
    lines = [line for line in said.splitlines() if line.startswith("│ net ")]
    assert len(lines) == 2 * 2  # two datasets in two runs
    assert lines[0].count("dB") == 0
    assert " – " in lines[0]


def test_why_runs_do_not_compare_is_said(
    reported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = changed(reported, tmp_path / "other", registration="exact")
    assert compare(reported, other) == STATUS_FAILED_CHECK
    said = capsys.readouterr().out
    assert "cells & more: scores do not compare." in said
    assert f"Registration of the truth is not stated in {reported} and 'exact' in {other}." in said
    assert "│ net " not in said


def test_runs_without_a_common_dataset_are_refused(reported: Path, tmp_path: Path) -> None:
    alone = changed(reported, tmp_path / "alone")
    record = json.loads((alone / "run.json").read_text())
    (alone / "run.json").write_text(json.dumps({**record, "datasets": []}))
    table = pd.read_parquet(alone / "scores.parquet")
    table[:0].to_parquet(alone / "scores.parquet", index=False)
    with pytest.raises(UserError, match="have no dataset in common"):
        compare(reported, alone)
