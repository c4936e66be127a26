"""What trust tests write down, without having run them."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from benchmark.trust.trust_report import COLUMNS
from imaging.csv_files import write_csv
from imaging.trust_run import TrustRun, Verdict
from tests import records

ROW = ("net", "points", "30 photons", "d50_um", None, 0.5, 0.4, 0.6, 9)


def trust_run(packages: Mapping[str, str], verdict: str, fault: str) -> TrustRun:
    """Return the record of tests that say the same of all packages, given by name and hash."""
    return TrustRun(
        seed=0,
        device="CPU",
        cpu="some",
        system="Linux",
        versions={"numpy": "2"},
        benchmark_sha256="0" * 64,
        packages=[
            records.package(
                name,
                control=name == "input",
                file="" if name == "input" else f"{name}.zip",
                sha256=sha256,
            )
            for name, sha256 in packages.items()
        ],
        datasets=[],
        draws=7,
        photons=[30.0],
        verdicts=[Verdict(name, verdict, (fault,)) for name in packages],
        figures={"points": "Two points"},
    )


def write_results(out: Path, run: TrustRun) -> None:
    """Write a table of one row, a figure and the record."""
    run.write(out / TrustRun.FILE)
    (out / "figures").mkdir()
    (out / "figures/points.svg").write_text("<svg><title>Two points</title></svg>")
    write_csv(out / "trust.csv", pd.DataFrame([ROW], columns=list(COLUMNS)))
