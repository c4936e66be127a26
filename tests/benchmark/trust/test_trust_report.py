"""Findings are read again, or refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.trust.trust_report import read_findings
from imaging.cli import UserError
from imaging.files import write_json
from imaging.trust_run import Verdict
from tests.benchmark.trust.records import trust_run, write_results


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_results(tmp_path, trust_run({"net": "1" * 64}, "splits nothing", "bridges gaps"))
    return tmp_path


def remove(name: str) -> Callable[[Path], None]:
    return lambda results: (results / name).unlink()


def cut(name: str, characters: int) -> Callable[[Path], object]:
    return lambda results: (results / name).write_text((results / name).read_text()[:characters])


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda results: (results / name).write_bytes(content)


def change(entry: str, value: Any) -> Callable[[Path], object]:
    """Give an entry of trust.json another value, or take it away for None."""

    def spoil(results: Path) -> None:
        content = json.loads((results / "trust.json").read_text())
        content.pop(entry, None)
        write_json(results / "trust.json", content | ({} if value is None else {entry: value}))

    return spoil


def test_what_was_found_is_read(results: Path) -> None:
    table = pd.read_csv(results / "trust.csv").assign(value=float("inf"))
    table.to_csv(results / "trust.csv", index=False)
    findings = read_findings(results)
    (row,) = findings.table.to_dict("records")
    assert (row["package"], row["value"], row["n"]) == ("net", float("inf"), 9)
    assert findings.figures == {"Two points": "<svg><title>Two points</title></svg>"}
    assert findings.run.verdicts == [Verdict("net", "splits nothing", ("bridges gaps",))]
    assert findings.run.draws == 7


def test_a_name_that_a_spreadsheet_would_run_is_read_as_it_was(results: Path) -> None:
    text = (results / "trust.csv").read_text()
    (results / "trust.csv").write_text(text.replace("net", "'=net"))
    assert read_findings(results).table["package"].to_list() == ["=net"]


def test_results_of_an_earlier_program_are_read(results: Path) -> None:
    # Before the record was a class: no entry of failed cells, and whole photons may be integers.
    change("failures", None)(results)
    change("photons", [30])(results)
    assert read_findings(results).run == trust_run(
        {"net": "1" * 64}, "splits nothing", "bridges gaps"
    )


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove("trust.csv"), r"trust\.csv is missing: give the command of the trust tests again"),
        (write("trust.csv", b""), r"trust\.csv cannot be read: give the command"),
        (write("trust.csv", b"a,b\n1,2\n"), r"trust\.csv cannot be read"),
        (write("trust.csv", b"\xff\xfe\x00"), r"trust\.csv cannot be read"),
        (cut("trust.csv", -5), r"trust\.csv cannot be read"),  # its last line lost its end
        (remove("figures/points.svg"), r"points\.svg is missing"),
        (remove("trust.json"), "has no trust.json: give the folder that `python -m benchmark"),
        (write("trust.json", b"{"), r"trust\.json cannot be read"),
        (write("trust.json", b"[]"), r"trust\.json is in schema None"),
        (change("schema", 1), r"trust\.json is in schema 1, and this program reads 2"),
        (change("draws", None), r"trust\.json: entry 'draws' is missing; run `python -m"),
        (change("verdicts", None), r"trust\.json: entry 'verdicts' is missing"),
        (change("figurs", {}), r"trust\.json: there is no entry 'figurs'; run"),
        (change("verdicts", [{"package": "net"}]), r"entry 'verdicts\.0\.sentence' is missing"),
        (change("packages", [{}]), r"entry 'packages\.0\.name' is missing"),
        (change("verdicts", []), "did not finish: give the same command again"),
    ],
)
def test_what_is_gone_or_damaged_is_refused_in_a_sentence(
    results: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(results)
    with pytest.raises(UserError, match=sentence):
        read_findings(results)
