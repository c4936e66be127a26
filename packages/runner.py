"""Restore images of any size, in memory or not, with one package.

Each plane (for 3-D networks each volume) is one sample. Statistics are measured on the whole image,
or on what shares a scale of intensities; then windows of each sample are read, brought to the
package's pixel size, processed and written one by one. What lies beyond the image is its mirror
image.
"""

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.channels import there
from imaging.cli import UserError, counted
from imaging.formats.header import Writable
from imaging.tiles import AxisGeometry, CannotTileError, Window, windows
from packages.counting import CountingPixels
from packages.network import Network
from packages.package import Package
from packages.processing import IntensityScale, Measured
from packages.resampling import held_if_small
from packages.samples import Sample, blocks_of

__all__ = ["Runner"]

Scale = Literal["stack", "plane", "first"]
"""What shares a scale of intensities: all planes and time points of an image; no two of them; or
all, with the scale of the first time point, or of the first plane where there is no time."""

# Side of the windows of planes in pixels: a few hundred MiB in a usual U-Net.
DEFAULT_TILE = 768
# Of volumes as many planes and voxels, about: few planes leave room for wide windows.
_DEEPEST = 48
_MOST_VOXELS = 2**22
_WHOLE = AxisGeometry(minimum=1, step=1)

Report = Callable[[int, int], None]
Part = tuple[tuple[int | slice, ...], NDArray[np.float32], Measured]
"""A region of a result, (c, z, y, x) values for it, and what was measured of its image."""


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
    scale
        What shares a scale of intensities.

    Raises
    ------
    UserError
        The package cannot be loaded, or not be run window by window.
    """

    def __init__(
        self,
        package: Package,
        *,
        weights: str | None = None,
        device: str | None = None,
        scale: Scale = "stack",
    ) -> None:
        self.package = package
        self._scale = scale
        self._network = Network(package, weights=weights, device=device)

    def __call__(
        self,
        image: xr.DataArray,
        tile: int | None = None,
        progress: Report | None = None,
        *,
        grid: tuple[int, int] | None = None,
    ) -> xr.DataArray:
        """Restore an image.

        Parameters
        ----------
        image
            Axes out of b, c, z, y, x; 2-D models restore each plane by itself, on a scale of
            intensities that all planes share if no other was asked for.
        tile
            Side of the windows in pixels, about; a value for which memory suffices when omitted.
        progress
            Called with the number of windows done and their total.
        grid
            Rows and columns of the package's pixel size, see `packages.resampling.grid`, to which
            the image is resampled; its own when omitted.

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
        restoration = self.prepare(image, grid or (image.sizes["y"], image.sizes["x"]))
        layout = restoration.layout
        result = np.empty(layout.shape, np.float32)
        restoration.write(result, tile=tile, progress=progress)
        return xr.DataArray(
            result,
            dims=layout.dims,
            coords={"c": layout.channels},
            attrs={"pixel_size_um": layout.pixel_size_um},
        )

    def prepare(self, image: xr.DataArray, grid: tuple[int, int]) -> "Restoration":
        """Measure an image, so that it can be restored region by region.

        Parameters
        ----------
        image
            It may be lazy, and larger than memory.
        grid
            Rows and columns it is to be resampled to.

        Returns
        -------
        Restoration
            What the result will be, and what writes it.

        Raises
        ------
        UserError
            As of a call.
        """
        self._refuse_axes(image)
        layout = self._layout(image, grid)
        places = list(self._places(image))
        counting = [CountingPixels(image.isel(place), grid) for place in places]
        image = held_if_small(image, grid)
        samples = [
            Sample(image, grid, place, which) for place, which in zip(places, counting, strict=True)
        ]
        measured = self._measure(samples)
        lowest = min(one.image.lowest for one in measured)
        if image.size > 1 and lowest == max(one.image.highest for one in measured):
            raise UserError(
                f"All pixels of the image are equal ({lowest:g}): there is nothing to restore."
            )
        return Restoration(self._network, layout, samples, measured)

    def _layout(self, image: xr.DataArray, grid: tuple[int, int]) -> Layout:
        geometry = self._network.geometry
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

    def _measure(self, samples: Sequence[Sample]) -> list[Measured]:
        """Measure what shares a scale with each sample."""
        if self._scale == "plane":
            return [self._measure_together([sample]) for sample in samples]
        if self._scale == "first":
            for sample in samples:
                self._network.processing.moments(sample.blocks)  # refuses what cannot be restored
            axis = "b" if "b" in samples[0].place else "z"
            samples_of_scale = [sample for sample in samples if not sample.place.get(axis)]
        else:
            # Registration moves planes out of the field, and files lose some.
            samples_of_scale = [sample for sample in samples if not sample.is_blank] or samples
        return [self._measure_together(samples_of_scale)] * len(samples)

    def _measure_together(self, samples: Sequence[Sample]) -> Measured:
        """Measure samples as one image; it becomes constant where only rounding makes it vary."""
        processing = self._network.processing
        measured = processing.measure(lambda channel: blocks_of(samples, channel))
        if measured.image.flat and measured.image.lowest < measured.image.highest:
            for sample in samples:
                sample.level = round(measured.image.mean, 9)
            measured = processing.measure(lambda channel: blocks_of(samples, channel))
        return measured

    def _places(self, image: xr.DataArray) -> Iterator[dict[str, int]]:
        """Yield where each sample lies along the axes the network does not have."""
        outer = [d for d in "bz" if d in image.dims and d not in self._network.geometry]
        for place in itertools.product(*(range(image.sizes[d]) for d in outer)):
            yield dict(zip(outer, place, strict=True))

    def _refuse_axes(self, image: xr.DataArray) -> None:
        dims = [str(d) for d in image.dims]
        if not {"y", "x"} <= set(dims) <= set("bczyx"):
            raise UserError(f"An image has axes out of b, c, z, y, x, not {', '.join(dims)}.")
        if "z" in self._network.geometry and "z" not in dims:
            raise UserError(
                f"{self.package.path} restores volumes, and the image has no z axis: give a stack."
            )
        channels, expected = image.sizes.get("c", 1), self._network.processing.input_channels
        if channels != expected:
            raise UserError(
                f"The image has {counted(channels, 'channel')} and the package takes {expected}: "
                + (
                    f"choose one with `packages predict --channel` (there are {there(image)}), or "
                    "save it as its own image."
                    if expected == 1
                    else "give an image of just the channels it was trained on, in their order."
                )
            )


