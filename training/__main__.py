"""``python -m training``: simulate, fit, import-biosr, calibrate, know, adapt, and one per recipe.

A verb imports what it needs when it runs, so that help and refusals need not wait for it.
"""

import pkgutil
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from imaging.cli import run as run_app
from training import recipes
from training.biosr_verb import import_biosr
from training.isotropic_verb import isotropic
from training.model_verb import verb_of

app = App(name="python -m training", help="Simulate pairs and train restoration models.")
app.command(import_biosr)
app.command(isotropic)


@app.command
def simulate(
    out: Path,
    *,
    expanded: Path | None = None,
    images: int | None = None,
    size: int | None = None,
    seed: int = 0,
    pixel_size: float | None = None,
    expansion: float = 1.0,
    microscope: Path | None = None,
    structure: str = "cells",
    thickness: float = 0.0,
    channel: str | None = None,
    factor: int = 1,
    volumes: bool = False,
    depth_px: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> None:
    """Make pairs of what a microscope records and the truth.

    Without --expanded the truth is generated: membrane-labelled tumour cells and microtubes, or
    what --structure says. The dataset is split by source image into train, calibration and
    validation, about 70, 10 and 20 %, of volumes 50, 30 and 20 %. The same arguments give the same
    bytes; an interrupted run goes on where it stopped.

    For instance:
        python -m training simulate data/mine --expanded MY_IMAGES --microscope mine.toml

    Parameters
    ----------
    out
        Folder to make: input/, target/, native/ (the microscope's own, coarser pixels), geometry/
        of generated structures, and dataset.toml, which records every value drawn.
    expanded
        Folder of at least three images of expanded specimens, to be used as truth; generated
        without it. Each is cut into square crops; planes of a stack are images of one source, or
        stay together with --volumes.
    images
        How many images to make; default 60 generated (30 with --volumes), or all crops of the
        expanded images that are not nearly empty. A limit takes evenly from all files.
    size
        Side of an image in pixels, a whole number of the microscope's pixels; default about 256;
        0 takes expanded images whole.
    seed
        Seed of the random numbers.
    pixel_size
        Pixel size of the truth in micrometres before expansion; default what the files state, or
        0.08.
    expansion
        Factor to divide the pixel sizes stated in the files by; 1 if they are stated as before
        expansion.
    microscope
        File of a microscope, as `training fit` writes it; default a two-photon microscope in vivo.
        Where it tells its pixel size, pixels of the truth are a whole fraction of it.
    structure
        What is generated: cells, microtubes, tubes, granules, sheets, nets, dendrites,
        points, or a phantom
        (point-pairs, tube-pairs, gaps, crossings, spines, empty,
        axial-pairs, depth-crossings).
    thickness
        Micrometres of generated structure around the plane in focus, whose light is recorded too;
        0 generates the plane alone.
    channel
        Of expanded images with several channels the one to take, by its name or its number from 1;
        without it they are refused.
    factor
        Pixels of the truth along one of the inputs; 1, where both have pixels of one size, without
        it. As many as lie along one of the microscope's leave these as they are.
    volumes
        Make stacks instead of single planes; planes lie as far apart as z_step_um of the
        microscope says, 0.5 µm by default. Expanded images must be stacks that state theirs.
    depth_px
        How many planes a stack has, 8 at least; default 32. Only with --volumes.
    workers
        How many processes of this machine make images at once; one, this one, without it
        (docs/cluster.md).
    scheduler
        Address of a dask scheduler whose workers make them, such as tcp://10.0.0.1:8786; none
        without it.
    """
    from simulation.simulate import simulate

    simulate(
        out,
        expanded=expanded,
        images=images,
        size=size,
        seed=seed,
        pixel_size=pixel_size,
        expansion=expansion,
        microscope=microscope,
        structure=structure,
        thickness=thickness,
        channel=channel,
        factor=factor,
        volumes=volumes,
        depth_px=depth_px,
        workers=workers,
        scheduler=scheduler,
    )


@app.command
def fit(
    *real: Path,
    out: Path,
    repeats: Path | None = None,
    beads: Path | None = None,
    scene: str | None = None,
    channel: str | None = None,
    pixel_size: float | None = None,
    modality: Literal["two-photon", "confocal", "wide-field"] = "two-photon",
    wavelength: float | None = None,
    refractive_index: float = 1.33,
    excess_noise: float | None = None,
    structure: str | None = None,
    expanded: Path | None = None,
    expansion: float = 1.0,
    seed: int = 0,
) -> None:
    """Measure gain, noise, blur, light and motion of a microscope on its own images.

    The result is a file for `simulate --microscope`, and beside it a page that shows how alike
    real and simulated images are. Images must be as the microscope wrote them: not scaled,
    averaged, denoised or converted to 8 bits.

    For instance:
        python -m training fit STACK.tif --pixel-size 0.1 --out mine.toml

    Parameters
    ----------
    real
        Images, folders of images or datasets.
    out
        File to write, ending in .toml; the page has the same name and ends in .html.
    repeats
        Images of one field taken one at once after the other: a stack or a folder. Gain and noise
        are known less well without them.
    beads
        Image of single beads smaller than the PSF, from which its width is taken; from the
        images themselves without it.
    scene
        Of real files with several images (scenes, positions, series) the one to fit to, by its
        number from 1 or its name; without it positions of one shape are taken together.
    channel
        Of images with several channels the one to take, by its name or its number from 1; without
        it they are refused.
    pixel_size
        In micrometres, where the files do not state it or are wrong; what they state without it.
    modality
        What the microscope is; nothing in the images tells it.
    wavelength
        In micrometres, of the light that excites (default 0.92 two-photon, 0.488 confocal) or is
        emitted (default 0.52, wide-field).
    refractive_index
        Of the immersion: 1.33 water, 1.515 oil.
    excess_noise
        Excess noise factor of the detector, 1 for a camera; a photomultiplier's is assumed and
        fitted without it.
    structure
        Generated structure to compare with, of natural size; the most similar is searched for
        among structures of several sizes and densities without it.
    expanded
        Folder of expanded images of the same kind of specimen, the best structure to compare with;
        generated structure without it.
    expansion
        Factor by which pixel sizes stated in expanded files are larger than before expansion.
    seed
        Seed of the random numbers of the simulation.
    """
    from simulation.fitting.command import fit_command

    fit_command(
        *real,
        out=out,
        repeats=repeats,
        beads=beads,
        scene=scene,
        channel=channel,
        pixel_size=pixel_size,
        modality=modality,
        wavelength=wavelength,
        refractive_index=refractive_index,
        excess_noise=excess_noise,
        structure=structure,
        expanded=expanded,
        expansion=expansion,
        seed=seed,
    )


@app.command
def calibrate(
    weights: Path,
    /,
    *,
    data: Path,
    out: Path,
    samples: int | None = None,
    steps: int | None = None,
) -> None:
    """Calibrate a trained model on other data: standard deviation, if it has one, and trust mask.

    What is learned stays as it is. It serves for another microscope, for another number of samples,
    or with more images: how many pixels an interval covers differs from image to image, so 30
    images leave an uncertainty of about 2 percentage points, 100 of about 1. The trust mask of
    90 % takes 9 calibration images, that of 95 % takes 19: docs/trust-mask.md.

    For instance:
        python -m training calibrate runs/mine --data data/other --out calibrated.pt

    Parameters
    ----------
    weights
        Run folder of a training, or its weights.pt.
    data
        Dataset with targets: its calibration images are fitted on, its validation images tell what
        the calibration brings. The model must not have been trained on either.
    out
        File to write, which `packages build --checkpoint` takes.
    samples
        How many samples of the posterior are drawn, where the model draws samples; as before
        without it.
    steps
        In how many solver steps each sample is made, where the model makes it in steps; as before
        without it.
    """
    from training.calibrate import recalibrate

    recalibrate(weights, data=data, out=out, samples=samples, steps=steps)


@app.command
def know(
    weights: Path, /, *, data: list[Path], out: Path, unlike: list[Path] | None = None
) -> None:
    """Note in trained weights which images they know, so that their package can tell others.

    Every training does so at its end; this is for weights of before, or with more images than they
    were trained on. What is learned stays as it is. `packages predict` says then of each image
    whether it is like those.

    For instance:
        python -m training know runs/mine --data data/mine --out knowing.pt

    Parameters
    ----------
    weights
        Run folder of a training, or its weights.pt.
    data
        What the model was trained on, or more images of the same kind: training and calibration
        images are measured. Of several datasets one --data each.
    out
        File to write, which `packages build --checkpoint` takes.
    unlike
        Datasets of what it was not trained on and could be given, 20 images or more of each: such
        images are found more often. `predict` calls them by the name of the dataset's folder.
        None without it.
    """
    from training.know import note_known

    note_known(weights, data=data, out=out, unlike=unlike)


@app.command
def adapt(
    package: Path,
    /,
    *,
    real: Annotated[list[Path], Parameter(consume_multiple=True, negative=())],
    out: Path,
    minutes: float = 4.0,
    data: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative=())] = None,
    pixel_size: float | None = None,
    modality: Literal["two-photon", "confocal", "wide-field"] = "two-photon",
    channel: str | None = None,
    microscope: Path | None = None,
    expanded: Path | None = None,
    expansion: float = 1.0,
    seed: int = 0,
) -> None:
    """Adapt a package to a microscope, by images that it recorded and that have no truth.

    Fits the microscope to the images, simulates pairs with it, goes on with the training of the
    package's weights on these, and packages what comes of it. The page shows the package before and
    after: on simulated images that neither was trained on, on views of the real ones, on phantoms.
    An interrupted command goes on where it was.

    For instance:
        python -m training adapt dist/mine.zip --real STACK.tif --out adapted

    Parameters
    ----------
    package
        A package of care, care_ensemble, hdn or hazematching; none of its code is run.
    real
        Images, folders of images or datasets, as the microscope wrote them.
    out
        Folder for everything: the microscope, the pairs, the training, the new package, the page.
    minutes
        How long to train.
    data
        Further datasets on which to compare before and after, such as annotated ones; what they
        show should not be in --real. None without it.
    pixel_size
        In micrometres, where the files do not state it or are wrong; what they state without it.
    modality
        What the microscope is; nothing in the images tells it.
    channel
        Of images with several channels the one to take, by its name or its number from 1; without
        it they are refused.
    microscope
        File of a microscope that `training fit` wrote, with all its options; without it one is
        fitted here.
    expanded
        Folder of expanded images to simulate the pairs from; generated structure without it.
    expansion
        Factor to divide the pixel sizes stated in expanded files by; 1 if they are stated as before
        expansion.
    seed
        Seed of the random numbers.
    """
    from training.adapt import adapt

    adapt(
        package,
        real=real,
        out=out,
        minutes=minutes,
        data=data,
        pixel_size=pixel_size,
        modality=modality,
        channel=channel,
        microscope=microscope,
        expanded=expanded,
        expansion=expansion,
        seed=seed,
    )


for module in pkgutil.iter_modules(recipes.__path__):
    if module.name not in app:  # it may have a verb of its own
        app.command(verb_of(module.name), name=module.name)

if __name__ == "__main__":
    run_app(app)
