import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.comparison.summary import Summary, summarise
from benchmark.page.tables import COLUMNS, escape, latex, tidy, write_tables
from tests import records

IMAGES = [f"{i:02}" for i in range(12)]
NOISE = np.random.default_rng(0).normal(0, 2, len(IMAGES))


def summarised(values: dict[tuple[str, str], np.ndarray], images_per_source: int = 1) -> Summary:
    table = pd.DataFrame(
        [
            (package, "d", image, metric, value)
            for (package, metric), scores in values.items()
            for image, value in zip(IMAGES[-len(scores) :], scores, strict=True)
        ],
        columns=["package", "dataset", "image", "metric", "value"],
    )
    names = dict.fromkeys([*(package for package, _ in values), "broken"])
    packages = [records.package(name) for name in names]
    absent = pd.DataFrame(columns=["package", "dataset", "image", "metric", "reason"])
    sources = {image: f"{i // images_per_source}" for i, image in enumerate(IMAGES)}
    return summarise(packages, table, absent, sources)


def summary(lacking: int = 0) -> Summary:
    """Summarise two packages, of which the better lacks some images."""
    return summarised(
        {
            ("care_0", "si_psnr_a"): 30 + NOISE[lacking:],
            ("hdn & co", "si_psnr_a"): 29 + NOISE,
            ("care_0", "seconds_per_megapixel"): 1 + abs(NOISE),
        }
    )


def close() -> Summary:
    """Summarise two packages of which now one, now the other is ahead."""
    scores = {("care_0", "si_psnr_a"): 30 + NOISE, ("hdn & co", "si_psnr_a"): 30 - NOISE}
    return summarised(scores, images_per_source=2)


def test_the_tidy_table_has_means_intervals_and_places() -> None:
    rows: dict[tuple[str, str], dict[Any, Any]] = {
        (row["package"], row["metric"]): row for row in tidy(summary()).to_dict("records")
    }
    first = rows["care_0", "si_psnr_a"]
    assert np.isclose(first["mean"], 30 + NOISE.mean())
    assert first["low"] < first["mean"] < first["high"]
    assert (first["place"], first["place_low"], first["place_high"]) == (1, 1, 1)
    assert first["ahead"]
    assert not rows["hdn & co", "si_psnr_a"]["ahead"]
    assert rows["care_0", "seconds_per_megapixel"]["place"] is None


def test_the_tidy_table_says_what_its_values_are() -> None:
    row = tidy(close()).to_dict("records")[0]
    names = ("package", "kind", "metric", "unit", "direction")
    assert [row[name] for name in names] == ["care_0", "package", "si_psnr_a", "dB", "higher"]
    assert (row["images"], row["sources"]) == (12, 6)
    assert (row["place_low"], row["place_high"]) == (1, 2)


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    write_tables(tmp_path, "d", "d", summary())
    kept = pd.read_parquet(tmp_path / "d.parquet")
    read = pd.read_csv(tmp_path / "d.csv", keep_default_na=False, na_values=[""])
    read["unit"] = read["unit"].fillna("")
    pd.testing.assert_frame_equal(read.astype(kept.dtypes.to_dict()), kept)


def test_names_that_a_spreadsheet_would_run_are_guarded(tmp_path: Path) -> None:
    scores = {("=care", "si_psnr_a"): 30 + NOISE, ("-hdn", "si_psnr_a"): 29 + NOISE}
    write_tables(tmp_path, "d", "d", summarised(scores))
    table = pd.read_csv(tmp_path / "d.csv")
    assert set(table["package"]) == {"'=care", "'-hdn"}
    (test,) = pd.read_csv(tmp_path / "d.tests.csv").to_dict("records")
    assert (test["leader"], test["other"]) == ("'=care", "'-hdn")


def test_latex_has_as_many_cells_in_every_row_and_marks_who_is_ahead() -> None:
    text = latex("d_1", summary())
    assert r"on d\_1:" in text
    assert re.search(r"^care\\_0 & \\textbf\{", text, re.MULTILINE)
    assert r"hdn \& co & 2" in text
    assert "broken & n/a" in text
    for block in text.split(r"\begin{tabular}")[1:]:
        columns = len(block[block.index("{l") + 1 : block.index("}")])
        rows = re.findall(r"^(.*) \\\\$", block, re.MULTILINE)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {columns - 1}
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 2


def test_where_the_better_package_lacks_images_no_table_says_that_anyone_is_ahead() -> None:
    found = summary(lacking=2)
    assert not tidy(found)["ahead"].any()
    assert r"\textbf" not in latex("d", found)


def test_latex_says_over_how_many_images_a_mean_is_that_lacks_some() -> None:
    lacking, whole = latex("d", summary(lacking=2)), latex("d", summary())
    assert re.search(r"^care\\_0 & [\d.]+\\textsuperscript\{10/12\} ", lacking, re.MULTILINE)
    assert ("raised:" in lacking, "raised:" in whole) == (True, False)


def test_every_special_character_is_escaped() -> None:
    printed = re.sub(r"\\textbackslash\{\}|\\text\w+\{\}|\\[&%$#_{}]", "", escape(r"a\b&%$#_{}~^"))
    assert printed == "ab"
    assert escape("−0.5 – 1\u00a0µm") == r"$-$0.5 -- 1~\textmu{}m"


def test_a_dataset_without_any_score_has_an_empty_table() -> None:
    nothing = pd.DataFrame(columns=["package", "dataset", "image", "metric", "value"])
    absent = pd.DataFrame(columns=["package", "dataset", "image", "metric", "reason"])
    packages = [records.package("broken")]
    table = tidy(summarise(packages, nothing, absent, {"00": "00"}))
    assert table.empty
    assert list(table.columns) == list(COLUMNS)


def test_the_paired_tests_are_a_file(tmp_path: Path) -> None:
    write_tables(tmp_path, "d", "d", summary())
    (row,) = pd.read_csv(tmp_path / "d.tests.csv").to_dict("records")
    assert (row["metric"], row["leader"], row["other"]) == ("si_psnr_a", "care_0", "hdn & co")
    assert np.isclose(row["lead"], 1)
    assert row["effect"] == 1
    assert row["p"] < 0.05


def test_a_lead_lies_in_its_interval(tmp_path: Path) -> None:
    write_tables(tmp_path, "d", "d", close())
    (row,) = pd.read_csv(tmp_path / "d.tests.csv").to_dict("records")
    assert row["low"] < row["lead"] < row["high"]