class Restoration:
    """An image that was measured and can be written restored, region by region.

    Attributes
    ----------
    layout
        What the result is.
    """

    def __init__(
        self,
        network: Network,
        layout: Layout,
        samples: Sequence[Sample],
        measured: Sequence[Measured],
    ) -> None:
        self.layout = layout
        self._network = network
        self._samples = samples
        self._measured = measured

    @property
    def intensity_scales(self) -> list[IntensityScale]:
        """Return how intensities of each plane or volume and its result go together.

        In the order of the axes b and z; once where all share one; empty where it is not known.
        """
        scales = [self._network.processing.intensity_scale(one) for one in self._measured]
        known = [scale for scale in scales if scale is not None]
        return known[:1] if len(set(known)) == 1 else known

    def write(
        self, out: Writable, *, tile: int | None = None, progress: Report | None = None
    ) -> None:
        """Restore region by region.

        Parameters
        ----------
        out
            Takes ``out[index] = array``, of the layout; an array, or what `images.create` yields.
        tile, progress
            As for a call of the runner.

        Raises
        ------
        UserError
            The network fails, or larger images cannot be restored in windows.
        """
        if not self._network.processing.awaits_result:
            for region, block, measured in self._run(tile, progress):
                out[region] = self._in_layout(self._network.finish(block, measured))
            return
        with tempfile.TemporaryFile() as file:  # the result may be larger than memory
            raw = np.memmap(file, np.float32, "w+", shape=self.layout.shape)
            for region, block, _ in self._run(tile, progress):
                raw[region] = self._in_layout(block)
            for region, block, measured in self._with_statistics_of(raw):
                out[region] = self._in_layout(self._network.finish(block, measured))

    def _run(self, tile: int | None, progress: Report | None) -> Iterator[Part]:
        """Yield what the network gives of each window."""
        grid = list(itertools.product(*self._windows(tile)))
        total = len(self._samples) * len(grid)
        jobs = itertools.product(zip(self._samples, self._measured, strict=True), grid)
        for done, ((sample, measured), (z, y, x)) in enumerate(jobs, start=1):
            block = self._network.run(sample.window(z, y, x), measured)
            places = {"z": z.place, "y": y.place, "x": x.place} | sample.place
            yield self._region(places), block[:, z.keep, y.keep, x.keep], measured
            if progress:
                progress(done, total)

    def _with_statistics_of(self, raw: NDArray[np.float32]) -> Iterator[Part]:
        """Yield what the network gave of each sample, with statistics of what shares its scale."""
        processing = self._network.processing
        regions = [self._region(sample.place) for sample in self._samples]
        for one in {id(measured): measured for measured in self._measured}.values():
            together = [
                region
                for region, measured in zip(regions, self._measured, strict=True)
                if measured is one
            ]
            blocks = [self._from_layout(raw[region]) for region in together]
            measured = processing.measure_result(
                one,
                lambda channel, blocks=blocks: (
                    lambda: (block if channel is None else block[channel] for block in blocks)
                ),
            )
            for region, block in zip(together, blocks, strict=True):
                yield region, block, measured

    def _region(self, places: Mapping[str, int | slice]) -> tuple[int | slice, ...]:
        return tuple(places.get(d, slice(None)) for d in self.layout.dims)

    def _in_layout(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a block (c, z, y, x) without z where the network has none."""
        return block if "z" in self._network.geometry else block[:, 0]

    def _from_layout(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        return block if "z" in self._network.geometry else block[:, None]

    def _windows(self, tile: int | None) -> list[list[Window]]:
        geometry = self._network.geometry
        depth, *sides = self._samples[0].shape
        try:
            along_z = windows(depth, geometry.get("z", _WHOLE), tile or _DEEPEST)
            if tile is None:
                planes = along_z[0].stop - along_z[0].start
                tile = math.isqrt(_MOST_VOXELS // planes) if "z" in geometry else DEFAULT_TILE
            in_plane = (windows(n, geometry[d], tile) for d, n in zip("yx", sides, strict=True))
            return [along_z, *in_plane]
        except CannotTileError as error:
            raise UserError(
                f"{self._network.package.path} cannot restore larger images: {error}."
            ) from error
