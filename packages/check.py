"""Check packages: what `bioimageio test` looks at, and what it does not.

A check is a function from a `Subject` to a `CheckResult`; `SUITE` lists them all.
"""

import math
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import TypeAdapter
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from imaging.cli import STATUS_FAILED_CHECK, UserError, console, progress
from imaging.files import replacing
from imaging.own_process import ProcessEndedError, own_process
from packages.checks import completeness, consumers, contents, numbers, prediction
from packages.checks.subject import CheckResult, Subject
from packages.package import open_package

SUITE: dict[str, Callable[[Subject], CheckResult]] = {
    "bioimageio test, each format": numbers.passes_the_zoos_test,
    "no NaN or Inf": numbers.has_no_nan,
    "formats agree": numbers.formats_agree,
    "tiled equals whole": numbers.tiles_equal_whole,
    "batch of 2 equals 2 of 1": numbers.batch_equals_singles,
    "same input, same bits": numbers.is_deterministic,
    "bioimageio predict": prediction.predicts_whole,
    "bioimageio predict, blocks": prediction.predicts_in_blocks,
    "YAML for older readers": contents.old_readers_can_open,
    "ONNX for older engines": contents.onnx_is_portable,
    "TorchScript opens": contents.torchscript_loads,
    "architecture imports": contents.architecture_is_self_contained,
    "architecture is the room's": contents.architecture_is_the_rooms,
    "what the zoo asks for": contents.has_what_the_zoo_asks,
    "covers": contents.has_good_covers,
    "pixel sizes and halo": contents.has_pixel_size_and_halo,
    "model card": contents.has_model_card,
    "metadata completeness": completeness.states_its_metadata,
    "tolerances": consumers.newer_specs_allow_its_tolerances,
    "TIFF of bioimageio predict": consumers.tiffs_are_images,
    "ilastik": consumers.ilastik_takes_it,
    "deepImageJ": consumers.deepimagej_takes_it,
}
COLOURS = {"passed": "green", "failed": "bold red", "missing": "yellow", "n/a": "dim"}
REPORTED_VERSIONS = ("bioimageio.core", "bioimageio.spec", "torch", "onnx", "onnxruntime")


@dataclass(frozen=True)
class CheckRow:
    """One line of the report: a check, its result, and how long it took."""

    check: str
    result: CheckResult
    seconds: float


@dataclass(frozen=True)
class _Opened:
    """What the report says of a package that could be opened."""

    name: str
    sha256: str


@dataclass(frozen=True)
class PackageReport:
    """All that was found about one package."""

    path: str
    name: str | None
    sha256: str | None
    holds: bool
    rows: list[CheckRow]


@dataclass(frozen=True)
class Report:
    """All that was found, and with which versions."""

    holds: bool
    packages: list[PackageReport]
    versions: dict[str, str]


def check(
    paths: list[Path], *, json: Path | None = None, minutes: float = 10.0, trust: bool = False
) -> int:
    """Check packages and print one table for each.

    Parameters are those of `python -m packages check`, described in its help.

    Returns
    -------
    int
        0 when every check that applies holds for every package, otherwise 1.

    Raises
    ------
    UserError
        The time of a check is none.
    """
    if not 0 < minutes < math.inf:
        raise UserError(f"--minutes {minutes:g} is no time: give minutes above 0.")
    with progress() as bars:
        reports = [_check_one(path, trust, 60 * minutes, bars) for path in paths]
    for report in reports:
        console.print(_table(report))
    holds = all(report.holds for report in reports)
    if json is not None:
        versions = {name: version(name) for name in REPORTED_VERSIONS}
        content = TypeAdapter(Report).dump_json(Report(holds, reports, versions), indent=2)
        with replacing(json) as temporary:
            temporary.write_bytes(content)
    return 0 if holds else STATUS_FAILED_CHECK


def apply(function: Callable[[Subject], CheckResult], subject: Subject) -> CheckResult:
    """Run one check; what it raises is its failure and stops no other check.

    Parameters
    ----------
    function
        The check.
    subject
        The package it looks at.

    Returns
    -------
    CheckResult
        What it found.
    """
    try:
        with warnings.catch_warnings():
            # The libraries' warnings about old formats and their own deprecations say nothing
            # about the package that the checks do not.
            warnings.simplefilter("ignore")
            return function(subject)
    except UserError as error:
        return CheckResult("failed", str(error))
    except Exception as error:
        lines = str(error).strip().splitlines() or ["no reason given"]
        return CheckResult("failed", f"{type(error).__name__}: {lines[0].rstrip('.')}.")


def _check_one(path: Path, trust: bool, limit_s: float, bars: Progress) -> PackageReport:
    """Run all checks of a package; those left when one took its process with it run in another."""
    rows: list[CheckRow] = []
    task = bars.add_task(path.name, total=len(SUITE))
    left = dict(SUITE)
    opened: _Opened | None = None
    while left:
        start = time.perf_counter()
        try:
            with own_process(_serve, path, trust, left) as process:
                answer: _Opened | UserError = process.receive(limit_s)
                if isinstance(answer, UserError):
                    raise answer
                opened = answer
                while left:
                    bars.update(task, description=f"{path.name}: {next(iter(left))}")
                    start = time.perf_counter()
                    row: CheckRow = process.receive(limit_s)
                    rows.append(row)
                    del left[row.check]
                    bars.advance(task)
        except UserError as error:
            rows.append(_failed("opens", str(error), start))
            break
        except ProcessEndedError as how:
            died = next(iter(left)) if opened else "opens"
            rows.append(_failed(died, f"The package's process {how}.", start))
            if opened is None:
                break
            del left[died]
            bars.advance(task)
    if opened is None:
        return PackageReport(str(path), None, None, False, rows)
    return PackageReport(str(path), opened.name, opened.sha256, _hold(rows), rows)


def _serve(
    connection: Connection,
    path: Path,
    trust: bool,
    checks: dict[str, Callable[[Subject], CheckResult]],
) -> None:
    """Open a package and run checks, in a process of their own; send each row when it is done."""
    try:
        with open_package(path, trust=trust) as package, closing(Subject(package)) as subject:
            connection.send(_Opened(package.name, package.sha256))
            for name, function in checks.items():
                start = time.perf_counter()
                result = apply(function, subject)
                connection.send(CheckRow(name, result, round(time.perf_counter() - start, 2)))
    except UserError as error:
        connection.send(error)


def _failed(check: str, why: str, start: float) -> CheckRow:
    return CheckRow(check, CheckResult("failed", why), round(time.perf_counter() - start, 2))


def _hold(rows: list[CheckRow]) -> bool:
    return all(row.result.status != "failed" for row in rows)


def _table(report: PackageReport) -> Table:
    table = Table("check", "result", "detail", "s", title=escape(report.name or report.path))
    for row in report.rows:
        status = row.result.status
        table.add_row(
            row.check, Text(status, COLOURS[status]), Text(row.result.detail), f"{row.seconds:.1f}"
        )
    return table
