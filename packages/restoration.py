"""An image that was measured, restored region by region, by one process or several."""

import itertools
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.block_statistics import Blocks
from imaging.cli import UserError
from imaging.formats.header import Writable
from imaging.tiles import AxisGeometry, CannotTileError, Window, windows
from packages.network import Network
from packages.processing import IntensityScale, Measured
from packages.samples import Sample

# Side of the windows of planes in pixels: a few hundred MiB in a usual U-Net.
DEFAULT_TILE = 1024
# Of volumes as many planes and voxels, about: few planes leave room for wide windows.
_DEEPEST = 48
_MOST_VOXELS = 2**22
_WHOLE = AxisGeometry(minimum=1, step=1)

Report = Callable[[int, int], None]
"""Is called with the number of windows done and their total."""
Index = tuple[int | slice, ...]
"""A part of a result, along each of its axes."""


@dataclass(frozen=True)
class Layout:
    """What a restored image will be: axes, shape, pixel size, and the grid its input has."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    pixel_size_um: dict[str, float]
    channels: list[str]
    grid: tuple[int, int]


@dataclass(frozen=True)
class Known:
    """What was measured of an image: enough to restore any region of it elsewhere.

    Attributes
    ----------
    measured
        Of what shares a scale with each sample.
    levels
        What all pixels of a sample are taken for; None for what they are.
    """

    measured: tuple[Measured, ...]
    levels: tuple[float | None, ...]


@dataclass(frozen=True)
class Region:
    """What is restored and written at once: windows beside each other of one sample.

    Attributes
    ----------
    sample
        Number of the plane or volume.
    along
        Windows along z, y and x.
    """

    sample: int
    along: tuple[tuple[Window, ...], ...]

    @property
    def places(self) -> dict[str, slice]:
        """Where it lies in the result, along z, y, x."""
        return {
            d: slice(of[0].place.start, of[-1].place.stop)
            for d, of in zip("zyx", self.along, strict=True)
        }

    @property
    def windows(self) -> int:
        """How many there are."""
        return len(self.along[0]) * len(self.along[1]) * len(self.along[2])


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
    def known(self) -> Known:
        """What was measured of the image."""
        levels = tuple(sample.level for sample in self._samples)
        return Known(tuple(self._measured), levels)

    @property
    def awaits_result(self) -> bool:
        """Whether statistics of the whole result are needed before a region can be finished."""
        return self._network.processing.awaits_result

    @property
    def intensity_scales(self) -> list[IntensityScale]:
        """Return how intensities of each plane or volume and its result go together.

        In the order of the axes b and z; once where all share one; empty where it is not known.
        """
        scales = [self._network.processing.intensity_scale(one) for one in self._measured]
        known = [scale for scale in scales if scale is not None]
        return known[:1] if len(set(known)) == 1 else known

    def regions(self, tile: int | None = None, shard: int | None = None) -> list[Region]:
        """Divide the result into regions.

        Parameters
        ----------
        tile
            Side of the windows in pixels, about; a value for which memory suffices when omitted.
        shard
            Side of the regions along y and x in pixels of the result, about; of one window each
            when omitted.

        Returns
        -------
        list of Region
            Their places partition the result; but for the last along an axis they are alike.

        Raises
        ------
        UserError
            Larger images cannot be restored in windows.
        """
        z, y, x = self._windows(tile)
        groups = [_grouped(z, None), _grouped(y, shard), _grouped(x, shard)]
        return [
            Region(sample, along)
            for sample in range(len(self._samples))
            for along in itertools.product(*groups)
        ]

    def chunks(self, tile: int | None = None) -> tuple[int, ...]:
        """Return the shape of one window's result in one channel: what regions consist of."""
        first = [along[0].place.stop for along in self._windows(tile)]
        lengths = dict(zip("zyx", first, strict=True))
        return tuple(lengths.get(d, 1) for d in self.layout.dims)

    def index(self, region: Region) -> Index:
        """Return where a region lies in the result."""
        return self._index(region.places | self._samples[region.sample].place)

    def restore(self, region: Region) -> NDArray[np.float32]:
        """Restore a region.

        Parameters
        ----------
        region
            One of `regions`.

        Returns
        -------
        ndarray of float32
            Of the layout's axes, for `index`; where statistics of the whole result are awaited,
            as the network gives it.

        Raises
        ------
        UserError
            The network fails.
        """
        sample, measured = self._samples[region.sample], self._measured[region.sample]
        places = region.places
        shape = [places[d].stop - places[d].start for d in "zyx"]
        whole = np.empty((len(self.layout.channels), *shape), np.float32)
        for along in itertools.product(*region.along):
            block = self._network.run(sample.window(*along), measured)
            kept = block[:, *(window.keep for window in along)]
            target = (
                slice(window.place.start - places[d].start, window.place.stop - places[d].start)
                for d, window in zip("zyx", along, strict=True)
            )
            whole[:, *target] = kept
        return self._in_layout(
            whole if self.awaits_result else self._network.finish(whole, measured)
        )

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
        self.collect(out, self.parts(tile, None, progress))

    def parts(
        self, tile: int | None, shard: int | None, progress: Report | None
    ) -> Iterator[tuple[Region, NDArray[np.float32]]]:
        """Yield each of `regions` restored; progress is told of it when it was used."""
        regions = self.regions(tile, shard)
        done, total = 0, sum(region.windows for region in regions)
        for region in regions:
            yield region, self.restore(region)
            done += region.windows
            if progress:
                progress(done, total)

    def collect(self, out: Writable, parts: Iterable[tuple[Region, NDArray[np.float32]]]) -> None:
        """Write what `restore` gave of each region, in any order; `out` is that of `write`."""
        if not self.awaits_result:
            for region, block in parts:
                out[self.index(region)] = block
            return
        with tempfile.TemporaryFile() as file:  # the result may be larger than memory

            def raw() -> NDArray[np.float32]:  # mapped anew, so that no more of it stays in memory
                return np.memmap(file, np.float32, "r+", shape=self.layout.shape)

            for region, block in parts:
                raw()[self.index(region)] = block
            for index, measured in self._with_statistics_of(raw):
                block = self._from_layout(raw()[index])
                out[index] = self._in_layout(self._network.finish(block, measured))

    def _with_statistics_of(
        self, raw: Callable[[], NDArray[np.float32]]
    ) -> Iterator[tuple[Index, Measured]]:
        """Yield where each plane of what the network gave lies, and what to finish it with."""
        for one in {id(measured): measured for measured in self._measured}.values():
            planes = [
                plane
                for sample, measured in zip(self._samples, self._measured, strict=True)
                if measured is one
                for plane in self._planes_of(sample)
            ]

            def of_channel(channel: int | None, planes: list[Index] = planes) -> Blocks:
                here = slice(None) if channel is None else channel
                return lambda: (self._from_layout(raw()[plane])[here] for plane in planes)

            measured = self._network.processing.measure_result(one, of_channel)
            yield from ((plane, measured) for plane in planes)

    def _planes_of(self, sample: Sample) -> list[Index]:
        """Return where each plane of a sample lies in the result."""
        if "z" not in self._network.geometry:
            return [self._index(sample.place)]
        depth = self.layout.shape[self.layout.dims.index("z")]
        return [self._index(sample.place | {"z": slice(z, z + 1)}) for z in range(depth)]

    def _index(self, places: Mapping[str, int | slice]) -> Index:
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


def _grouped(along: Sequence[Window], side: int | None) -> list[tuple[Window, ...]]:
    """Put as many windows together as fit into a side, at least one."""
    length = along[0].place.stop
    count = max(1, (side or 0) // length)
    return [tuple(along[i : i + count]) for i in range(0, len(along), count)]
