import pandas as pd
import pytest
from scipy import ndimage

from benchmark.objects.measure import Measured, measure_objects
from benchmark.objects.values import (
    COLUMNS,
    SENSITIVITY_COLUMNS,
    place_table,
    sensitivity_table,
    summary_table,
)
from benchmark.running.cell import CellFiles
from tests import records
from tests.benchmark.objects import planted


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("values")
    mask = (planted.truth()[0] == 1).astype(int)
    dataset, results = planted.dataset(folder, mask=mask), CellFiles(folder / "results")
    planted.restore(results, ndimage.gaussian_filter(planted.recorded(), (0, 1, 1)))
    return measure_objects(dataset, [records.package("net")], results)


@pytest.fixture(scope="module")
def table(measured: Measured) -> pd.DataFrame:
    return summary_table("day", measured)


def test_every_measure_of_every_package_has_a_row(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(["dataset", "shape", "kind", "package", "measure"]).any()
    found = table.groupby("shape")["measure"].agg(set).to_dict()
    assert found == {
        "points": {"detectability", "contrast", "kept", "false", "position"},
        "lines": {"continuity", "breaks"},
        "masks": {"separation", "contrast"},
    }
    assert set(table["package"]) == {"input", "net"}


def test_only_packages_have_a_lead(table: pd.DataFrame) -> None:
    has_lead = table["lead"].notna() | (table["measure"] == "position")
    assert has_lead[table["package"] == "net"].all()
    assert table.loc[table["package"] == "input", "lead"].isna().all()


def test_the_lead_is_the_difference(table: pd.DataFrame) -> None:
    value = table.pivot_table(index=["shape", "measure"], columns="package", values="value")
    lead = table[table["package"] == "net"].set_index(["shape", "measure"])["lead"].dropna()
    difference = (value["net"] - value["input"])[lead.index]
    assert difference.to_numpy() == pytest.approx(lead.to_numpy(), abs=1e-12)


def test_sensitivity_has_a_row_for_every_definition(measured: Measured) -> None:
    table = sensitivity_table(measured)
    assert tuple(table.columns) == SENSITIVITY_COLUMNS
    assert table.groupby(["package", "choice"]).size().to_dict() == {
        (package, choice): count
        for package in ("input", "net")
        for choice, count in (("search, µm", 5), ("disc, µm", 3), ("relative to", 3))
    }


def test_the_default_definition_is_that_of_the_table(
    measured: Measured, table: pd.DataFrame
) -> None:
    by_definition = sensitivity_table(measured)
    default = by_definition[by_definition["is"].isin(["0.4", "0.25", "the line"])]
    default = default[default["choice"].ne("disc, µm") | default["is"].eq("0.25")]
    said = table[table["measure"] == "detectability"].set_index("package")["value"]
    for row in default.to_dict("records"):
        assert row["detectability"] == said[row["package"]]


def test_places_are_those_of_all_kinds(measured: Measured) -> None:
    assert len(place_table(measured)) == 2 * (30 + 300)
