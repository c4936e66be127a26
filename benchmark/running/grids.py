"""Restored images on the grid of what they are compared with."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmark.running.restore import RestorationError
from imaging.resample import linear

Planes = NDArray[np.floating]  # (n, y, x)


def on_common_grid(
    restored: xr.DataArray, truth: xr.DataArray | None
) -> tuple[Planes, Planes | None]:
    """Return the planes of both images that are to be compared, on the truth's grid.

    A package with a pixel size or a magnification of its own restores on its own grid: the same
    field of view is brought onto the truth's, see `onto_grid`. So are planes of another distance.

    Parameters
    ----------
    restored, truth
        Axes out of b, c, z, y, x; the truth may be unknown.

    Returns
    -------
    tuple of ndarray
        (n, y, x) each; of several restored channels the one that truth is of.

    Raises
    ------
    RestorationError
        Their sizes differ, and not only by their pixel sizes.
    """
    if truth is None or "c" not in truth.dims:
        restored = mean_channel(restored)
    if truth is None:
        return planes_in(restored), None
    if restored.sizes != truth.sizes and _same_field(restored, truth):
        on_grid = onto_grid(restored, (truth.sizes["y"], truth.sizes["x"]))
        if "z" in restored.dims:
            on_grid = _onto_planes(on_grid, truth.sizes["z"])
        restored = xr.DataArray(on_grid, dims=restored.dims)
    if restored.sizes != truth.sizes:
        raise RestorationError(
            f"The image to be compared is {_size(restored)}, the truth {_size(truth)}, and their "
            "pixel sizes do not say that both show the same field: state pixel_size_um and "
            "target_pixel_size_um in dataset.toml, or crop or resample the truth."
        )
    return planes_in(restored), planes_in(truth)


def mean_channel(image: xr.DataArray) -> xr.DataArray:
    """Take the channel that is compared with the truth and shown.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x.

    Returns
    -------
    xr.DataArray
        Without the axis c: of several channels the one named mean, or else the first.
    """
    if "c" not in image.dims:
        return image
    mean = named_channel(image, "mean")
    return image.isel(c=0) if mean is None else mean


def named_channel(image: xr.DataArray, name: str) -> xr.DataArray | None:
    """Take a channel by its name.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x.
    name
        For example "std".

    Returns
    -------
    xr.DataArray or None
        Without the axis c; None where no channel has this name.
    """
    if "c" not in image.coords:
        return None
    names = [str(name) for name in np.atleast_1d(image.coords["c"].values)]
    if name not in names:
        return None
    return image.isel(c=names.index(name)) if "c" in image.dims else image


def onto_grid(image: xr.DataArray, shape: tuple[int, int]) -> NDArray[np.floating]:
    """Bring an image to a grid of other pixels over the same field.

    Towards coarser pixels each new one is the mean over its area. The wider filter of
    `imaging.resample.linear` would smooth, and thereby improve, what is compared with images that
    were on that grid from the start. Towards finer pixels this is linear interpolation.

    Parameters
    ----------
    image
        Axes end with y, x.
    shape
        Rows and columns of the result.

    Returns
    -------
    ndarray
        (..., rows, columns).
    """
    values = image.values
    for axis, length in zip((-2, -1), shape, strict=True):
        if length < values.shape[axis]:
            values = area_mean(values, length, axis)
    return values if values.shape[-2:] == shape else linear(values, shape)


def area_mean(values: NDArray[np.floating], length: int, axis: int) -> NDArray[np.float64]:
    """Average over the pixels, and parts of pixels, that each coarser pixel covers.

    Parameters
    ----------
    values
        Any shape.
    length
        Of the result along the axis, at most that of the values.
    axis
        Along which to average.

    Returns
    -------
    ndarray
        Means that weigh the values by the length they have in common with the new pixel.

    Examples
    --------
    >>> area_mean(np.array([1.0, 3.0, 5.0]), 2, axis=0)
    array([1.66666667, 4.33333333])
    """
    fine = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    edges = np.arange(length + 1) * (len(fine) / length)
    whole = np.minimum(edges.astype(np.intp), len(fine) - 1)
    part = (edges - whole).reshape(-1, *(1,) * (fine.ndim - 1))
    before = np.concatenate([np.zeros_like(fine[:1]), np.cumsum(fine, axis=0)])
    integral = before[whole] + part * fine[whole]
    means = (integral[1:] - integral[:-1]) * (length / len(fine))
    return np.moveaxis(means, 0, axis)


def planes_in(image: xr.DataArray) -> Planes:
    """Return all planes of an image, in the order of its axes."""
    return image.values.reshape(-1, *image.shape[-2:])


def _onto_planes(values: NDArray[np.floating], planes: int) -> NDArray[np.floating]:
    """Bring a volume (..., z, y, x) to other planes over the same depth, as `onto_grid` pixels."""
    if planes <= values.shape[-3]:
        return area_mean(values, planes, -3) if planes < values.shape[-3] else values
    rows = linear(np.moveaxis(values, -3, -2), (planes, values.shape[-1]))
    return np.moveaxis(rows, -2, -3)


def _same_field(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Tell whether two images of known pixel sizes show as much, to within 2 % of a side."""
    sizes: list[dict[str, float]] = [i.attrs.get("pixel_size_um", {}) for i in (one, other)]
    compared = "yx" if one.sizes.get("z") == other.sizes.get("z") else "zyx"
    if not all(set(compared) <= size.keys() for size in sizes):
        return False
    fields = [
        [image.sizes[d] * size[d] for d in compared]
        for image, size in zip((one, other), sizes, strict=True)
    ]
    return bool(np.allclose(fields[0], fields[1], rtol=0.02))


def _size(image: xr.DataArray) -> str:
    return " x ".join(f"{length} {dim}" for dim, length in image.sizes.items())
