"""A finished run as it is read back: its record and its tables."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from pyarrow import ArrowInvalid

from imaging.benchmark_run import BenchmarkRun
from imaging.cli import UserError
from imaging.csv_files import read_csv
from imaging.scores import COLUMNS, PLACE, PLANE_COLUMNS, REASON_COLUMNS

SCORES = "scores.parquet"
NOT_APPLICABLE = "not_applicable.csv"
"""The last table that a run writes."""
PLANES = "planes.csv"


def _no_planes() -> pd.DataFrame:
    return pd.DataFrame(columns=list(PLANE_COLUMNS))


@dataclass(frozen=True)
class Scores:
    """What a finished run found.

    Attributes
    ----------
    run
        What was run on what.
    table
        Columns `imaging.scores.COLUMNS`.
    not_applicable
        Columns `imaging.scores.REASON_COLUMNS`.
    planes
        Columns `imaging.scores.PLANE_COLUMNS`; no rows where nothing is a volume.
    """

    run: BenchmarkRun
    table: pd.DataFrame
    not_applicable: pd.DataFrame
    planes: pd.DataFrame = field(default_factory=_no_planes)


def read_scores(folder: Path) -> Scores:
    """Read what a finished run wrote.

    Parameters
    ----------
    folder
        That ``python -m benchmark run`` wrote.

    Returns
    -------
    Scores
        Its record and its tables.

    Raises
    ------
    UserError
        No results there, an unfinished run, another version's, or something is damaged.
    """
    run = BenchmarkRun.read(folder / BenchmarkRun.FILE)
    if not (folder / NOT_APPLICABLE).exists():
        raise UserError(f"The run in {folder} did not finish: give the same command again.")
    words: dict[str, type] = dict.fromkeys(REASON_COLUMNS, str)
    of_planes = dict.fromkeys((*PLACE, "metric"), str) | {"plane": int}
    of_planes |= dict.fromkeys(("depth_um", "value"), float)
    again = "give the same command of `benchmark run` again, which computes only what is missing"
    try:
        absent = read_csv(folder / NOT_APPLICABLE, words)
        table = pd.read_parquet(folder / SCORES, columns=list(COLUMNS))
        file = folder / PLANES
        planes = read_csv(file, of_planes) if file.exists() else _no_planes()
    except (ArrowInvalid, LookupError, ValueError, OSError) as error:
        raise UserError(f"The tables in {folder} are missing or damaged: {again}.") from error
    known = {(dataset.name, image.name) for dataset in run.datasets for image in dataset.images}
    for dataset, image in table[["dataset", "image"]].drop_duplicates().itertuples(index=False):
        if (dataset, image) not in known:
            raise UserError(
                f"{folder / SCORES} holds scores of image '{image}' of '{dataset}', and "
                f"{BenchmarkRun.FILE} knows no such image: {again}."
            )
    return Scores(run, table, absent, planes)
