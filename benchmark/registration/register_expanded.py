"""Write an image and its truth after expansion as a pair that can be scored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.metric import NotApplicable
from benchmark.registration.alignment import Field, warp
from benchmark.registration.expanded import ExpandedRegistration, register_expanded
from benchmark.registration.register_figure import draw_registration
from imaging import images
from imaging.channels import one_channel
from imaging.cli import UserError
from imaging.datasets import Item
from imaging.figure_files import write_png
from imaging.pixel_sizes import are_unlike
from imaging.resample import linear
from imaging.valid import Rectangle, common_rectangle, find_valid, largest_rectangle

_Plane = NDArray[np.float64]
_LARGEST_SIDE_PX = 768  # of what is registered: bends are smooth, and finer pixels tell no more
_LEAST_SIDE_PX = 32  # of what is left to be scored
_LEAST_FIELD = 0.1  # of the other image's side: less is a wrong pixel size


@dataclass(frozen=True)
class _Image:
    """A plane with data everywhere, and the side of its pixels before expansion."""

    plane: xr.DataArray
    pixel_um: float

    @property
    def side_um(self) -> float:
        return max(self.plane.shape) * self.pixel_um

    def on_pixels(self, pixel_um: float) -> _Plane:
        """Bring it to pixels of about another size."""
        rows, columns = (max(1, round(n * self.pixel_um / pixel_um)) for n in self.plane.shape)
        return linear(self.plane.values, (rows, columns)).astype(np.float64)


def register_after_expansion(
    item: Item, folder: Path, pictures: str, channel: str | None
) -> tuple[ExpandedRegistration, Mapping[str, float]]:
    """Register an image with its target after expansion, and write all that scoring needs.

    ::

        FOLDER/
          input/NAME.tif        the part of the input that is scored
          target/NAME.tif       the target on the input's pixels, or a whole fraction of them
          displaced/NAME.tif    the target as far beside the input as registration may have left it
          deformation/NAME.tif  by how much the target was displaced, µm before expansion, y and x

    Parameters
    ----------
    item
        With a target and an expansion factor.
    folder, pictures
        Of the new dataset, and in it that of the pictures.
    channel
        Of images with several channels the one to take.

    Returns
    -------
    registration, facts
        What was found, lengths in pixels; and for dataset.toml, with units in the names, which
        begin with the side of these pixels.

    Raises
    ------
    UserError
        The images cannot be registered, or next to nothing of them can be scored.
    """
    input, target = (_open(item, kind, channel) for kind in ("input", "target"))
    factor = item.expansion_factor or 1
    share = _share(item, input, target)
    step = math.ceil(max(input.plane.shape) / _LARGEST_SIDE_PX)
    rows, columns = (length // step for length in input.plane.shape)
    input = _Image(input.plane.isel(y=slice(rows * step), x=slice(columns * step)), input.pixel_um)
    seen = linear(input.plane.values, (rows, columns)).astype(np.float64)
    coarse = target.on_pixels(input.pixel_um * step)
    try:
        found = register_expanded(seen, coarse)
    except NotApplicable as reason:
        raise UserError(f"{item.input} and its target: {reason}{_hint(factor, share)}") from reason
    finer = max(1, math.floor(input.pixel_um / target.pixel_um * 1.001))
    shape = (rows * step * finer, columns * step * finer)
    pixel_um = input.pixel_um / finer
    truth = _fetched(target, coarse.shape, found.field, shape, pixel_um)
    displaced = [
        _fetched(target, coarse.shape, found.field + error, shape, pixel_um)
        for error in found.errors
    ]
    known = np.isfinite(np.stack([truth, *displaced])).all(axis=0)
    is_known = known.reshape(rows * step, finer, columns * step, finer).all(axis=(1, 3))
    part = _scored(item, is_known & np.kron(found.reliable, np.ones((step, step), np.bool_)))
    fine = tuple(slice(along.start * finer, along.stop * finer) for along in part)
    name = f"{item.name}.tif"
    images.write(folder / "input" / name, input.plane.isel(y=part[0], x=part[1]))
    images.write(folder / "target" / name, _image(truth[fine], pixel_um))
    images.write(folder / "displaced" / name, _image(np.stack(displaced)[:, *fine], pixel_um))
    field_um = linear(found.field * input.pixel_um * step, (rows * step, columns * step))[:, *part]
    images.write(folder / "deformation" / name, _image(field_um, input.pixel_um))
    figure = draw_registration(seen, _placed(coarse, found), found.relative)
    write_png(folder / pictures / f"{item.name}.png", figure)
    coarse_part = tuple(slice(along.start // step, -(-along.stop // step)) for along in part)
    facts = {
        "pixel_um": input.pixel_um * step,
        "expansion_factor_found": factor * found.placed.scale,
        "error_um": _root_mean_square(found.error_px[coarse_part]) * input.pixel_um * step,
        "scored_share": float(truth[fine].size / truth.size),
        "scored_from_y_um": part[0].start * input.pixel_um,
        "scored_from_x_um": part[1].start * input.pixel_um,
    }
    return found, facts


def _open(item: Item, kind: str, channel: str | None) -> _Image:
    file = item.input if kind == "input" else item.target
    image = item.read_input() if kind == "input" else item.read_target()
    if file is None or image is None:
        raise UserError(f"{item.input} has no target: there is nothing to register.")
    image = one_channel(file, image, channel)
    if set(image.dims) != {"y", "x"}:
        raise UserError(
            f"{file} has axes {', '.join(map(str, image.dims))}, and only planes are registered: "
            "give one plane or a projection."
        )
    sizes: dict[str, float] = image.attrs["pixel_size_um"]
    if not {"y", "x"} <= sizes.keys():
        entry, when = {
            "input": ("pixel_size_um", ""),
            "target": ("target_pixel_size_um", ", as recorded after expansion,"),
        }[kind]
        raise UserError(f"{file} states no pixel size: state {entry}{when} in dataset.toml.")
    if are_unlike(sizes["y"], sizes["x"]):
        raise UserError(
            f"{file} has pixels of {sizes['y']:g} x {sizes['x']:g} µm, and only square ones are "
            "registered: resample it."
        )
    part = common_rectangle([find_valid(image.values)], (image.sizes["y"], image.sizes["x"]))
    rows, columns = part or (slice(None), slice(None))
    return _Image(image.isel(y=rows, x=columns), sizes["x"])


def _share(item: Item, input: _Image, target: _Image) -> float:
    """Return the side of the target's field in that of the input's; refuse one that cannot be."""
    share = target.side_um / input.side_um
    if not _LEAST_FIELD <= share <= 1 / _LEAST_FIELD:
        raise UserError(
            f"{item.target} shows {target.side_um:.3g} µm before expansion, its pixels divided by "
            f"{item.expansion_factor:g}, and {item.input} {input.side_um:.3g} µm: correct pixel "
            "sizes or expansion_factor in dataset.toml."
        )
    return share


def _hint(factor: float, share: float) -> str:
    """Say what is likely where two images do not fit and would be as large without the factor."""
    if factor == 1 or not 1 / 2 < share * factor < 2:
        return ""
    return (
        " If the target's pixel sizes are those before expansion already, state "
        "expansion_factor = 1 in dataset.toml."
    )


def _fetched(
    target: _Image,
    coarse: tuple[int, ...],
    field: Field,
    shape: tuple[int, int],
    pixel_um: float,
) -> _Plane:
    """Fetch a target's own pixels for a grid over the input; NaN where it has none.

    `coarse` is the target's shape on the pixels of the field.
    """
    values = target.plane.values.astype(np.float64)
    if pixel_um > target.pixel_um:  # what is finer than the new pixels would alias
        values = ndimage.gaussian_filter(values, (pixel_um / target.pixel_um - 1) / 2)
    own = np.array(values.shape)[:, None, None]
    per_pixel = np.array(field.shape[1:])[:, None, None] / np.array(shape)[:, None, None]
    seen = (np.indices(shape) + 0.5) * per_pixel + linear(field, shape)
    at = seen * own / np.array(coarse)[:, None, None] - 0.5
    return warp(values, at - np.indices(shape))


def _scored(item: Item, usable: NDArray[np.bool_]) -> Rectangle:
    """Return the largest rectangle that may be scored."""
    part = largest_rectangle(usable)
    sides = [along.stop - along.start for along in part]
    if min(sides) < _LEAST_SIDE_PX:
        raise UserError(
            f"{item.input} and its target have {sides[0]} x {sides[1]} pixels of the input in "
            f"common whose registration is surer than the input's blur is wide, and scores need "
            f"{_LEAST_SIDE_PX} x {_LEAST_SIDE_PX}: give images that show more of one field."
        )
    return part


def _placed(coarse: _Plane, found: ExpandedRegistration) -> _Plane:
    """Return the target under the affine map alone, as the picture begins with."""
    placed = warp(coarse, found.placed.field(found.field.shape[1:]))
    return np.nan_to_num(placed, nan=float(coarse.min()))


def _image(values: NDArray[np.floating], pixel_um: float) -> xr.DataArray:
    dims = ("b", "y", "x")[-values.ndim :]
    sizes = {"y": pixel_um, "x": pixel_um}
    return xr.DataArray(values.astype(np.float32), dims=dims, attrs={"pixel_size_um": sizes})


def _root_mean_square(values: _Plane) -> float:
    return float(np.sqrt(np.mean(values**2)))
