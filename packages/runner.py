"""Restore images of any size, in memory or not, with one package.

Each plane (for 3-D networks each volume) is one sample: its statistics are measured on the whole
of it, then windows of it are read, brought to the package's pixel size, processed and written one
by one. What lies beyond the image is its mirror image.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.block_statistics import Blocks, Moments
from imaging.cli import UserError
from imaging.formats.header import Writable
from imaging.resample import linear
from imaging.tiles import AxisGeometry, CannotTileError, Window, reflect, windows
from packages.network import Network, Statistics
from packages.package import Package

__all__ = ["Runner"]

# Side of the windows in pixels, by number of spatial axes: a few hundred MiB in a usual U-Net.
DEFAULT_TILE = {2: 768, 3: 128}
# Images up to this size are resampled once as a whole, larger ones again for each pass.
_IN_MEMORY_PIXELS = 2**25
_BLOCK_PIXELS = 2**22
# Pixel sizes that differ by less are the same: calibrations are no better.
_SAME_PIXEL_SIZE = 0.02
# Beyond this factor a pixel size is a mistake, not another microscope.
_LARGEST_RESAMPLING = 64
_WHOLE = AxisGeometry(minimum=1, step=1)

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Layout:
    """What a restored image will be: axes, shape, pixel size, and the grid its input has."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    pixel_size_um: dict[str, float]
    channels: list[str]
    grid: tuple[int, int]


