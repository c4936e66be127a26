"""Findings are read again, or refused in a sentence."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmark.trust.findings import COLUMNS, SCHEMA, read_findings
from imaging.trust_run import TrustRun
from packages.cli import UserError
from packages.files import write_json

ROW = ("net", "points", "30 photons", "d50_um", None, float("inf"), 0.4, None, 9)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/points.svg").write_text("<svg></svg>")
    pd.DataFrame([ROW], columns=list(COLUMNS)).to_csv(tmp_path / "trust.csv", index=False)
    verdicts = [{"package": "net", "sentence": "splits nothing", "faults": []}]
    facts = {"schema": SCHEMA, "verdicts": verdicts, "figures": {"points": "Two points"}}
    write_json(tmp_path / "trust.json", facts)
    return tmp_path


def remove(name: str) -> Callable[[Path], None]:
    return lambda results: (results / name).unlink()


def cut(name: str, characters: int) -> Callable[[Path], object]:
    return lambda results: (results / name).write_text((results / name).read_text()[:characters])


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda results: (results / name).write_bytes(content)


def test_what_was_found_is_read(results: Path) -> None:
    findings = read_findings(results)
    (row,) = findings.table.to_dict("records")
    assert (row["package"], row["value"], row["n"]) == ("net", float("inf"), 9)
    assert findings.figures == {"Two points": "<svg></svg>"}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove("trust.csv"), r"trust\.csv is missing: give the command of the trust tests again"),
        (write("trust.csv", b""), r"trust\.csv cannot be read: give the command"),
        (write("trust.csv", b"a,b\n1,2\n"), r"trust\.csv cannot be read"),
        (write("trust.csv", b"\xff\xfe\x00"), r"trust\.csv cannot be read"),
        (cut("trust.csv", -5), r"trust\.csv cannot be read"),  # its last line lost its end
        (remove("figures/points.svg"), r"points\.svg is missing"),
        (remove("trust.json"), "holds no trust tests"),
        (write("trust.json", b"{"), "cannot be read"),
    ],
)
def test_what_is_gone_or_damaged_is_refused_in_a_sentence(
    results: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(results)
    with pytest.raises(UserError, match=sentence):
        read_findings(results)


def test_model_cards_read_the_schema_that_is_written() -> None:
    assert TrustRun.SCHEMA == SCHEMA
