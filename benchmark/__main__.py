"""``python -m benchmark``: run, report, register, repeats, study, trust, weights and demo."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from benchmark.demo import demo
from benchmark.metrics.perception import download_weights
from benchmark.register import register
from benchmark.repeats import repeats
from benchmark.report import write_report
from benchmark.run import run_benchmark
from benchmark.study import study
from packages.cli import STATUS_FAILED_CHECK, console
from packages.cli import run as run_app

app = App(name="python -m benchmark", help="Compare restoration packages with each other.")
app.command(demo)
app.command(register)
app.command(repeats)
app.command(study)
app.command(
    "benchmark.trust.run:trust_packages",
    name="trust",
    help="Test on phantoms of exactly known truth what packages may be trusted with.",
)


@app.command
def run(
    packages: list[Path] | None = None,
    /,
    *,
    data: Annotated[list[Path], Parameter(consume_multiple=True, negative=())],
    out: Path,
    trust: bool = False,
    controls: bool = True,
) -> int:
    """Score packages and controls on datasets.

    What an earlier run into the same folder scored is not computed again, unless the package, the
    image or the benchmark changed.

    Parameters
    ----------
    packages
        Zips, or folders with an rdf.yaml; without any, the controls are scored alone.
    data
        Dataset folders, folders of images, or images.
    out
        Folder for scores and restored images.
    trust
        Run Python code that packages bring along.
    controls
        Score input, bicubic, Richardson-Lucy and truth beside the packages.
    """
    scores = run_benchmark(packages or [], data, out, trust=trust, controls=controls)
    return STATUS_FAILED_CHECK if scores.run.failures else 0


@app.command
def report(results: Path, /, *, trust_results: Path | None = None) -> None:
    """Write one HTML page, its figures and its tables, about a finished run.

    Parameters
    ----------
    results
        Folder that `run` wrote.
    trust_results
        Folder that `trust` wrote, for a section of what the packages may be trusted with.
    """
    page = write_report(results, trust_results)
    console.print(f"Page written: {page}", soft_wrap=True, highlight=False)


@app.command(name="weights")
def fetch_weights() -> None:
    """Fetch the weights that LPIPS needs, 233 MB, into the cache of torch."""
    download_weights()
    console.print("The weights of LPIPS are there.")


if __name__ == "__main__":
    run_app(app)
