"""The verb that simulates pairs: what is asked for, and which targets and pixels follow from it."""

import math
from pathlib import Path

from imaging.begun import is_made
from imaging.cli import UserError, command_line, console, progress
from imaging.cluster import open_cluster
from imaging.files import sha256
from simulation import psf
from simulation.expanded import Expanded, find_files
from simulation.expanded_sizes import agree, find_pixel_size_um, find_z_step_um
from simulation.microscope import Microscope, read_microscope
from simulation.stack_arguments import lay_out, refuse_depth, refuse_large
from simulation.structures import PHANTOMS, STRUCTURES
from simulation.targets import DEFAULT_PIXEL_SIZE_UM, Generated, Targets
from simulation.writing import SPLITS, Plan, make, split_of

DEFAULT_IMAGES = 60
DEFAULT_VOLUMES = 30
DEFAULT_SIZE_PX = 256
SMALLEST_SIZE_PX = 32
FEW_RECORDED_PX = 32  # the patches that networks are trained on show as many
DEFAULT_STRUCTURE = "cells"
THICKEST_UM = 50.0


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
    structure: str = DEFAULT_STRUCTURE,
    thickness: float = 0.0,
    channel: str | None = None,
    factor: int = 1,
    volumes: bool = False,
    depth_px: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Path:
    """Make a dataset of inputs as a microscope records them, with their truth.

    Parameters are those of `python -m training simulate`, described in its help.

    Returns
    -------
    Path
        The dataset.

    Raises
    ------
    UserError
        The arguments or a file cannot be used, or `out` holds something else.
    """
    if workers is not None or scheduler is not None:  # workers may stand in another folder
        out, expanded = out.absolute(), expanded.absolute() if expanded else None
    plan = plan_dataset(
        out,
        expanded=expanded,
        images=images,
        size=size,
        seed=seed,
        pixel_size=pixel_size,
        expansion=expansion,
        microscope_file=microscope,
        structure=structure,
        thickness=thickness,
        channel=channel,
        factor=factor,
        volumes=volumes,
        depth_px=depth_px,
    )
    if plan is None:
        console.print(f"{out} is already there, made by the same arguments.")
        return out
    with open_cluster(workers, scheduler) as cluster, progress() as bars:
        bar = bars.add_task("Simulating", total=len(plan.targets.sources))
        make(out, plan, lambda: bars.advance(bar), cluster)
    console.print(f"{_summary(plan)} in {out}", soft_wrap=True)
    return out


