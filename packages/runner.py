"""Restore images of any size, in memory or not, with one package.

Each plane (for 3-D networks each volume) is one sample. Statistics are measured on the whole image,
or on what shares a scale of intensities; then windows of each sample are read, brought to the
package's pixel size, processed and written one by one. What lies beyond the image is its mirror
image.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from imaging.channels import identifiers, there
from imaging.cli import UserError, counted
from packages.counting import CountingPixels
from packages.network import Network
from packages.package import Package
from packages.processing import Measured
from packages.resampling import held_if_small
from packages.restoration import Known, Layout, Report, Restoration
from packages.samples import Sample, blocks_of

__all__ = ["Runner"]

Scale = Literal["stack", "plane", "first"]
"""What shares a scale of intensities: all planes and time points of an image; no two of them; or
all, with the scale of the first time point, or of the first plane where there is no time."""


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

    def prepare(
        self, image: xr.DataArray, grid: tuple[int, int], known: Known | None = None
    ) -> Restoration:
        """Measure an image, so that it can be restored region by region.

        Parameters
        ----------
        image
            It may be lazy, and larger than memory.
        grid
            Rows and columns it is to be resampled to.
        known
            What was measured of it before; it is measured when omitted.

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
        if known is not None:
            for sample, level in zip(samples, known.levels, strict=True):
                sample.level = level
            return Restoration(self._network, layout, samples, known.measured)
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
        channels = self.package.channels
        if self.package.restores_channels and "c" in image.coords:
            channels = [str(name) for name in image.coords["c"].values]
        sizes["c"] = len(channels)
        dims = tuple(d for d in "bczyx" if d in sizes)
        pixel_size_um = {
            d: size * given[d] / on_grid[d] / float(geometry[d].scale if d in geometry else 1)
            for d, size in image.attrs.get("pixel_size_um", {}).items()
            if d in given
        }
        shape = tuple(sizes[d] for d in dims)
        return Layout(dims, shape, pixel_size_um, channels, grid)

    def _measure(self, samples: Sequence[Sample]) -> list[Measured]:
        """Measure what shares a scale with each sample."""
        if self._scale == "plane":
            return [self._measure_together([sample]) for sample in samples]
        if self._scale == "first":
            for sample in samples:
                self._network.processing.refuse(sample.blocks)
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
        own, named = self.package.channels, identifiers(image)
        if self.package.restores_channels and own != named and sorted(own) == sorted(named):
            raise UserError(
                f"The image has the channels {', '.join(named)} and the package was trained on "
                f"{', '.join(own)}: bring them into that order."
            )
