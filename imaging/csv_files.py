"""Tables as CSV that a spreadsheet shows and does not run: see `imaging.formulas`."""

from pathlib import Path
from typing import Any

import pandas as pd

from imaging.files import replacing
from imaging.formulas import guarded, unguarded


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table, whole or not at all; numbers as they are, texts that would run guarded."""
    with replacing(path) as temporary:
        # With this end of a line, each of its characters in a text is quoted.
        table.map(guarded).to_csv(temporary, index=False, lineterminator="\r\n")


def read_csv(path: Path, kinds: dict[str, Any]) -> pd.DataFrame:
    """Read columns of a table that `write_csv` wrote.

    Parameters
    ----------
    path
        The file.
    kinds
        The columns and their types; of `str`, nothing is taken for a missing value.

    Returns
    -------
    DataFrame
        With texts as they were.

    Raises
    ------
    ValueError
        A column is missing, or not of its type.
    """
    texts = [name for name, kind in kinds.items() if kind is str]
    missing = {name: [""] for name in kinds if name not in texts}
    table = pd.read_csv(
        path, dtype=kinds, usecols=list(kinds), keep_default_na=False, na_values=missing
    )
    table[texts] = table[texts].map(unguarded)
    return table
