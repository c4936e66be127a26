"""Isotropic restoration of stacks, learnt from their own planes (Weigert et al. 2018).

A stack's planes are sharp and finely sampled, and its slices along the optical axis are neither.
Planes that are degraded along one of their axes, as the axis of the microscope degrades, are pairs
to learn from with the planes themselves. The run folder is that of any training.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from imaging import images
from imaging.channels import ALL, choose
from imaging.cli import UserError, console
from imaging.dataset_facts import FEWEST_PLANES, Split
from imaging.datasets import Dataset, Item, open_dataset
from imaging.files import sha256
from imaging.inspection import inspect_dataset
from imaging.pixel_sizes import are_unlike
from imaging.trained_weights import FILE_NAME, Example
from imaging.training_metadata import Request, Settings
from simulation.fitting.photon_transfer import transfer_of_images
from simulation.microscope import read_microscope
from simulation.psf import fwhm_um
from training.axial import FWHM_PER_SIGMA, AxialDegradation, measure_sigma_px, sigma_between
from training.axial_patches import AxialPatches, Channel
from training.data import Pair
from training.devices import default_precision, open_fabric
from training.division import describe_division, split_items
from training.know import note_trained
from training.metadata import cut_window, find_example, versions
from training.pixel_sizes import find_pixel_size_um, find_z_step_um
from training.recipes.isotropic import RECIPE
from training.registered import brightest, load_registered, shared_channels
from training.run import (
    measure_reached,
    refuse_another,
    refuse_length,
    refuse_nothing_to_resume,
    refuse_preset,
    say_what_was_made,
    train_in_folder,
)
from training.run_folder import Images
from training.run_record import TrainingRun

COARSEST = 16
"""Planes of the result along one of the stack, at most: beyond that nothing is left to learn."""
_FIXED_CROPS = 32
_NOISE_PLANES = 16  # on which the noise is measured
_OPTIONS = {"x": "--pixel-size", "y": "--pixel-size", "z": "--z-step"}


class _Grid(NamedTuple):
    """How the stacks are sampled: side of a pixel and distance of planes, µm."""

    pixel_um: float
    z_step_um: float

    @property
    def factor(self) -> int:
        """Planes of the result along one of the stack."""
        return round(self.z_step_um / self.pixel_um)


def isotropic(
    *,
    data: Path,
    out: Path = Path("runs/isotropic"),
    preset: str = "small",
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    psf_fwhm: tuple[float, float] | None = None,
    microscope: Path | None = None,
    pixel_size: float | None = None,
    z_step: float | None = None,
    channels: Literal["together"] | None = None,
) -> Path:
    """Learn from stacks how to restore them to planes as far apart as their pixels.

    Parameters are those of `python -m training isotropic`, described in its help.

    Returns
    -------
    Path
        The deployable weights, ``out/weights.pt``.

    Raises
    ------
    UserError
        Unusable stacks, unknown distances, a folder of another request, nothing to resume.
    KeyboardInterrupt
        After saving, when the user interrupts.
    """
    refuse_length(steps, minutes, seed)
    refuse_preset(RECIPE.presets, preset)
    refuse_nothing_to_resume(out, resume=resume)
    given = None if psf_fwhm is None and microscope is None else _given_um(psf_fwhm, microscope)
    dataset = _open(data, pixel_size, z_step, channels)
    names = shared_channels(dataset) if channels else ()
    grid = _grid(dataset)
    settings = _fitted(RECIPE.presets[preset](grid.factor), dataset, grid)
    if names:
        settings = replace(settings, network=settings.network | {"channels": len(names)})
    sigma_um = _measured_um(dataset, grid) if given is None else given
    request = Request(
        recipe=RECIPE.model,
        preset=preset,
        settings=settings,
        seed=seed,
        steps=steps or settings.steps,
        minutes=minutes,
        data=dataset.name,
        data_sha256=sha256(data),
        axial_sigma_um=round(sigma_um, 4),
        channels=names,
    )
    refuse_another(out, request, resume=resume)
    parts = split_items(dataset)
    if division := describe_division(dataset, parts):
        console.print(division, highlight=False, soft_wrap=True)
    remarks = inspect_dataset(open_dataset(data))
    count = len(names) or 1
    training, calibration = (
        load_registered(parts[part], count, remarks) for part in ("train", "calibration")
    )
    remarks.say()
    degradations = [_degradation(pairs, grid, sigma_um) for pairs in training]
    _say_what_is_learnt(grid, sigma_um, given is None, names)
    looked_at = _images(training, calibration, parts, degradations, settings)
    patches = AxialPatches(
        _channels(training, degradations),
        size_px=settings.patch_px,
        batch_size=settings.batch_size,
        seed=seed,
    )
    # Only now: stacks that cannot be used leave no folder behind.
    TrainingRun(request, versions(), remarks.entries).write(out / TrainingRun.FILE)
    arithmetic = default_precision()
    fabric = open_fabric(precision=arithmetic)
    state, log = train_in_folder(
        out, RECIPE, request, dataset, looked_at, patches, fabric, precision=arithmetic
    )
    reached = measure_reached(out, state.average, looked_at, log)
    note_trained(out, looked_at, None, dataset.name)
    say_what_was_made(out, RECIPE.model, state, log, reached)
    return out / FILE_NAME


def _given_um(psf_fwhm: tuple[float, float] | None, microscope: Path | None) -> float:
    """Return the blur that was told, µm."""
    if psf_fwhm is not None and microscope is not None:
        raise UserError("Give --psf-fwhm or --microscope, not both: either tells the PSF.")
    if microscope is not None:
        optics = read_microscope(microscope).typical().optics
        widths = fwhm_um(optics)
        lateral, axial = (float(width) for width in widths)
    else:
        lateral, axial = psf_fwhm or (0.0, 0.0)
    if not 0 < lateral < axial < np.inf:
        raise UserError(
            f"--psf-fwhm {lateral:g} {axial:g} is no PSF that is wider along the optical axis: "
            "give the lateral and then the axial full width at half maximum, in micrometres."
        )
    return sigma_between(lateral, axial)


def _open(
    data: Path, pixel_size_um: float | None, z_step_um: float | None, channels: str | None
) -> Dataset:
    """Open stacks whose planes are their own targets; refuse what is no stack."""
    told = {"x": pixel_size_um, "y": pixel_size_um, "z": z_step_um}
    for axis, size in told.items():
        if size is not None and not 0 < size < np.inf:
            raise UserError(f"{_OPTIONS[axis]} {size:g} is no length: give micrometres above 0.")
    dataset = open_dataset(data)
    items: list[Item] = []
    for item in dataset.items:
        image = images.read(item.input, lazy=True)
        sizes, stated_um = image.sizes, image.attrs["pixel_size_um"]
        for axis, size in told.items():
            if size is not None and axis in stated_um and are_unlike(size, stated_um[axis]):
                raise UserError(
                    f"{item.input} states {stated_um[axis]:g} µm along {axis}, and "
                    f"{_OPTIONS[axis]} says {size:g}: leave that out, or correct the file (in "
                    "Fiji: Image > Properties)."
                )
        if "c" in sizes and channels is None:
            raise UserError(
                f"{item.input} has {sizes['c']} channels: save the one you need as a file of its "
                "own (in Fiji: Image > Color > Split Channels), or restore registered channels "
                "with --channels together."
            )
        if "b" in sizes:
            raise UserError(
                f"{item.input} holds {sizes['b']} time points or positions: save one of them as a "
                "stack of its own (in Fiji: Image > Duplicate)."
            )
        if sizes.get("z", 1) < FEWEST_PLANES:
            raise UserError(
                f"{item.input} has {sizes.get('z', 1)} plane(s) along z: isotropic restoration "
                f"needs stacks of at least {FEWEST_PLANES} planes in one file."
            )
        items.append(replace(item, target=item.input, z_step_um=z_step_um or item.z_step_um))
    facts = replace(dataset.facts, pixel_size_um=pixel_size_um or dataset.facts.pixel_size_um)
    return replace(dataset, facts=facts, items=tuple(items))


def _grid(dataset: Dataset) -> _Grid:
    """Return how stacks are sampled; refuse what is unknown or leaves nothing to do."""
    pixel_um = find_pixel_size_um(dataset)
    if pixel_um is None:
        raise UserError(
            f"{dataset.path} does not say how large its pixels are: give --pixel-size, in "
            "micrometres."
        )
    if all("z" not in _read_sizes_um(item) for item in dataset.items):
        raise UserError(
            f"{dataset.path} does not say how far apart its planes are: give --z-step, in "
            "micrometres."
        )
    grid = _Grid(pixel_um, find_z_step_um(dataset))
    said = (
        f"The planes of {dataset.path} are {grid.z_step_um:g} µm apart and its pixels "
        f"{pixel_um:g} µm wide"
    )
    if grid.factor < 2:
        raise UserError(
            f"{said}: there are no planes to add. If that is wrong, correct what is stated."
        )
    if grid.factor > COARSEST:
        raise UserError(
            f"{said}: more than {COARSEST} planes would have to be made of each, which is "
            "invention. If that is wrong, correct what is stated."
        )
    return grid


def _read_sizes_um(item: Item) -> dict[str, float]:
    return item.read_input(lazy=True).attrs["pixel_size_um"]


def _fitted(usual: Settings, dataset: Dataset, grid: _Grid) -> Settings:
    """Return settings whose patches fit into the planes and are whole numbers of coarse cells."""
    cell = RECIPE.architecture(**usual.network).divisor * grid.factor
    sides = [
        side for item in dataset.items for side in images.read(item.input, lazy=True).shape[-2:]
    ]
    patch_px = min(usual.patch_px, min(sides)) // cell * cell
    if patch_px == 0:
        raise UserError(
            f"{dataset.path} has planes of {min(sides)} pixels only, and with planes "
            f"{grid.factor} pixels apart {cell} are needed to learn from: give wider stacks."
        )
    return replace(usual, patch_px=patch_px)


def _measured_um(dataset: Dataset, grid: _Grid) -> float:
    """Measure the blur along the axis on the stacks themselves, µm."""
    stacks: list[NDArray[np.generic]] = []
    for item in dataset.items:
        of_channels = [of.image.values for of in choose(images.read(item.input), ALL)]
        if any(stack.min() == stack.max() for stack in of_channels):
            raise UserError(f"{item.input} is constant: nothing can be learnt from it.")
        stacks += of_channels
    sigma_px = measure_sigma_px(stacks, grid.z_step_um / grid.pixel_um)
    if sigma_px is None:
        raise UserError(
            f"How blurred {dataset.path} is along z cannot be measured on it, for its neighbouring "
            "planes are no more alike than distant pixels of a plane, or all alike: give "
            "--psf-fwhm, measured on beads for instance, or --microscope."
        )
    return sigma_px * grid.pixel_um


def _degradation(training: list[Pair], grid: _Grid, sigma_um: float) -> AxialDegradation:
    """Return what happens along the axis; a row stands for a plane of the result."""
    chosen = np.unique(np.linspace(0, len(training) - 1, _NOISE_PLANES).round().astype(int))
    noise = transfer_of_images([training[i].input for i in chosen])
    return AxialDegradation(sigma_um * grid.factor / grid.z_step_um, grid.factor, noise)


def _channels(by_channel: list[list[Pair]], degradations: list[AxialDegradation]) -> list[Channel]:
    return [Channel(*of) for of in zip(by_channel, degradations, strict=True)]


def _images(
    training: list[list[Pair]],
    calibration: list[list[Pair]],
    parts: dict[Split, tuple[Item, ...]],
    degradations: list[AxialDegradation],
    settings: Settings,
) -> Images:
    channels = _channels(calibration, degradations)
    crops = AxialPatches(channels, size_px=settings.patch_px, batch_size=_FIXED_CROPS, seed=0)
    # Whole stacks: of one that is divided, the validation planes alone are too few for a package.
    whole = tuple(replace(item, region={}) for item in parts["validation"][:1])
    return Images(
        [pair for pairs in training for pair in pairs],
        [],
        [pair for pairs in calibration for pair in pairs],
        parts["validation"],
        crops.batch(0),
        _example(load_registered(whole, len(channels), volumes=True)),
    )


def _example(by_channel: list[list[Pair]]) -> Example:
    """Cut the window with most structure; of several channels it is (c, z, y, x)."""
    index, window = find_example([brightest(of) for of in zip(*by_channel, strict=True)])
    cut = [cut_window(pairs[index], window) for pairs in by_channel]
    sides = ([of.input for of in cut], [of.normalised_input for of in cut])
    image, normalised = (torch.from_numpy(np.stack(side)) for side in sides)
    return Example(image, normalised) if len(cut) > 1 else Example(image[0], normalised[0])


def _say_what_is_learnt(
    grid: _Grid, sigma_um: float, measured: bool, channels: tuple[str, ...]
) -> None:
    console.print(
        f"Along z the PSF is taken to be wider by a blur of {FWHM_PER_SIGMA * sigma_um:.3g} µm, "
        "full width at half maximum"
        + (
            ", measured on the stacks, which takes structure to be alike in all directions; tell "
            "it better with --psf-fwhm or --microscope"
            if measured
            else ""
        )
        + f". Each plane becomes {grid.factor}, {grid.z_step_um / grid.factor:.4g} µm apart."
        + (f" Channels restored together: {', '.join(channels)}." if channels else ""),
        highlight=False,
        soft_wrap=True,
    )
