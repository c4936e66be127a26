"""Adapt a package to the microscope of real images that have no truth.

::

    RUN/
      adaptation.json   what was asked for
      microscope.toml   fitted to the real images, with its page microscope.html
      pairs/            simulated with it; their validation images serve for nothing but comparing
      dendrites/        further ones to train on, as every training without data of its own does
      weights/          the run folder of the training that begins with the package's weights
      NAME-adapted.zip  the new package
      views/            parts of the real images
      results/          both packages on the validation images, the views and --data: report.html
      trust/            trust tests of both
"""

import importlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from imaging.adaptation import Adaptation
from imaging.bootstrap import estimate_mean
from imaging.cli import STATUS_ERROR, STATUS_FAILED_CHECK, UserError, command_line, console, counted
from imaging.dataset_facts import Facts, write_facts
from imaging.datasets import new_dataset, open_dataset
from imaging.files import replacing, sha256
from imaging.image_folders import stem
from imaging.images import write
from imaging.remarks import Remarks
from imaging.results import read_scores
from imaging.steps import command, step
from imaging.training_metadata import Settings
from imaging.trust_run import TrustRun
from packages.build import build
from packages.told_data import title_of
from packages.unpack import Unpacked, unpack
from simulation.fitting.command import fit_command
from simulation.fitting.stacks import Stack, common_pixel_size_um, read_stacks
from simulation.microscope import read_microscope
from simulation.psf import Modality
from simulation.simulate import simulate
from training.recipe import Recipe
from training.run import run

DEFAULT_MINUTES = 4.0
_VERB = "python -m training adapt"
_PRESET = "adapted"
_OURS = ("pairs", "views")
_METRIC = "si_psnr_a"
_LEARNING_RATE = 0.25  # of that of a training from random weights
_IMAGES = 100  # generated: 70 to learn from, 10 to calibrate on, 20 to compare on
_DENDRITES = 60  # generated: 42 to learn from
_VIEWS = 3  # planes of the real images that are restored for the page
_VIEW_PX = 512  # the longest side of a view, restored
_DRAWS = 5  # objects in each condition of the trust tests


