"""``benchmark compare``: the means of two runs side by side, or why they do not compare."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from benchmark.comparison.comparable import Pair, shared_datasets, why_not_comparable
from benchmark.comparison.comparisons import TRUTH
from benchmark.comparison.levels import estimate_means
from benchmark.page.protocol_told import SHOWN, as_words
from imaging.cli import STATUS_FAILED_CHECK, UserError, console
from imaging.results import Scores, read_scores

__all__ = ["compare"]


def compare(first: Path, second: Path) -> int:
    """Print the means of two runs on the datasets that both have, or why they do not compare.

    Parameters
    ----------
    first, second
        Folders that ``python -m benchmark run`` wrote.

    Returns
    -------
    int
        0, or 1 where scores on some dataset do not compare.

    Raises
    ------
    UserError
        One is no finished run, or they have no dataset in common.
    """
    runs = read_scores(first), read_scores(second)
    pairs = shared_datasets(runs[0].run, runs[1].run)
    if not pairs:
        raise UserError(
            f"{first} and {second} have no dataset in common, neither by its protocol nor by its "
            "name: run both on the same one."
        )
    names = (str(first), str(second))
    status = 0
    for pair in pairs:
        reasons = why_not_comparable(pair, runs[0].run, runs[1].run, names)
        stated = f" ({pair[0].protocol})" if pair[0].protocol else ""
        verdict = "scores do not compare" if reasons else "scores compare"
        console.print(f"{pair[0].name}{stated}: {verdict}.", highlight=False, soft_wrap=True)
        for reason in reasons:
            console.print(f"  {reason}", highlight=False, markup=False, soft_wrap=True)
        if reasons:
            status = STATUS_FAILED_CHECK
        else:
            console.print(_table(pair, runs, names))
    return status


def _table(pair: Pair, runs: Sequence[Scores], names: Sequence[str]) -> Table:
    """Put packages of both runs into one table, and the controls of the first."""
    table = Table("package", "run", *(f"{column.label} {column.arrow}" for column in SHOWN))
    for number, (dataset, scores, name) in enumerate(zip(pair, runs, names, strict=True)):
        here = scores.table[scores.table["dataset"] == dataset.name]
        means = estimate_means(here, {image.name: image.source for image in dataset.images})
        controls = {package.name for package in scores.run.packages if package.control}
        for package in dict.fromkeys(package for package, _ in means):
            if package == TRUTH or (number and package in controls):
                continue
            found = (as_words(column, means.get((package, column.metric))) for column in SHOWN)
            cells = (f"{mean} ({interval})" if interval else mean for mean, interval in found)
            table.add_row(package, name, *cells)
    return table