def plan_dataset(
    out: Path,
    *,
    expanded: Path | None = None,
    images: int | None = None,
    size: int | None = None,
    seed: int = 0,
    pixel_size: float | None = None,
    expansion: float = 1.0,
    microscope_file: Path | None = None,
    structure: str = DEFAULT_STRUCTURE,
    thickness: float = 0.0,
    channel: str | None = None,
    factor: int = 1,
    volumes: bool = False,
    depth_px: int | None = None,
) -> Plan | None:
    """Plan the dataset that `simulate` makes of the same arguments.

    Returns
    -------
    Plan or None
        For `simulation.writing.make`; None where `out` is that dataset already.

    Raises
    ------
    UserError
        As of `simulate`.
    """
    _refuse_arguments(expanded, images, size, seed, pixel_size, expansion)
    _refuse_structure(expanded, structure, thickness)
    refuse_depth(volumes, depth_px, thickness, expanded, pixel_size)
    if channel is not None and expanded is None:
        raise UserError("--channel chooses one of expanded images: give it with --expanded.")
    microscope = read_microscope(microscope_file) if microscope_file else Microscope()
    files = find_files(expanded) if expanded else {}
    if expanded and len(files) < 3:
        raise UserError(
            f"{expanded} holds {len(files)} image(s), but train, calibration and validation need "
            "one each: give at least 3, for instance by cutting a large image into files."
        )
    drawn_um = pixel_size
    if expanded and not pixel_size:
        drawn_um = find_pixel_size_um(files, expansion)
    pixel_size_um, sampling = _pixels(microscope, drawn_um)
    _refuse_factor(factor, sampling)
    given, size = size, _whole_size(size, sampling)
    if given is None:
        _say_if_small(size, sampling)
    _refuse_pixels(microscope, pixel_size_um)
    stack, planes_um = None, None
    if volumes:
        planes_um = find_z_step_um(files, expansion) if expanded else None
        stack = lay_out(microscope, depth_px, planes_um)
    count = images
    if count is None and expanded is None:
        count = DEFAULT_VOLUMES if volumes else DEFAULT_IMAGES

    # No folder, so that equal arguments give equal bytes: `imaging.provenance` puts one in.
    command = command_line(
        "python -m training simulate",
        expanded=expanded.resolve() if expanded else None,
        images=count,
        size=size,
        seed=seed,
        pixel_size=pixel_size,
        expansion=expansion if expansion != 1 else None,
        microscope=microscope_file,
        structure=structure if structure != DEFAULT_STRUCTURE else None,
        thickness=thickness or None,
        channel=channel,
        factor=factor if factor != 1 else None,
        volumes=volumes or None,
        depth_px=stack.planes if stack else None,
    )
    arguments: dict[str, str | int | float] = {
        "command": command,
        "seed": seed,
        "microscope": sha256(microscope_file) if microscope_file else "default",
        **{f"sha256 of {path.name}": sha256(path) for path in files.values()},
    }
    if expanded and drawn_um and pixel_size_um != drawn_um:
        arguments["resampled"] = f"from {drawn_um:.6g} to {pixel_size_um:.6g} µm"
    if is_made(out, arguments):
        return None

    targets: Targets
    if expanded:
        enlargement = (drawn_um or pixel_size_um) / pixel_size_um
        targets = Expanded(
            files,
            count,
            size,
            sampling,
            pixel_size_um,
            enlargement,
            seed,
            channel,
            stack=stack,
            plane_distance_um=planes_um,
        )
        _refuse_too_few(targets, images, expanded)
    else:
        targets = Generated(
            count or DEFAULT_IMAGES,
            size,
            pixel_size_um,
            seed,
            structure=structure,
            thickness_um=thickness,
            stack=stack,
        )
    plan = Plan(targets, microscope, sampling, thickness, seed, arguments, factor, stack)
    refuse_large(plan, size)
    return plan


def _refuse_arguments(
    expanded: Path | None,
    count: int | None,
    size: int | None,
    seed: int,
    pixel_size: float | None,
    expansion: float,
) -> None:
    if size == 0 and expanded is None:
        raise UserError("--size 0 means whole images, which needs --expanded: give a size.")
    if count is not None and count < 3:
        raise UserError(
            f"--images {count} is too few: train, calibration and validation need one each, "
            "give at least 3."
        )
    if seed < 0:
        raise UserError(f"--seed {seed} is negative: give a whole number from 0.")
    if pixel_size is not None and not 0 < pixel_size < math.inf:
        raise UserError(f"--pixel-size {pixel_size} is no length: give micrometres above 0.")
    if not 0 < expansion < math.inf:
        raise UserError(f"--expansion {expansion} is no factor: give a number above 0.")
    if expansion != 1 and (expanded is None or pixel_size is not None):
        raise UserError(
            "--expansion divides the pixel sizes stated in expanded files: give it with "
            "--expanded and without --pixel-size, which is the size before expansion."
        )


def _refuse_structure(expanded: Path | None, structure: str, thickness: float) -> None:
    known = [*STRUCTURES, *PHANTOMS]
    if structure not in known:
        raise UserError(f"There is no structure '{structure}': choose one of {', '.join(known)}.")
    if expanded and structure != DEFAULT_STRUCTURE:
        raise UserError(
            "--structure says what is generated, but --expanded gives images: leave one out."
        )
    if expanded and thickness:
        raise UserError(
            "--thickness needs generated structures, for nothing is known of what lay above and "
            "below an image: leave it or --expanded out."
        )
    if not 0 <= thickness <= THICKEST_UM:
        raise UserError(
            f"--thickness {thickness:g} cannot be used: give 0 to {THICKEST_UM:g} micrometres."
        )


