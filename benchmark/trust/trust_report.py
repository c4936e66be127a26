"""What the trust tests found: one table, figures and verdicts, to be read again by a page."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from benchmark.running.controls import INPUT
from benchmark.trust import shifts
from benchmark.trust.battery import TESTS, VOLUME_TESTS
from benchmark.trust.outcomes import SHIFTS, Outcomes, PhantomTask
from benchmark.trust.values import TrustValue
from imaging.cli import UserError
from imaging.csv_files import read_csv
from imaging.trust_run import TrustRun

COLUMNS = ("package", "test", "condition", "metric", "at_um", "value", "low", "high", "n")
_T = TypeVar("_T")


@dataclass(frozen=True)
class TrustReport:
    """What the trust tests found, for a page.

    Attributes
    ----------
    table
        Columns `COLUMNS`.
    figures
        SVG elements by title.
    run
        What was tested and how, and the verdicts.
    """

    table: pd.DataFrame
    figures: dict[str, str]
    run: TrustRun


def read_findings(out: Path) -> TrustReport:
    """Read what finished trust tests found, from the folder that `trust_packages` wrote.

    Raises
    ------
    UserError
        There are none, they are unfinished, damaged, or another version's.
    """
    run = TrustRun.read(out / TrustRun.FILE)
    if not run.verdicts:
        raise UserError(f"The trust tests in {out} did not finish: give the same command again.")
    figures = {
        title: _read(out / "figures" / f"{name}.svg", _text) for name, title in run.figures.items()
    }
    return TrustReport(_read(out / "trust.csv", _table), figures, run)


def summarise(tasks: Sequence[PhantomTask]) -> pd.DataFrame:
    """Make the table of `COLUMNS` of what was measured of all packages and the input.

    Tasks that failed have no rows.
    """
    rows: list[dict[str, Any]] = []

    def add(package: str, test: str, condition: str, values: Sequence[TrustValue]) -> None:
        where = {"package": package, "test": test, "condition": condition}
        rows.extend({**where, **asdict(value)} for value in values)

    measured = [(task, kept) for task in tasks if (kept := task.kept()) is not None]
    for task, kept in measured:
        psf_fwhm_um = float(task.phantoms.dataset.items[0].microscope["psf_fwhm_um"])
        for test in TESTS:
            if not (outcomes := kept.table(test.name)).empty:
                values = test.summarise(outcomes, psf_fwhm_um)
                add(task.method.name, test.name, task.phantoms.plan.condition, values)
        for test in VOLUME_TESTS:
            if not (outcomes := kept.table(test.name)).empty:
                values = test.summarise(outcomes)
                add(task.method.name, test.name, task.phantoms.plan.condition, values)
    for name in dict.fromkeys(task.method.name for task in tasks):
        found = shifts.summarise(_shifts_of(name, measured), _shifts_of(INPUT, measured))
        for condition, values in found.items():
            add(name, SHIFTS, condition, values)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _read(file: Path, how: Callable[[Path], _T]) -> _T:
    try:
        return how(file)
    except (OSError, ValueError) as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise UserError(f"{file} {what}: give the command of the trust tests again.") from error


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _table(file: Path) -> pd.DataFrame:
    """Read the table; ValueError where it is not one of `COLUMNS`."""
    kinds = dict.fromkeys(COLUMNS[:4], str) | dict.fromkeys(COLUMNS[4:-1], float) | {"n": int}
    return read_csv(file, kinds)


def _shifts_of(
    package: str, measured: Sequence[tuple[PhantomTask, Outcomes]]
) -> dict[str, pd.DataFrame]:
    return {
        task.phantoms.plan.title: outcomes
        for task, kept in measured
        if task.method.name == package and not (outcomes := kept.table(SHIFTS)).empty
    }
