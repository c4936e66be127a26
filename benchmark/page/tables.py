"""The summary of a dataset as files: one tidy table, and LaTeX to set in a paper."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from benchmark.comparison.summary import Entry, Family, Summary, SummaryRow
from benchmark.metrics.columns import Column
from benchmark.objects.measure import Measured
from benchmark.objects.values import place_table, sensitivity_table
from imaging.csv_files import write_csv
from imaging.files import replacing

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\u00a0": "~",
    "−": "$-$",
    "–": "--",
    "²": r"\textsuperscript{2}",
    "µ": r"\textmu{}",
    "σ": r"$\sigma$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
}

COLUMNS = (
    *("package", "kind", "metric", "unit", "direction", "mean", "low", "high", "images", "sources"),
    *("ahead", "place", "place_low", "place_high"),
)
TEST_COLUMNS = ("metric", "leader", "other", "lead", "low", "high", "effect", "p")


def write_tables(folder: Path, anchor: str, name: str, summary: Summary) -> None:
    """Write the summary of a dataset as CSV, Parquet and LaTeX, and its paired tests as CSV.

    Files are ANCHOR.csv, ANCHOR.parquet, ANCHOR.tex and ANCHOR.tests.csv.
    """
    table = tidy(summary)
    write_csv(folder / f"{anchor}.csv", table)
    with replacing(folder / f"{anchor}.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    with replacing(folder / f"{anchor}.tex") as temporary:
        temporary.write_text(latex(name, summary), encoding="utf-8")
    write_csv(folder / f"{anchor}.tests.csv", tested(summary))


def write_objects(folder: Path, anchor: str, measured: Measured) -> None:
    """Write what was measured at marked points.

    Files are ANCHOR.objects.csv, of each mark and control point, and ANCHOR.sensitivity.csv, by
    other definitions; see `benchmark.objects.values`. None where no points stand beside lines.
    """
    if measured.points:
        write_csv(folder / f"{anchor}.objects.csv", place_table(measured))
        write_csv(folder / f"{anchor}.sensitivity.csv", sensitivity_table(measured))


def write_levels(folder: Path, anchor: str, measured: pd.DataFrame) -> None:
    """Write means under a protocol and at each level of light as ANCHOR.protocol.csv, if any.

    See `benchmark.comparison.levels.tabulate_levels`.
    """
    if len(measured):
        write_csv(folder / f"{anchor}.protocol.csv", measured)


def tested(summary: Summary) -> pd.DataFrame:
    """Arrange the paired tests of a summary, a row each.

    Columns `TEST_COLUMNS`: low and high are the lead's 95 % interval, effect is the rank-biserial
    correlation, and p is corrected.
    """
    rows = [
        (
            test.column.metric,
            test.leader,
            test.other,
            test.comparison.advantage.mean,
            test.comparison.advantage.low,
            test.comparison.advantage.high,
            test.comparison.effect,
            test.p,
        )
        for test in summary.tests
    ]
    return pd.DataFrame(rows, columns=list(TEST_COLUMNS))


def tidy(summary: Summary) -> pd.DataFrame:
    """Arrange a summary with a row for each package and metric.

    Columns `COLUMNS`: low and high are the mean's 95 % interval; ahead is whoever is ahead of each
    other one, beyond chance, on the images that both have; places are those among who has every
    image, and empty where there is none.
    """
    places = {metric: contest.ranks for metric, contest in summary.contests.items()}
    rows: list[Mapping[str, object]] = []
    for row in summary.rows:
        for column in summary.columns:
            estimate = summary.estimates.get((row.name, column.metric))
            if estimate is None:
                continue
            place = places.get(column.metric, {}).get(row.name)
            rows.append(
                {
                    "package": row.name,
                    "kind": row.kind,
                    "metric": column.metric,
                    "unit": column.unit,
                    "direction": column.direction,
                    "mean": estimate.mean,
                    "low": estimate.low,
                    "high": estimate.high,
                    "images": estimate.images,
                    "sources": estimate.sources,
                    "ahead": summary.best.get(column.metric) == row.name,
                    "place": place.place if place else None,
                    "place_low": place.low if place else None,
                    "place_high": place.high if place else None,
                }
            )
    numbers = dict.fromkeys(("mean", "low", "high"), "float64")
    counts = dict.fromkeys(("place", "place_low", "place_high"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(numbers | counts)


def latex(name: str, summary: Summary) -> str:
    """Write the summary of a dataset as LaTeX that needs the package booktabs only.

    A table for each family of metrics; its caption says what is bold and what is raised.
    """
    return "\n".join(_table(name, family) for family in summary.families)


def escape(text: str) -> str:
    r"""Write text so that LaTeX prints it as it is.

    Examples
    --------
    >>> escape("care_0 & 50 %")
    'care\\_0 \\& 50 \\%'
    """
    return "".join(_SPECIAL.get(character, character) for character in text)


def _table(name: str, family: Family) -> str:
    head = " & ".join(["", *(_heading(column) for column in family.columns)])
    raised = ""
    if any(cell.share for row in family.rows for cell in row.cells):
        raised = "; raised: mean over so many of the images, which does not compare with the others"
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(family.title)} on {escape(name)}: means over images with 95\,\% "
        r"intervals; bold: ahead of each other row but the truth beyond chance, on the images that "
        rf"both have{raised}.}}",
        rf"\begin{{tabular}}{{l{'r' * len(family.columns)}}}",
        r"\toprule",
        rf"{head.strip()} \\",
        r"\midrule",
        *_rows(family),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _heading(column: Column) -> str:
    unit = f", {column.unit}" if column.unit else ""
    return escape(f"{column.label}{unit} {column.arrow}".strip())


def _rows(family: Family) -> Iterator[str]:
    for row in family.rows:
        yield rf"{' & '.join([escape(row.name), *_cells(row, len(family.columns))])} \\"


def _cells(row: SummaryRow, count: int) -> list[str]:
    return [_cell(cell) for cell in row.cells] if row.cells else ["n/a"] * count


def _cell(cell: Entry) -> str:
    text = escape(cell.text)
    if cell.best:
        text = rf"\textbf{{{text}}}"
    if cell.share:
        text += rf"\textsuperscript{{{cell.share}}}"
    return rf"{text} {{\scriptsize ({escape(cell.interval)})}}" if cell.interval else text
