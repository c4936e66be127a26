import pandas as pd
import pytest

from benchmark.comparison.levels import measure_levels, tabulate_levels
from benchmark.comparison.summary import summarise
from imaging.benchmark_run import DatasetEntry
from imaging.bootstrap import estimate_mean
from imaging.protocol import Protocol
from imaging.scores import COLUMNS, REASON_COLUMNS
from tests import records

STATED = Protocol(name="biosr", version=1, split_by="cell", normalisation="none", structure="MT")
# Two cells at two levels, and an image of no level.
VALUES = {"a1": 20.0, "b1": 22.0, "a2": 30.0, "b2": 35.0, "c": 99.0}
TABLE = pd.DataFrame(
    [("net", "d", name, "si_psnr_a", value) for name, value in VALUES.items()],
    columns=list(COLUMNS),
)


def dataset(protocol: Protocol | None = STATED, *, levels: bool = True) -> DatasetEntry:
    shown = [
        records.image(name, source=name[0], level=int(name[1]) if levels and name[1:] else None)
        for name in VALUES
    ]
    return records.dataset("d", *shown, protocol=protocol)


def tabulated(of: DatasetEntry) -> pd.DataFrame:
    sources = {image.name: image.source for image in of.images}
    absent = pd.DataFrame(columns=list(REASON_COLUMNS))
    summary = summarise([records.package("net")], TABLE, absent, sources)
    return tabulate_levels(of, summary, measure_levels(of, TABLE))


def test_each_level_has_the_mean_of_its_images() -> None:
    found = measure_levels(dataset(), TABLE)
    assert list(found) == [1, 2]
    assert found[2] == {("net", "si_psnr_a"): estimate_mean([30.0, 35.0], ["a", "b"])}


def test_nothing_is_measured_where_no_level_is_stated() -> None:
    assert measure_levels(dataset(levels=False), TABLE) == {}


def test_each_row_says_under_which_protocol_it_was_measured() -> None:
    table = tabulated(dataset())
    assert set(table["protocol"]) == {"biosr"}
    assert set(table["structure"]) == {"MT"}
    assert table["level"].tolist() == [pd.NA, 1, 2]
    assert table["mean"].tolist() == pytest.approx([41.2, 21.0, 32.5])


def test_without_protocol_and_levels_there_is_no_table() -> None:
    assert tabulated(dataset(None, levels=False)).empty


def test_levels_alone_are_tabulated_without_a_protocol() -> None:
    table = tabulated(dataset(None))
    assert table["protocol"].isna().all()
    assert len(table) == 3
