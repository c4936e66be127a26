"""Controls: what every restoration is compared with. One function each, found in `CONTROLS`.

A control makes a prediction from an item of a dataset: the input on its own grid, the truth on that
of the target, what is restored on the finer of the two. It raises `NotApplicable` where what it
needs of the item is not there or no plane has contrast. Like packages it delivers float32 with
percentiles 2 and 99.8 at 0 and 1, those of all planes together, so that raw metrics treat both
alike and planes keep their relative brightness. Planes without contrast count for nothing there
and are 0.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from benchmark.metrics.intensity import ends
from benchmark.metrics.metric import NotApplicable
from benchmark.running.scored_part import scored_part
from imaging.datasets import Item
from imaging.deconvolution import NoiseModel, blur_and_sample, deconvolve
from imaging.images import read
from imaging.scores import INPUT, Delivery
from imaging.valid import find_valid, on_grid

Plane = NDArray[np.float64]


def input(item: Item) -> xr.DataArray:
    """Return the input as it is: no restoration."""
    return _per_plane(np.asarray, item, item.input, grid=item.read_input())


def bicubic(item: Item) -> xr.DataArray:
    """Interpolate the microscope's own pixels onto the grid of what is restored.

    Keys' cubic convolution (1981, doi:10.1109/TASSP.1981.1163711; a = −1/2) between pixel centres;
    both grids cover the same field.
    """
    grid = _restored_grid(item)

    def interpolate(native: Plane) -> Plane:
        # antialias makes torch take a = −1/2, as Pillow and the literature, instead of −3/4;
        # towards finer pixels it changes nothing else.
        fine = F.interpolate(
            torch.from_numpy(native)[None, None],
            size=grid.shape[-2:],
            mode="bicubic",
            align_corners=False,
            antialias=True,
        )
        return fine[0, 0].numpy()

    return _per_plane(interpolate, item, _recorded(item), grid)


def richardson_lucy(item: Item) -> xr.DataArray:
    """Deconvolve the microscope's own pixels with the known PSF, onto the grid of what is restored.

    See `imaging.deconvolution` for the model and the stopping rule. It is told what no real
    experiment knows exactly (PSF, gain, noise), and nothing of the truth.

    Parameters
    ----------
    item
        With `native` or a finer target, and with ``blur_fwhm_um``, ``background_photons``,
        ``gain_counts_per_photon``, ``offset_counts``, ``read_noise_counts`` and
        ``excess_noise_factor`` in `microscope`; ``averaged_lines`` is 1 where it is not said.

    Raises
    ------
    NotApplicable
        Also where native pixels are not a whole number of pixels wide.
    """
    native, grid = _recorded(item), _restored_grid(item)
    blur_um = _known(item, "blur_fwhm_um")
    gain = _known(item, "gain_counts_per_photon")
    offset = _known(item, "offset_counts")
    scans = float(item.microscope.get("averaged_lines", 1))
    coarse = read(native)
    # A detector that counts in whole numbers adds the variance of rounding.
    rounding = 1 / 12 if np.issubdtype(coarse.dtype, np.integer) else 0.0
    detector = NoiseModel(
        background_photons=_known(item, "background_photons"),
        excess_noise_factor=_known(item, "excess_noise_factor") / scans,
        read_variance=(_known(item, "read_noise_counts") ** 2 / scans + rounding) / gain**2,
    )
    pixel_um: dict[str, float] = grid.attrs.get("pixel_size_um", {})
    if not {"y", "x"} <= pixel_um.keys():
        raise NotApplicable(
            f"Neither {item.input} nor dataset.toml says the pixel size, so the PSF has no width."
        )

    def operator(axis: str) -> sparse.csr_array:
        factor, rest = divmod(grid.sizes[axis], coarse.sizes[axis])
        if rest:
            raise NotApplicable(
                f"{native} has {coarse.sizes[axis]} pixels along {axis}, which does not divide "
                f"{grid.sizes[axis]}: the sampling of the microscope is not known."
            )
        return blur_and_sample(grid.sizes[axis], factor, blur_um / pixel_um[axis])

    rows, columns = operator("y"), operator("x")

    def restore(counts: Plane) -> Plane:
        return deconvolve((counts - offset) / gain, rows, columns, detector)

    return _per_plane(restore, item, native, grid)


def truth(item: Item) -> xr.DataArray:
    """Return the target itself: perfect restoration, up to float32."""
    if item.target is None:
        raise NotApplicable("The dataset has no target/, so the truth is not known.")
    return _per_plane(np.asarray, item, item.target, grid=read(item.target))


DELIVERY: Delivery = "part"
CONTROLS: dict[str, Callable[[Item], xr.DataArray]] = {
    INPUT: input,
    **{control.__name__: control for control in (bicubic, richardson_lucy, truth)},
}


def _restored_grid(item: Item) -> xr.DataArray:
    """Return an image on the grid of what is restored: the target where it is finer."""
    seen, truth = item.read_input(), item.read_target(lazy=True)
    return seen if truth is None or not _is_finer(truth, seen) else truth


def _is_finer(image: xr.DataArray, other: xr.DataArray) -> bool:
    return all(image.sizes[axis] > other.sizes[axis] for axis in "yx")


def _recorded(item: Item) -> Path:
    """Return the microscope's own pixels: those of an input with a finer target, too."""
    if item.native is not None:
        return item.native
    truth = item.read_target(lazy=True)
    if truth is not None and _is_finer(truth, item.read_input(lazy=True)):
        return item.input
    raise NotApplicable("The dataset has no native/, so the microscope's pixels are not known.")


def _known(item: Item, parameter: str) -> float:
    if parameter not in item.microscope:
        raise NotApplicable(
            f"dataset.toml does not say {parameter} of the microscope of image '{item.name}'."
        )
    return float(item.microscope[parameter])


def _per_plane(
    function: Callable[[Plane], Plane], item: Item, path: Path, grid: xr.DataArray
) -> xr.DataArray:
    """Apply a function of one plane to an image that has the axes of `grid`, and normalise all."""
    image = read(path)
    if image.shape[:-2] != grid.shape[:-2]:
        raise NotApplicable(
            f"{path} has axes {dict(image.sizes)}, which do not fit {dict(grid.sizes)}."
        )
    planes = image.values.reshape(-1, *image.shape[-2:])
    contrasting = planes.min((1, 2)) < planes.max((1, 2))
    if not contrasting.any():
        ends(planes[0])  # says why
    shape = (grid.sizes["y"], grid.sizes["x"])
    restored = np.zeros((len(planes), *shape))
    counts = np.zeros(restored.shape, np.bool_)
    for number in np.flatnonzero(contrasting):
        plane = planes[number].astype(np.float64)
        restored[number] = function(plane)
        recorded = find_valid(plane)
        counts[number] = recorded is None or ~on_grid(~recorded.pixels, shape)
    field = [image for image in (item.read_input(), item.read_target()) if image is not None]
    rows, columns = scored_part(field, shape) or np.s_[:, :]
    low, high = ends(restored[:, rows, columns][counts[:, rows, columns]])
    restored[contrasting] = (restored[contrasting] - low) / (high - low)
    return grid.copy(data=restored.reshape(grid.shape).astype(np.float32))
