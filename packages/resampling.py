"""Bring images to the pixel size that a package was trained for."""

import xarray as xr

from imaging.cli import UserError
from imaging.pixel_sizes import are_unlike, slip_of_units
from imaging.resample import linear

__all__ = ["grid", "held_if_small"]

# Images up to this size are resampled once as a whole, larger ones again for each pass.
_IN_MEMORY_PIXELS = 2**25
# Beyond this factor a pixel size is a mistake, not another microscope.
_LARGEST_RESAMPLING = 64
# Planes of another distance are not resampled; so much is within what models bear.
_FARTHEST_STEP = 1.25
# How near a mistake of units must come: beyond that factor it is sought, below it only suspected.
_SLIP_SOUGHT, _SLIP_SUSPECTED = 2.0, 1.01


def grid(
    image: xr.DataArray, pixel_size_um: dict[str, float], *, insisted: bool = False
) -> tuple[int, int]:
    """Return how many rows and columns an image has at a pixel size.

    Parameters
    ----------
    image
        With the attribute `pixel_size_um`.
    pixel_size_um
        Wanted along y and x, and what planes of a volume must have; what is missing stays.
    insisted
        The user has given the image's pixel size, which is then no mistake of units.

    Returns
    -------
    tuple of int
        Its own where its pixel size is unknown or the wanted one within 2 %.

    Raises
    ------
    UserError
        The pixel sizes differ by more than a factor of 64, or by exactly that of a mistake; or
        planes of a volume, which are not resampled, by more than a quarter.
    """
    own: dict[str, float] = image.attrs.get("pixel_size_um", {})
    _refuse_other_step(own, pixel_size_um)
    if any(dimension in pixel_size_um and dimension not in own for dimension in "yx"):
        return image.sizes["y"], image.sizes["x"]  # resampled along one axis, it would be distorted
    lengths: list[int] = []
    for dimension in "yx":
        length = image.sizes[dimension]
        if dimension in own and dimension in pixel_size_um:
            ratio = own[dimension] / pixel_size_um[dimension]
            if reason := _mistaken(ratio, insisted=insisted):
                raise UserError(
                    f"The image states {own[dimension]:g} µm per pixel, {ratio:.4g} times the "
                    f"package's {pixel_size_um[dimension]:g} µm{reason}: "
                    "give --pixel-size, or correct it in the file."
                )
            if are_unlike(pixel_size_um[dimension], own[dimension]):
                length = max(round(length * ratio), 1)
        lengths.append(length)
    return lengths[0], lengths[1]


def _refuse_other_step(own: dict[str, float], wanted: dict[str, float]) -> None:
    if "z" not in own or "z" not in wanted:
        return
    ratio = own["z"] / wanted["z"]
    if not 1 / _FARTHEST_STEP <= ratio <= _FARTHEST_STEP:
        raise UserError(
            f"The planes are {own['z']:g} µm apart and the package restores volumes of planes "
            f"{wanted['z']:g} µm apart: resample the stack along z (in Fiji: Image > Scale, with "
            "a z scale), give --z-step if the file is wrong, or train on stacks like this one."
        )


def _mistaken(ratio: float, *, insisted: bool) -> str | None:
    """Say why no microscope has such a pixel size; None where one may."""
    far = not 1 / _LARGEST_RESAMPLING <= ratio <= _LARGEST_RESAMPLING
    slip = slip_of_units(ratio, _SLIP_SOUGHT if far else _SLIP_SUSPECTED)
    if not far and (insisted or slip is None):
        return None
    return f", probably {slip}" if slip else ", too far to resample"


def _on_grid(image: xr.DataArray, shape: tuple[int, int]) -> xr.DataArray:
    ordered = image.transpose(..., "y", "x")
    own: dict[str, float] = image.attrs.get("pixel_size_um", {})
    lengths = dict(zip("yx", shape, strict=True))
    # What was cut from a stack may still state its z.
    present = {d: size for d, size in own.items() if d in image.dims}
    sizes = {d: s * image.sizes[d] / lengths.get(d, image.sizes[d]) for d, s in present.items()}
    return xr.DataArray(
        linear(ordered, shape),
        dims=ordered.dims,
        coords={"c": image.coords["c"]} if "c" in image.coords else None,
        attrs=image.attrs | {"pixel_size_um": sizes},
    )


def held_if_small(image: xr.DataArray, shape: tuple[int, int]) -> xr.DataArray:
    """Bring an image to a grid with the interpolation used in training, if it fits into memory.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x; it may be lazy.
    shape
        Rows and columns.

    Returns
    -------
    xr.DataArray
        float32 (or float64, see `imaging.resample.linear`), the field of view unchanged; the image
        as it is where the result would be large.
    """
    pixels = image.size // (image.sizes["y"] * image.sizes["x"]) * shape[0] * shape[1]
    return _on_grid(image, shape) if pixels <= _IN_MEMORY_PIXELS else image