def _pixels(microscope: Microscope, drawn_um: float | None) -> tuple[float, int]:
    """Choose the targets' pixel size, and how many of them lie along a native pixel.

    `drawn_um` is the pixel size that the truth has or is to have, if there is one.
    """
    native_um = microscope.pixel_size_um
    if native_um is None:
        return drawn_um or DEFAULT_PIXEL_SIZE_UM, microscope.sampling
    if drawn_um is None:
        return native_um / microscope.sampling, microscope.sampling
    sampling = max(1, round(native_um / drawn_um))
    whole_um = native_um / sampling
    if agree(whole_um, drawn_um):
        return drawn_um, sampling
    console.print(
        f"Pixels of the truth are {whole_um:.4g} instead of {drawn_um:.4g} µm, so that a whole "
        f"number of them, {sampling}, lies along the microscope's of {native_um:g} µm.",
        soft_wrap=True,
    )
    return whole_um, sampling


def _refuse_factor(factor: int, sampling: int) -> None:
    if factor < 1 or sampling % factor:
        possible = ", ".join(str(f) for f in range(1, sampling + 1) if sampling % f == 0)
        raise UserError(
            f"--factor {factor} cannot be used: {sampling} pixels of the truth lie along one of "
            f"the microscope, so inputs can have pixels {possible} times as wide as the truth's."
        )


def _say_if_small(size: int, sampling: int) -> None:
    """Say that hardly anything is recorded of an image."""
    recorded = size // sampling
    if recorded < FEW_RECORDED_PX:
        console.print(
            f"The microscope records only {recorded} x {recorded} pixels of each image of {size} x "
            f"{size}, its pixels being {sampling} times as wide: give --size "
            f"{2 * FEW_RECORDED_PX * sampling} or so, or coarser images of the truth.",
            soft_wrap=True,
        )


def _whole_size(size: int | None, sampling: int) -> int:
    """Return the side of an image in whole native pixels."""
    nearest = max(round((size or DEFAULT_SIZE_PX) / sampling), 1) * sampling
    while nearest < SMALLEST_SIZE_PX:
        nearest += sampling
    if size is None:
        return nearest
    if size % sampling or 0 < size < SMALLEST_SIZE_PX or size < 0:
        raise UserError(
            f"--size {size} cannot be used: give a multiple of {sampling} such as {nearest}, at "
            f"least {SMALLEST_SIZE_PX}, or 0 for whole expanded images."
        )
    return size


def _refuse_pixels(microscope: Microscope, pixel_size_um: float) -> None:
    narrowest_um = float(psf.fwhm_um(microscope.sharpest().optics)[0])
    if pixel_size_um > narrowest_um / 2:
        raise UserError(
            f"Pixels of {pixel_size_um:.4g} µm are too coarse for a PSF of {narrowest_um:.3g} µm "
            f"(at most {narrowest_um / 2:.3g} µm): if the files state sizes after expansion give "
            "--expansion 4, if they state wrong ones --pixel-size."
        )


def _refuse_too_few(targets: Expanded, count: int | None, expanded: Path) -> None:
    if len(set(targets.sources)) < 3:
        raise UserError(
            f"Only {len(set(targets.sources))} image(s) of {expanded} show enough structure, but "
            "train, calibration and validation need one each, and files of one recording count as "
            "one: give more images or a larger --size."
        )
    if count is not None and len(targets.sources) < count:
        console.print(
            f"There are {len(targets.sources)} squares only, fewer than --images {count}."
        )


def _summary(plan: Plan) -> str:
    targets, stack = plan.targets, plan.stack
    splits = split_of(targets.sources, volumes=stack is not None)
    parts = [splits[source] for source in targets.sources]
    counts = ", ".join(f"{parts.count(part)} {part}" for part in dict.fromkeys(SPLITS))
    planes = f" volumes of {stack.planes} planes {stack.z_step_um:g} µm apart, of" if stack else ""
    return f"{len(parts)} pairs of{planes} {targets.pixel_size_um:.4g} µm pixels ({counts}) are"
