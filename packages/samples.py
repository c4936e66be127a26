"""The planes or volumes of an image that a network restores one by one."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.block_statistics import Blocks
from imaging.resample import linear
from imaging.tiles import Window, reflect
from packages.counting import CountingPixels

_BLOCK_PIXELS = 2**22
_LEAST_ROWS = 512  # are read at once: files hold chunks of about as many, each read as a whole


class Sample:
    """A plane or volume of an image on the package's grid, read region by region.

    Parameters
    ----------
    image
        Axes out of b, c, z, y, x; it may be lazy.
    grid
        Rows and columns that it is brought to.
    place
        Where the sample lies along the axes that the network does not have.
    counting
        Which of its pixels count.

    Attributes
    ----------
    shape
        Planes, rows and columns.
    is_blank
        Whether its planes are constant.
    level
        What all pixels are taken for; None for what they are.
    """

    def __init__(
        self,
        image: xr.DataArray,
        grid: tuple[int, int],
        place: dict[str, int],
        counting: CountingPixels,
    ) -> None:
        self.place = place
        self._image = image.isel(place)
        self._grid = grid
        self._counting = counting
        self.is_blank = counting.is_blank
        self.shape = (self._image.sizes.get("z", 1), *grid)
        self.level: float | None = None

    def window(self, *along: Window) -> NDArray[np.floating]:
        """Return (c, z, y, x) of a window, mirrored where it leaves the image."""
        taps = [reflect(w.start, w.stop, n) for w, n in zip(along, self.shape, strict=True)]
        first = [int(t.min()) for t in taps]
        block = self._read(*(slice(f, int(t.max()) + 1) for f, t in zip(first, taps, strict=True)))
        z, y, x = (t - f for t, f in zip(taps, first, strict=True))
        return block[:, z[:, None, None], y[:, None], x]

    def blocks(self, channel: int | None) -> Blocks:
        """Return what yields the pixels of one channel, or of all, that count, in pieces."""
        rows = max(_BLOCK_PIXELS // self.shape[2], _LEAST_ROWS)

        def pieces() -> Iterator[NDArray[np.floating]]:
            for z in range(self.shape[0]):
                for y in range(0, self.shape[1], rows):
                    stop = min(y + rows, self.shape[1])
                    block = self._read(slice(z, z + 1), slice(y, stop), slice(0, self.shape[2]))
                    counts = self._counting.rows(z, slice(y, stop))
                    if channel is not None:
                        block = block[channel]
                        counts = None if counts is None else counts[channel]
                    whole = block if counts is None else block[counts]
                    yield from np.array_split(whole.ravel(), -(-whole.size // _BLOCK_PIXELS) or 1)

        return pieces

    def _read(self, z: slice, y: slice, x: slice) -> NDArray[np.floating]:
        has_z, has_c = ("z" in self._image.dims), ("c" in self._image.dims)
        image = self._image.isel(z=z) if has_z else self._image
        ordered = image.transpose(*(d for d in "czyx" if d in image.dims))
        block = linear(ordered, self._grid, (y, x))
        block = block if self.level is None else np.full_like(block, self.level)
        block = block if has_z else block[..., None, :, :]
        block = block if has_c else block[None]
        return self._counting.fill(block, z)


def blocks_of(samples: Sequence[Sample], channel: int | None) -> Blocks:
    """Return what yields the pixels of several samples, of one channel or of all."""
    return lambda: itertools.chain.from_iterable(sample.blocks(channel)() for sample in samples)