class Runner:
    """Restores images with one package, whose weights are loaded once.

    Parameters
    ----------
    package
        An open package.
    weights
        "pytorch_state_dict", "torchscript" or "onnx"; the first that may run when omitted.
    device
        For example "cpu" or "cuda:0"; a GPU where there is one when omitted.

    Raises
    ------
    UserError
        The package cannot be loaded, or not be run window by window.
    """

    def __init__(
        self, package: Package, *, weights: str | None = None, device: str | None = None
    ) -> None:
        self.package = package
        self._network = Network(package, weights=weights, device=device)

    def __call__(
        self, image: xr.DataArray, tile: int | None = None, progress: Report | None = None
    ) -> xr.DataArray:
        """Restore an image that is at the package's pixel size (see `resample`).

        Parameters
        ----------
        image
            Axes out of b, c, z, y, x; 2-D models restore each plane by itself.
        tile
            Side of the windows in pixels, about; a value for which memory suffices when omitted.
        progress
            Called with the number of windows done and their total.

        Returns
        -------
        xr.DataArray
            float32, axes as in the image and c, named by the package; attribute `pixel_size_um`
            where the image has it.

        Raises
        ------
        UserError
            Nothing to restore (all pixels are equal), NaN, axes or channels that do not fit.
        """
        layout = self.layout(image, (image.sizes["y"], image.sizes["x"]))
        result = np.empty(layout.shape, np.float32)
        self.restore(image, layout, result, tile=tile, progress=progress)
        return xr.DataArray(
            result,
            dims=layout.dims,
            coords={"c": layout.channels},
            attrs={"pixel_size_um": layout.pixel_size_um},
        )

    def layout(self, image: xr.DataArray, grid: tuple[int, int]) -> Layout:
        """Say what restoring an image will give.

        Parameters
        ----------
        image
            The image; its pixels are not read.
        grid
            Rows and columns the image is to be resampled to.

        Returns
        -------
        Layout
            Axes in the order b, c, z, y, x.
        """
        geometry = self._network.geometry
        self._refuse_axes(image)
        given: dict[str, int] = {str(d): n for d, n in image.sizes.items()}
        on_grid = given | dict(zip("yx", grid, strict=True))
        sizes = {
            d: geometry[d].output_length(n) if d in geometry else n for d, n in on_grid.items()
        }
        sizes["c"] = len(self.package.channels)
        dims = tuple(d for d in "bczyx" if d in sizes)
        pixel_size_um = {
            d: size * given[d] / on_grid[d] / float(geometry[d].scale if d in geometry else 1)
            for d, size in image.attrs.get("pixel_size_um", {}).items()
            if d in given
        }
        shape = tuple(sizes[d] for d in dims)
        return Layout(dims, shape, pixel_size_um, self.package.channels, grid)

    def restore(
        self,
        image: xr.DataArray,
        layout: Layout,
        out: Writable,
        *,
        tile: int | None = None,
        progress: Report | None = None,
    ) -> None:
        """Restore an image region by region, for images and results larger than memory.

        Parameters
        ----------
        image
            May be lazy.
        layout
            Of the result, as `layout` gave it for this image.
        out
            Takes ``out[index] = array``; an array, or what `images.create` yields.
        tile, progress
            As for a call.
        """
        image = _held_if_small(image, layout.grid)
        samples = [_Sample(image, layout.grid, place) for place in self._places(image)]
        measured = [self._measured(sample) for sample in samples]
        lowest = min(moments.lowest for _, moments in measured)
        if image.size > 1 and lowest == max(moments.highest for _, moments in measured):
            raise UserError(
                f"All pixels of the image are equal ({lowest:g}): there is nothing to restore."
            )
        grid = list(itertools.product(*self._windows(samples[0], tile)))
        total = len(samples) * len(grid)
        jobs = itertools.product(zip(samples, measured, strict=True), grid)
        for done, ((sample, (statistics, _)), (z, y, x)) in enumerate(jobs, start=1):
            restored = self._network(sample.window(z, y, x), statistics)
            kept = restored[:, z.keep, y.keep, x.keep]
            region: dict[str, int | slice] = {"z": z.place, "y": y.place, "x": x.place}
            region |= sample.place
            if "z" not in self._network.geometry:
                kept = kept[:, 0]
            out[tuple(region.get(d, slice(None)) for d in layout.dims)] = kept
            if progress:
                progress(done, total)

    def _measured(self, sample: "_Sample") -> tuple[Statistics, Moments]:
        """Measure a sample; one that is constant but for rounding becomes constant."""
        measured = self._network.statistics(sample.blocks)
        if measured[1].flat and measured[1].lowest < measured[1].highest:
            sample.level = round(measured[1].mean, 9)
            measured = self._network.statistics(sample.blocks)
        return measured

    def _places(self, image: xr.DataArray) -> Iterator[dict[str, int]]:
        """Yield where each sample lies along the axes the network does not have."""
        outer = [d for d in "bz" if d in image.dims and d not in self._network.geometry]
        for place in itertools.product(*(range(image.sizes[d]) for d in outer)):
            yield dict(zip(outer, place, strict=True))

    def _windows(self, sample: "_Sample", tile: int | None) -> list[list[Window]]:
        geometry = self._network.geometry
        tile = tile or DEFAULT_TILE[len(geometry)]
        try:
            return [
                windows(length, geometry.get(dimension, _WHOLE), tile)
                for dimension, length in zip("zyx", sample.shape, strict=True)
            ]
        except CannotTileError as error:
            raise UserError(
                f"{self.package.path} cannot restore larger images: {error}."
            ) from error

    def _refuse_axes(self, image: xr.DataArray) -> None:
        dims = [str(d) for d in image.dims]
        if not {"y", "x"} <= set(dims) <= set("bczyx"):
            raise UserError(f"An image has axes out of b, c, z, y, x, not {', '.join(dims)}.")
        if "z" in self._network.geometry and "z" not in dims:
            raise UserError(
                f"{self.package.path} restores volumes, and the image has no z axis: give a stack."
            )
        channels, expected = image.sizes.get("c", 1), self._network.input_channels
        if channels != expected:
            raise UserError(
                f"The image has {channels} channels and the package takes {expected}: "
                "save the channel to restore as an image of its own."
            )


