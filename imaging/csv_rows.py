"""Rows of a CSV file that people wrote: a sentence names the file and the row of what is wrong."""

import csv
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from imaging.cli import UserError
from imaging.formulas import unguarded

__all__ = ["Row", "read_rows"]


@dataclass(frozen=True)
class Row:
    """One row of a file.

    Attributes
    ----------
    path
        The file.
    number
        Its line in the file, where the names of the columns are line 1.
    cells
        What stands in it, by column, without spaces around.
    """

    path: Path
    number: int
    cells: dict[str, str]

    def refusal(self, fault: str) -> UserError:
        """Return the error that says what is wrong in this row, and what to do."""
        return UserError(f"{self.path}, row {self.number}: {fault}")

    def text(self, column: str) -> str:
        """Return a cell that must not be empty."""
        if not self.cells[column]:
            raise self.refusal(f"{column} is empty: fill it in, or remove the row.")
        return self.cells[column]

    def value(self, column: str) -> float:
        """Return a cell that is a finite number."""
        try:
            value = float(self.text(column))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refusal(f"{column} is '{self.cells[column]}', not a number: correct it.")
        return value

    def whole(self, column: str) -> int:
        """Return a cell that is a whole number; 3.0 is one."""
        value = self.value(column)
        if not value.is_integer():
            raise self.refusal(f"{column} is {value:g}, not a whole number: correct it.")
        return int(value)


def read_rows(path: Path, needed: Collection[str] = ()) -> list[Row]:
    """Read a CSV file whose first line names its columns.

    Parameters
    ----------
    path
        The file, of comma-separated values in UTF-8.
    needed
        Columns that it must have.

    Returns
    -------
    list of Row
        Those that are not blank, one at least.

    Raises
    ------
    UserError
        The file is no text, is empty, lacks a column, names one twice, or has a row of another
        length.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: save it as CSV again.") from error
    if not text.strip():
        raise UserError(f"{path} is empty: fill it, or remove it.")
    lines = csv.reader(text.splitlines())
    columns = [name.strip() for name in next(lines, [])]
    for name in needed:
        if name not in columns:
            raise UserError(
                f"{path} has no column '{name}' (it has {', '.join(columns)}): add it, "
                "with commas between columns."
            )
    if len(set(columns)) < len(columns):
        raise UserError(f"{path} has two columns of one name: rename one, or remove it.")
    rows: list[Row] = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        row = Row(path, lines.line_num, dict(zip(columns, map(_cell, cells), strict=False)))
        if len(cells) != len(columns):
            raise row.refusal(
                f"{len(cells)} values stand under {len(columns)} columns: write numbers with a "
                "decimal point, and text with commas in quotes."
            )
        rows.append(row)
    if not rows:
        raise UserError(f"{path} holds no rows: fill it, or remove it.")
    return rows


def _cell(written: str) -> str:
    return unguarded(written.strip())
