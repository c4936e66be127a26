"""Pixel sizes of expanded images, before expansion, and the distance of their planes."""

from pathlib import Path

from imaging import images
from imaging.cli import UserError, console
from simulation.targets import DEFAULT_PIXEL_SIZE_UM


def find_pixel_size_um(files: dict[str, Path], expansion: float) -> float:
    """Return the one pixel size of all files, before expansion.

    Parameters
    ----------
    files
        Images by name.
    expansion
        Factor by which the sizes that the files state are larger than before expansion.

    Returns
    -------
    float
        Side of a pixel, µm; 0.08 is assumed, and said, where no file states one.

    Raises
    ------
    UserError
        The files disagree, or a pixel is not square.
    """
    stated = {path: _square_pixel_um(path) for path in files.values()}
    known = [(path, size_um) for path, size_um in stated.items() if size_um]
    unknown = [path.name for path, size_um in stated.items() if not size_um]
    if not known:
        console.print(
            f"No file states its pixel size: {DEFAULT_PIXEL_SIZE_UM} µm before expansion is "
            "assumed; give --pixel-size if this is wrong."
        )
        return DEFAULT_PIXEL_SIZE_UM
    (first, first_um), *others = known
    for path, other_um in others:
        if not agree(first_um, other_um):
            raise UserError(
                f"{first} has pixels of {first_um:g} µm, but {path} of {other_um:g} µm: "
                "simulate them one by one, or give --pixel-size if the files are wrong."
            )
    pixel_size_um = first_um / expansion
    if unknown:
        console.print(
            f"{', '.join(unknown)}: no pixel size stated, the {pixel_size_um:.4g} µm of the "
            "others is assumed."
        )
    return pixel_size_um


def find_z_step_um(files: dict[str, Path], expansion: float) -> float:
    """Return the one distance of planes of all files, before expansion.

    Parameters are those of `find_pixel_size_um`.

    Returns
    -------
    float
        µm.

    Raises
    ------
    UserError
        A file is no stack, does not state the distance, or disagrees with another.
    """
    first: tuple[Path, float] | None = None
    for path in files.values():
        z_step_um = _z_step_um(path)
        first = first or (path, z_step_um)
        if not agree(first[1], z_step_um):
            raise UserError(
                f"{first[0]} has planes {first[1]:g} µm apart, but {path} {z_step_um:g} µm: "
                "simulate them one by one, or correct the files."
            )
    if first is None:
        raise UserError("There is no stack to cut volumes from: give at least 3.")
    return first[1] / expansion


def _z_step_um(path: Path) -> float:
    """Return how far apart the planes of a stack are, as its file states it."""
    image = images.read(path, lazy=True)
    if "b" in image.dims:
        raise UserError(
            f"{path} holds {image.sizes['b']} images (time points, positions): save each stack in "
            "a file of its own."
        )
    if "z" not in image.dims:
        raise UserError(
            f"{path} has no planes along z, which --volumes needs: give stacks, or leave "
            "--volumes out."
        )
    z_step_um: float | None = image.attrs["pixel_size_um"].get("z")
    if z_step_um is None:
        raise UserError(
            f"{path} does not state how far apart its planes are: save it with the step of its "
            "stack (in Fiji: Image, Properties, voxel depth)."
        )
    return z_step_um


def agree(one_um: float, other_um: float) -> bool:
    """Tell whether two pixel sizes are the same within 1 %."""
    return abs(one_um - other_um) <= 0.01 * one_um


def _square_pixel_um(path: Path) -> float | None:
    """Return the side of a pixel as the file states it, if it does."""
    stated_um = images.read(path, lazy=True).attrs["pixel_size_um"]
    if "y" not in stated_um or "x" not in stated_um:
        return None
    if not agree(stated_um["y"], stated_um["x"]):
        raise UserError(
            f"{path} has pixels of {stated_um['x']:g} x {stated_um['y']:g} µm: "
            "resample it to square pixels, or give --pixel-size if this is wrong."
        )
    return stated_um["x"]
