"""Records that somebody edited by hand: a sentence that names the file and the entry."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from benchmark.trust.outcomes import Outcomes
from imaging.adaptation import Adaptation
from imaging.benchmark_run import BenchmarkRun
from imaging.cli import UserError
from imaging.dataset_facts import Facts
from imaging.files import read_toml
from imaging.record import Record
from imaging.training_metadata import Lineage
from imaging.trust_run import TrustRun
from packages.predict import RestoredFiles
from packages.publish_toml import Publication
from simulation.microscope import Microscope
from tests import records
from tests.benchmark.trust.records import trust_run
from tests.trained import trained_weights
from training.run_record import TrainingRun

REQUEST = trained_weights(nn.Conv2d(1, 1, 3), "care", {"filters": 8}).metadata.request
RUN = records.run([records.package("care")], [records.dataset("cells", records.image("1"))])
LINEAGE = Lineage("CARE", "care", "0.1.0", "0" * 64, "cells", "1" * 64)
KINDS: tuple[type[Record], ...] = (BenchmarkRun, TrustRun, TrainingRun, Outcomes, Adaptation)


@dataclass(frozen=True)
class Example:
    """A record, a number in it and a table in it, each by the keys that lead there."""

    record: Record
    number: tuple[str | int, ...]
    table: tuple[str | int, ...]


EXAMPLES = {
    "benchmark": Example(RUN, ("seed",), ("versions",)),
    "trust": Example(
        trust_run({"net": "1" * 64}, "splits nothing", "bridges gaps"), ("photons", 0), ("figures",)
    ),
    "training": Example(TrainingRun(REQUEST, {"torch": "2"}), ("request", "seed"), ("request",)),
    "adaptation": Example(Adaptation("adapt", LINEAGE, {"stack": "2" * 64}), (), ("real",)),
    "outcomes": Example(Outcomes({"trust": "1"}, {"points": [{"d": 1.0}]}), (), ("outcomes",)),
}
WITH_NUMBERS = [name for name, example in EXAMPLES.items() if example.number]
EACH = pytest.mark.parametrize("name", EXAMPLES)


def refused(path: Path, kind: type[Record]) -> str:
    with pytest.raises(UserError) as caught:
        kind.read(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


@pytest.fixture
def file(name: str, tmp_path: Path) -> Path:
    EXAMPLES[name].record.write(tmp_path / "record.json")
    return tmp_path / "record.json"


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def put(content: Any, keys: tuple[str | int, ...], value: object) -> None:
    for key in keys[:-1]:
        content = content[key]
    content[keys[-1]] = value


def test_every_kind_of_record_has_an_example() -> None:
    assert {type(example.record) for example in EXAMPLES.values()} == {*KINDS}
    assert {*Record.__subclasses__(), *BenchmarkRun.__subclasses__()} == {*KINDS}


@EACH
def test_what_was_not_changed_is_read(name: str, file: Path) -> None:
    record = EXAMPLES[name].record
    assert type(record).read(file) == record


@EACH
@pytest.mark.parametrize(
    "spoil",
    [lambda text: text[:-10], lambda text: b"\xff" + text, lambda _: b"", lambda _: b"[" * 10**5],
    ids=["truncated", "not UTF-8", "empty", "endless"],
)
def test_what_is_no_json_is_refused(name: str, file: Path, spoil: Callable[[bytes], bytes]) -> None:
    file.write_bytes(spoil(file.read_bytes()))
    assert "cannot be read" in refused(file, type(EXAMPLES[name].record))


@EACH
@pytest.mark.parametrize("schema", [99, None, "1"])
def test_another_schema_is_refused(name: str, file: Path, schema: object) -> None:
    changed(file, lambda content: content.update(schema=schema))
    assert f"is in schema {schema}" in refused(file, type(EXAMPLES[name].record))


@EACH
def test_a_list_is_no_record(name: str, file: Path) -> None:
    file.write_text("[]")
    assert "is in schema None" in refused(file, type(EXAMPLES[name].record))


@EACH
def test_an_unknown_entry_is_named(name: str, file: Path) -> None:
    changed(file, lambda content: content.update(colour=1))
    assert "there is no entry 'colour'" in refused(file, type(EXAMPLES[name].record))


@EACH
def test_a_missing_entry_is_named(name: str, file: Path) -> None:
    first = {"outcomes": "computed_for", "adaptation": "package"}.get(name, "versions")
    changed(file, lambda content: content.pop(first))
    assert f"entry '{first}' is missing" in refused(file, type(EXAMPLES[name].record))


@EACH
@pytest.mark.parametrize("value", [[], "text", 1, [1] * 1000])
def test_what_is_no_table_is_named(name: str, file: Path, value: object) -> None:
    where = EXAMPLES[name].table
    changed(file, lambda content: put(content, where, value))
    sentence = refused(file, type(EXAMPLES[name].record))
    assert f"entry '{'.'.join(map(str, where))}'" in sentence
    assert len(sentence) < len(str(file)) + 200


@pytest.mark.parametrize("name", WITH_NUMBERS)
@pytest.mark.parametrize("value", ["3", "three", None, [], float("nan"), True])
def test_what_is_no_number_is_named(name: str, file: Path, value: object) -> None:
    where = EXAMPLES[name].number
    changed(file, lambda content: put(content, where, value))
    sentence = refused(file, type(EXAMPLES[name].record))
    assert f"entry '{'.'.join(map(str, where))}'" in sentence


@pytest.mark.parametrize("kind", [Facts, Microscope, Publication, RestoredFiles])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff", "is not a TOML file"),
        (b"name = ", "is not a TOML file"),
        (b"colour = 1", "there is no entry 'colour'"),
    ],
)
def test_toml_that_cannot_be_read_is_refused(
    tmp_path: Path, kind: type[object], content: bytes, why: str
) -> None:
    file = tmp_path / "file.toml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{re.escape(str(file))}.*{why}"):
        read_toml(file, kind)