class _Sample:
    """A plane or volume of an image on the package's grid, read region by region."""

    def __init__(self, image: xr.DataArray, grid: tuple[int, int], place: dict[str, int]) -> None:
        self.place = place
        self._image = image.isel(place)
        self._grid = grid
        self.shape = (self._image.sizes.get("z", 1), *grid)
        self.level: float | None = None  # what all pixels are taken for

    def window(self, *along: Window) -> NDArray[np.floating]:
        """Return (c, z, y, x) of a window, mirrored where it leaves the image."""
        taps = [reflect(w.start, w.stop, n) for w, n in zip(along, self.shape, strict=True)]
        first = [int(t.min()) for t in taps]
        block = self._read(*(slice(f, int(t.max()) + 1) for f, t in zip(first, taps, strict=True)))
        z, y, x = (t - f for t, f in zip(taps, first, strict=True))
        return block[:, z[:, None, None], y[:, None], x]

    def blocks(self, channel: int | None) -> Blocks:
        """Return what yields the pixels of one channel, or of all, in pieces."""
        rows = max(_BLOCK_PIXELS // self.shape[2], 1)

        def pieces() -> Iterator[NDArray[np.floating]]:
            for z in range(self.shape[0]):
                for y in range(0, self.shape[1], rows):
                    stop = min(y + rows, self.shape[1])
                    block = self._read(slice(z, z + 1), slice(y, stop), slice(0, self.shape[2]))
                    yield block if channel is None else block[channel]

        return pieces

    def _read(self, z: slice, y: slice, x: slice) -> NDArray[np.floating]:
        has_z, has_c = ("z" in self._image.dims), ("c" in self._image.dims)
        image = self._image.isel(z=z) if has_z else self._image
        ordered = image.transpose(*(d for d in "czyx" if d in image.dims))
        block = linear(ordered, self._grid, (y, x))
        block = block if self.level is None else np.full_like(block, self.level)
        block = block if has_z else block[..., None, :, :]
        return block if has_c else block[None]


def resample(image: xr.DataArray, pixel_size_um: dict[str, float]) -> xr.DataArray:
    """Bring an image to a pixel size with the interpolation used in training.

    Parameters
    ----------
    image
        With the attribute `pixel_size_um`; unchanged where that is unknown or within 2 %.
    pixel_size_um
        Wanted along y and x; what is missing stays.

    Returns
    -------
    xr.DataArray
        float32 (or float64, see `imaging.resample.linear`), the field of view unchanged.
    """
    shape = grid(image, pixel_size_um)
    if shape == (image.sizes["y"], image.sizes["x"]):
        return image
    return _on_grid(image, shape)


def grid(image: xr.DataArray, pixel_size_um: dict[str, float]) -> tuple[int, int]:
    """Return how many rows and columns an image has at a pixel size.

    Parameters
    ----------
    image, pixel_size_um
        As for `resample`.

    Returns
    -------
    tuple of int
        Its own where its pixel size is unknown or the wanted one within 2 %.

    Raises
    ------
    UserError
        The pixel sizes differ by more than a factor of 64.
    """
    own: dict[str, float] = image.attrs.get("pixel_size_um", {})
    lengths: list[int] = []
    for dimension in "yx":
        length = image.sizes[dimension]
        if dimension in own and dimension in pixel_size_um:
            ratio = own[dimension] / pixel_size_um[dimension]
            if not 1 / _LARGEST_RESAMPLING <= ratio <= _LARGEST_RESAMPLING:
                raise UserError(
                    f"The image's pixels of {own[dimension]:g} µm are too far from the package's "
                    f"{pixel_size_um[dimension]:g} µm: correct the pixel size."
                )
            if abs(ratio - 1) > _SAME_PIXEL_SIZE:
                length = max(round(length * ratio), 1)
        lengths.append(length)
    return lengths[0], lengths[1]


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


def _held_if_small(image: xr.DataArray, shape: tuple[int, int]) -> xr.DataArray:
    pixels = image.size // (image.sizes["y"] * image.sizes["x"]) * shape[0] * shape[1]
    return _on_grid(image, shape) if pixels <= _IN_MEMORY_PIXELS else image
