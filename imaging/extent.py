"""How far an image reaches, for marks that are set in it."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from imaging.cli import UserError

_ROUNDING = 0.05  # pixels that a mark on the outermost edge may lie beyond it, as files round


@dataclass(frozen=True)
class Extent:
    """The size of an image.

    Attributes
    ----------
    sizes
        Its pixels along x and y.
    pixel_um
        Their size along x and y, µm.
    planes
        Of a stack; 1 otherwise.
    step_um
        From plane to plane, µm; None if unknown.
    channels
        How many it has.
    """

    sizes: dict[str, int]
    pixel_um: dict[str, float]
    planes: int
    step_um: float | None
    channels: int = 1

    @property
    def size_um(self) -> dict[str, float]:
        """Return how wide and how high the image is, µm along x and y."""
        return {axis: self.sizes[axis] * self.pixel_um[axis] for axis in "xy"}

    def holds(self, axis: str, values_um: ArrayLike, unit_um: float = 1.0) -> NDArray[np.bool_]:
        """Tell which places lie within the outer edges of the first and the last pixel."""
        pixels = np.atleast_1d(np.asarray(values_um, float)) * unit_um / self.pixel_um[axis]
        edge = 0.5 + _ROUNDING
        return (pixels >= -edge) & (pixels <= self.sizes[axis] - 1 + edge)

    def side(self, axis: str) -> str:
        """Say how wide or high the image is."""
        return f"{self.size_um[axis]:.5g} µm {'wide' if axis == 'x' else 'high'}"

    def remedy(self, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> str:
        """Say what to do about marks that lie outside: name the unit in which all would fit."""
        x, y = self.pixel_um["x"], self.pixel_um["y"]
        inside = self.holds("x", x_um) & self.holds("y", y_um)
        if np.count_nonzero(inside) * 2 >= inside.size:  # a wrong unit drives most of them out
            return "correct it, or remove the mark"
        if self.holds("x", x_um, x).all() and self.holds("y", y_um, y).all():
            return f"they look like pixels, multiply x_um by {x:g} and y_um by {y:g}"
        if self.holds("x", x_um, 1e-3).all() and self.holds("y", y_um, 1e-3).all():
            return "they look like nm, divide x_um and y_um by 1000"
        return "correct it, or remove the mark"

    def looks_like_mm(self, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> bool:
        """Tell whether several places are so small as only those in mm are."""
        several = len(set(zip(x_um, y_um, strict=True))) > 1
        in_corner = all(
            np.abs(values).max() <= self.pixel_um[axis]
            for axis, values in (("x", x_um), ("y", y_um))
        )
        fit = self.holds("x", x_um, 1e3).all() and self.holds("y", y_um, 1e3).all()
        return bool(several and in_corner and fit)


def extent_of(image: xr.DataArray) -> Extent:
    """Return how far an image reaches.

    Parameters
    ----------
    image
        As `imaging.images.read` gives it; no pixel is looked at.

    Returns
    -------
    Extent
        Of each of its channels.

    Raises
    ------
    UserError
        It has no pixel size, or several time points or positions.
    """
    if "b" in image.dims:
        raise UserError(
            f"the image has {image.sizes['b']} time points or positions, and marks belong to one: "
            "save it as an image of its own."
        )
    stated: dict[str, float] = image.attrs["pixel_size_um"]
    if not {"x", "y"} <= set(stated):
        raise UserError(
            "the image has no pixel size, which places in µm need: state it as pixel_size_um in "
            "dataset.toml, or give --pixel-size to `annotate`."
        )
    return Extent(
        {axis: image.sizes[axis] for axis in "xy"},
        {axis: stated[axis] for axis in "xy"},
        image.sizes.get("z", 1),
        stated.get("z"),
        image.sizes.get("c", 1),
    )
