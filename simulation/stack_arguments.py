"""What `simulate --volumes` asks for: the stacks that follow from it, and what is refused."""

from pathlib import Path

from imaging.cli import UserError, console
from imaging.dataset_facts import FEWEST_PLANES
from simulation.expanded_sizes import agree
from simulation.microscope import Microscope
from simulation.stack import Stack, stack_of
from simulation.targets import planes_of
from simulation.writing import Plan

DEFAULT_DEPTH_PX = 32
MOST_VOXELS = 100_000_000  # about 5 GB; pixels of single planes need as much
COARSEST_PLANES = 2  # steps of the microscope: between planes farther apart all would be made up


def refuse_depth(
    volumes: bool,
    depth_px: int | None,
    thickness: float,
    expanded: Path | None,
    pixel_size: float | None,
) -> None:
    """Refuse options of `simulate` that contradict each other; they are its own.

    Raises
    ------
    UserError
        They do.
    """
    if depth_px is not None and not volumes:
        raise UserError("--depth-px says how many planes a volume has: give it with --volumes.")
    if depth_px is not None and depth_px < FEWEST_PLANES:
        raise UserError(
            f"--depth-px {depth_px} is too few: stacks are restored as volumes from "
            f"{FEWEST_PLANES} planes on; give as many, or leave --volumes out."
        )
    if volumes and thickness:
        raise UserError(
            "--thickness is for single planes; volumes are as thick as their planes and what "
            "shines into these: leave --thickness or --volumes out."
        )
    if volumes and expanded and pixel_size is not None:
        raise UserError(
            "--pixel-size says nothing of the distance of planes in expanded stacks: leave it out, "
            "and correct the files if they are wrong (--expansion divides what they state)."
        )


def lay_out(microscope: Microscope, depth_px: int | None, planes_um: float | None) -> Stack:
    """Lay out the stacks to simulate.

    Parameters
    ----------
    microscope
        What records.
    depth_px
        How many planes; 32 if that is left open.
    planes_um
        How far apart the planes of expanded stacks lie, µm before expansion; None where structure
        is generated.

    Raises
    ------
    UserError
        The planes of the truth lie too far apart, or the PSF is too long.
    """
    depth_px = depth_px or DEFAULT_DEPTH_PX
    z_step_um = microscope.z_step_um
    if planes_um is None:
        return stack_of(microscope, depth_px)
    if planes_um > COARSEST_PLANES * z_step_um:
        raise UserError(
            f"The planes of the truth are {planes_um:.4g} µm apart, those of the microscope "
            f"{z_step_um:g} µm: give --expansion if the files state distances after expansion, or "
            "a --microscope with a larger z_step_um."
        )
    stack = stack_of(microscope, depth_px, max(round(z_step_um / planes_um), 1))
    if not agree(stack.plane_distance_um, planes_um):
        console.print(
            f"Planes of the truth are {stack.plane_distance_um:.4g} instead of {planes_um:.4g} µm "
            f"apart, so that a whole number of them, {stack.per_step}, lies along the "
            f"microscope's step of {z_step_um:g} µm.",
            soft_wrap=True,
        )
    return stack


def refuse_large(plan: Plan, size: int) -> None:
    """Refuse images or volumes that memory does not hold.

    Parameters
    ----------
    plan
        What is to be made.
    size
        As it was asked for; 0 where expanded images are taken whole.

    Raises
    ------
    UserError
        One of them is larger than 100 million voxels with its surroundings.
    """
    margins = 2 * plan.margin_px
    rows, columns = plan.targets.largest
    planes = plan.stack.drawn if plan.stack else planes_of(plan.thickness_um)
    voxels = planes * (rows + margins) * (columns + margins)
    if voxels <= MOST_VOXELS:
        return
    ways = ["a smaller --size" if size else "a --size, which cuts images in squares"]
    if margins**2 > MOST_VOXELS:  # whatever the size
        ways = ["coarser pixels by --pixel-size"]
    if plan.stack:
        ways.append("a smaller --depth-px")
    elif plan.thickness_um:
        ways.append("a smaller --thickness")
    kind, what = ("volume", "voxels") if plan.stack else ("image", "pixels")
    raise UserError(
        f"{columns} x {rows} pixels and their surroundings would be drawn of a {kind}, "
        f"{voxels / 1e6:.0f} million {what}, but at most {MOST_VOXELS / 1e6:.0f} million are held "
        f"in memory: give {' or '.join(ways)}."
    )
