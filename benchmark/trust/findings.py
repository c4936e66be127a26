"""What the trust tests found: one table, figures and verdicts, to be read again by a page."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from benchmark.controls import INPUT
from benchmark.trust import shifts
from benchmark.trust.battery import TESTS
from benchmark.trust.seen import SHIFTS, Seen, Task
from benchmark.trust.values import Value
from benchmark.trust.verdict import Verdict
from packages.cli import UserError

SCHEMA = 2
COLUMNS = ("package", "test", "condition", "metric", "at_um", "value", "low", "high", "n")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Findings:
    """What the trust tests found, for a page.

    Attributes
    ----------
    table
        Columns `COLUMNS`.
    verdicts
        One of each package, then of each control.
    figures
        SVG elements by title.
    facts
        The content of trust.json.
    """

    table: pd.DataFrame
    verdicts: tuple[Verdict, ...]
    figures: dict[str, str]
    facts: dict[str, Any]


def read_findings(out: Path) -> Findings:
    """Read what finished trust tests found.

    Parameters
    ----------
    out
        The folder that `trust_packages` wrote.

    Returns
    -------
    Findings
        Table, verdicts and figures.

    Raises
    ------
    UserError
        There are none, they are unfinished, damaged, or another version's.
    """
    facts = read_facts(out)
    if not facts.get("verdicts"):
        raise UserError(f"The trust tests in {out} did not finish: give the same command again.")
    verdicts = [Verdict(v["package"], v["sentence"], tuple(v["faults"])) for v in facts["verdicts"]]
    figures = {
        title: _read(out / "figures" / f"{name}.svg", _text)
        for name, title in facts["figures"].items()
    }
    return Findings(_read(out / "trust.csv", _table), tuple(verdicts), figures, facts)


def summarise(tasks: Sequence[Task]) -> pd.DataFrame:
    """Make the table of what was seen.

    Parameters
    ----------
    tasks
        Of all packages and the input; those that failed have no rows.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`.
    """
    rows: list[dict[str, Any]] = []

    def add(package: str, test: str, condition: str, values: Sequence[Value]) -> None:
        where = {"package": package, "test": test, "condition": condition}
        rows.extend({**where, **asdict(value)} for value in values)

    seen = [(task, kept) for task in tasks if (kept := task.kept()) is not None]
    for task, kept in seen:
        psf_fwhm_um = float(task.made.dataset.items[0].microscope["psf_fwhm_um"])
        for test in TESTS:
            if not (outcomes := kept.table(test.name)).empty:
                values = test.summarise(outcomes, psf_fwhm_um)
                add(task.method.name, test.name, task.made.phantoms.condition, values)
    for name in dict.fromkeys(task.method.name for task in tasks):
        found = shifts.summarise(_shifts_of(name, seen), _shifts_of(INPUT, seen))
        for condition, values in found.items():
            add(name, SHIFTS, condition, values)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_facts(out: Path) -> dict[str, Any]:
    """Read what was tested and how; see `read_findings`."""
    file = out / "trust.json"
    if not file.exists():
        raise UserError(f"{out} holds no trust tests: give the folder of `benchmark trust`.")
    try:
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        schema = facts["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} cannot be read: choose another folder.") from error
    if schema != SCHEMA:
        raise UserError(
            f"{out} holds trust tests in schema {schema} and this program writes {SCHEMA}: "
            "choose another folder, or remove that one."
        )
    return facts


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
    return pd.read_csv(file, dtype=kinds, usecols=list(COLUMNS))


def _shifts_of(package: str, seen: Sequence[tuple[Task, Seen]]) -> dict[str, pd.DataFrame]:
    return {
        task.made.phantoms.title: outcomes
        for task, kept in seen
        if task.method.name == package and not (outcomes := kept.table(SHIFTS)).empty
    }