def adapt(
    package: Path,
    /,
    *,
    real: Sequence[Path],
    out: Path,
    minutes: float = DEFAULT_MINUTES,
    data: Sequence[Path] | None = None,
    pixel_size: float | None = None,
    modality: Modality = "two-photon",
    channel: str | None = None,
    microscope: Path | None = None,
    expanded: Path | None = None,
    expansion: float = 1.0,
    seed: int = 0,
) -> Path:
    """Adapt a package to the microscope of real images, and compare it with what it was.

    Parameters are those of `python -m training adapt`, described in its help.

    Returns
    -------
    Path
        The new package.

    Raises
    ------
    UserError
        A package that cannot be adapted, images to which no microscope can be fitted, or a folder
        with something else.
    """
    if not 0 < minutes < math.inf:
        raise UserError(f"--minutes {minutes:g} is no time to train: give more than 0.")
    old = unpack(package)
    recipe = _recipe(package, old)
    options: dict[str, Path | str | float | None] = {
        "minutes": minutes,
        "pixel_size": pixel_size,
        "modality": modality,
        "channel": channel,
        "microscope": microscope,
        "expanded": expanded,
        "expansion": expansion,
        "seed": seed,
    }
    stacks = read_stacks(real, Remarks(), channel)
    given_um = pixel_size
    if microscope is not None:
        given_um = given_um or read_microscope(microscope).pixel_size_um
    for dataset in map(open_dataset, data or []):
        if dataset.name in _OURS:
            raise UserError(
                f"{dataset.path} is named '{dataset.name}', as a dataset is that is made here: "
                "rename it."
            )
    example = command_line(
        _VERB, str(package), real=str(real[0]), out=str(out), **options | {"pixel_size": 0.1}
    )
    pixel_size_um = common_pixel_size_um(stacks, given_um, example)
    asked = Adaptation(
        command_line(_VERB, package, "--real", *real, **options),
        old.lineage,
        {path.name: sha256(path) for path in real},
    )
    _begin(out, asked)
    fitted = out / "microscope.toml"
    if not fitted.exists():
        with step("Fit the microscope to the real images"):
            if microscope is not None:
                with replacing(fitted) as temporary:
                    temporary.write_bytes(microscope.read_bytes())
            else:
                fit_command(
                    *real,
                    out=fitted,
                    pixel_size=pixel_size,
                    modality=modality,
                    channel=channel,
                    expanded=expanded,
                    expansion=expansion,
                    seed=seed,
                )
    with step("Simulate what it records"):
        pairs = simulate(
            out / "pairs",
            microscope=fitted,
            images=None if expanded else _IMAGES,
            pixel_size=None if expanded else _truth_um(old),
            factor=old.factor,
            expanded=expanded,
            expansion=expansion,
            channel=channel if expanded else None,
            seed=seed,
        )
        also = () if expanded else (_dendrites(out / "dendrites", fitted, old, seed),)
    with step(f"Go on with the training of {package.name} on it"):
        weights = run(
            recipe,
            data=pairs,
            also=also,
            out=out / "weights",
            preset=_PRESET,
            steps=None,
            minutes=minutes,
            seed=seed,
            resume=False,
            origin=old,
        )
    new = out / f"{package.name.removesuffix('.zip')}-adapted.zip"
    if not new.exists():
        with step("Package it"):
            title = title_of(f"{old.lineage.name} adapted to {stem(real[0])}")
            build(old.model.name, checkpoint=weights, out=new, title=title)
    views = out / "views"
    if not views.exists():
        _write_views(views, stacks, pixel_size_um, old.pixel_size_um)
    _compare(out, [package, new], [pairs, views, *(data or [])])
    _say_what_came_of_it(out, new)
    return new


def _recipe(package: Path, old: Unpacked) -> Recipe[nn.Module]:
    """Return the recipe of a package's model, with one preset: a short training of its network."""
    recipe: Recipe[nn.Module] = importlib.import_module(f"training.recipes.{old.model.name}").RECIPE
    try:
        recipe.architecture(**old.arguments).load_state_dict(old.weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"{package}: its weights do not fit {old.model.model_file}, as they are of another "
            "version of that network: build the package again from its training."
        ) from error

    def short(factor: int) -> Settings:
        usual = recipe.presets["small"](factor)
        rate = _LEARNING_RATE * usual.learning_rate
        return replace(usual, network=old.arguments, learning_rate=rate)

    return replace(recipe, presets={_PRESET: short})


def _truth_um(old: Unpacked) -> float | None:
    """Return the side of a pixel of what a package restores, µm."""
    return None if old.pixel_size_um is None else old.pixel_size_um / old.factor


def _dendrites(out: Path, microscope: Path, old: Unpacked, seed: int) -> Path:
    """Simulate what trainings without data of their own learn beside cells."""
    return simulate(
        out,
        microscope=microscope,
        images=_DENDRITES,
        pixel_size=_truth_um(old),
        factor=old.factor,
        structure="dendrites",
        seed=seed,
    )


def _begin(out: Path, asked: Adaptation) -> None:
    """Make sure that the folder is free, or holds this very adaptation."""
    file = out / Adaptation.FILE
    if file.exists():
        if Adaptation.read(file) != asked:
            raise UserError(
                f"{out} holds another adaptation: give the command that stands in {file.name} "
                "there and the same files, or another --out."
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} is neither an empty folder nor one of an adaptation: choose another --out."
        )
    asked.write(file)


