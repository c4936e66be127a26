"""A folder of results: cells while a run lasts, one tidy table when it is done.

::

    RESULTS/
      run.json                                  what was run on what
      scores.parquet, scores.csv                package, dataset, image, metric, value
      not_applicable.csv                        package, dataset, image, metric, reason
      planes.csv                                package, dataset, image, metric, plane, depth_um,
                                                value: of volumes, see `benchmark.running.cell`
      objects.csv                               of `report`, on images with annotations: see
                                                `benchmark.objects.values`
      cells/, predictions/, repeats/            see `benchmark.running.cell`
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmark.running.cell import CellFiles, CellKey
from imaging.benchmark_run import BenchmarkRun, FailedCell
from imaging.cli import UserError
from imaging.csv_files import write_csv
from imaging.files import remove_abandoned, replacing
from imaging.results import NOT_APPLICABLE, PLANES, SCORES, Scores
from imaging.scores import COLUMNS, PLANE_COLUMNS, REASON_COLUMNS

OBJECTS = "objects.csv"
_CSV = "scores.csv"
_BEGUN = re.compile(rf"\.\d+\.{re.escape(BenchmarkRun.FILE)}")  # what a run killed at once leaves


class Results(CellFiles):
    """A results folder.

    Parameters
    ----------
    path
        An absent or empty folder, or one that an earlier run made.

    Raises
    ------
    UserError
        The folder holds something else, or results of another version of this program.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file: give a folder for the results.")
        if self._record.exists():
            BenchmarkRun.read(self._record)
            remove_abandoned(path.rglob(".*"))
        elif path.exists() and any(not _BEGUN.fullmatch(file.name) for file in path.iterdir()):
            raise UserError(
                f"{path} is neither empty nor a folder of results (it has no {BenchmarkRun.FILE}): "
                "choose another folder."
            )

    @property
    def _record(self) -> Path:
        return self.path / BenchmarkRun.FILE

    def begin(self, run: BenchmarkRun) -> None:
        """Write down what is run on what; the tables of an earlier run go.

        Parameters
        ----------
        run
            Without failures.
        """
        for name in (SCORES, _CSV, PLANES, NOT_APPLICABLE, OBJECTS):
            (self.path / name).unlink(missing_ok=True)
        run.write(self._record)

    def finish(
        self, run: BenchmarkRun, places: Iterable[CellKey], failures: Iterable[FailedCell]
    ) -> Scores:
        """Merge the cells of a run into its table.

        Parameters
        ----------
        run
            As given to `begin`.
        places
            The cells the run asked for, in any order; those of their samples come along, cells of
            other runs stay out of the table.
        failures
            Those among them that have no cell.

        Returns
        -------
        Scores
            What was written.
        """
        values: list[tuple[str, str, str, str, float]] = []
        reasons: list[tuple[str, str, str, str, str]] = []
        by_plane: list[tuple[str, str, str, str, int, float | None, float]] = []
        for place in (row for asked in places for row in (asked, asked.of_sample)):
            cell = self.find(place)
            if cell is None:
                continue
            where = (place.package, place.dataset, place.image)
            values += [(*where, metric, value) for metric, value in cell.values.items()]
            reasons += [(*where, metric, why) for metric, why in cell.not_applicable.items()]
            by_plane += [
                (*where, metric, z, None if cell.step_um is None else z * cell.step_um, value)
                for metric, of in cell.planes.items()
                for z, value in of
            ]
        table = pd.DataFrame(sorted(values), columns=list(COLUMNS)).astype({"value": "float64"})
        absent = pd.DataFrame(sorted(reasons), columns=list(REASON_COLUMNS))
        planes = pd.DataFrame(
            sorted(by_plane, key=lambda row: row[:5]), columns=list(PLANE_COLUMNS)
        )
        planes = planes.astype({"plane": "int64", "depth_um": "float64", "value": "float64"})
        failed = sorted(failures, key=lambda cell: (cell.package, cell.dataset, cell.image))
        run = replace(run, failures=failed)
        with replacing(self.path / SCORES) as temporary:
            table.to_parquet(temporary, index=False)
        write_csv(self.path / _CSV, table)
        if len(planes):
            write_csv(self.path / PLANES, planes)
        write_csv(self.path / NOT_APPLICABLE, absent)
        run.write(self._record)
        return Scores(run, table, absent, planes)