def _write_views(
    out: Path, stacks: Sequence[Stack], pixel_size_um: float, restored_um: float | None
) -> None:
    """Write the brightest windows of planes that are spread evenly over all real images.

    `restored_um` is the pixel size of the package, to which it brings them.
    """
    planes = [(stack, number) for stack in stacks for number in range(len(stack.planes))]
    chosen = np.unique(np.linspace(0, len(planes) - 1, _VIEWS + 2).round().astype(int)[1:-1])
    side = max(round(_VIEW_PX * (restored_um or pixel_size_um) / pixel_size_um), 1)
    with new_dataset(out) as temporary:
        for stack, number in (planes[index] for index in chosen):
            view = _brightest(stack.planes[number], side).astype(np.uint16)
            image = xr.DataArray(view, dims=("y", "x"))
            image.attrs["pixel_size_um"] = {"y": pixel_size_um, "x": pixel_size_um}
            write(temporary / "input" / f"{stem(stack.path)}-{number:03d}.tif", image)
        write_facts(temporary, Facts(description="Views of the real images."))


def _brightest(plane: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Cut the window with most light."""
    rows, columns = (min(side, length) for length in plane.shape)
    windows = [
        plane[y : y + rows, x : x + columns]
        for y in range(0, plane.shape[0] - rows + 1, math.ceil(rows / 4))
        for x in range(0, plane.shape[1] - columns + 1, math.ceil(columns / 4))
    ]
    return max(windows, key=np.mean)


def _compare(out: Path, packages: Sequence[Path], data: Sequence[Path]) -> None:
    """Measure both packages and write the page."""
    microscope = out / "microscope.toml"
    photons = f"{np.mean(read_microscope(microscope).photons):.3g}"
    results, trust = out / "results", out / "trust"
    command(
        "Compare both",
        *("benchmark", "run", *packages, "--data", *data, "--out", results),
        failing=(STATUS_FAILED_CHECK,),
    )
    # The phantoms refuse some microscopes, for instance with pixels that are too coarse.
    command(
        "Test on phantoms what both may be trusted with",
        *("benchmark", "trust", *packages, "--out", trust, "--microscope", microscope),
        *("--draws", _DRAWS, "--photons", photons),
        failing=(STATUS_FAILED_CHECK, STATUS_ERROR),
    )
    record = trust / TrustRun.FILE
    tested = record.exists() and TrustRun.read(record).verdicts
    told = ["--trust-results", trust] if tested else []
    command("Write the page", "benchmark", "report", results, *told)


def _say_what_came_of_it(out: Path, new: Path) -> None:
    """Say in a line what both reach on simulated images, and what was made."""
    scores = read_scores(out / "results")
    before, after = (package.name for package in scores.run.packages if not package.control)
    (pairs,) = (dataset for dataset in scores.run.datasets if dataset.name == "pairs")
    sources = {image.name: image.source for image in pairs.images}
    here = scores.table[(scores.table["dataset"] == "pairs") & (scores.table["metric"] == _METRIC)]
    table = here.pivot_table(index="image", columns="package", values="value")
    values = table.reindex(columns=[before, after]).dropna()
    page = out / "results" / "report.html"
    if values.empty:
        raise UserError(
            f"Made {new}, but it or the old one failed on every simulated image: {page} says why."
        )
    gained = values[after] - values[before]
    estimate = estimate_mean(gained.to_numpy(), [sources[image] for image in gained.index])
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f", 95 % interval {estimate.low:+.2f} to {estimate.high:+.2f}"
    console.print(
        f"\nOn {counted(estimate.images, 'simulated image')} that neither was trained on, SI-PSNR "
        f"is {values[after].mean():.2f} dB, before {values[before].mean():.2f} dB "
        f"({estimate.mean:+.2f} dB{interval}). Made {new} and {page}",
        soft_wrap=True,
        highlight=False,
    )
    if estimate.low is None or estimate.low <= 0:
        console.print(
            "Mind: that is no more than chance, so keep the old package unless the page shows why "
            "not.",
            soft_wrap=True,
        )
