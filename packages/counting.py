"""Which pixels of a plane or volume count, on the grid that a package sees."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.resample import linear
from imaging.valid import find_valid, on_grid, thinned


class CountingPixels:
    """The pixels of a sample that count; see `imaging.valid`.

    Of large planes a part of the rows and columns tells it, so that it is known to a few pixels,
    and nothing is filled.

    Parameters
    ----------
    sample
        Axes out of c, z, y, x, as recorded: interpolation blurs what the others are known by.
    grid
        Rows and columns that the sample is brought to.

    Attributes
    ----------
    is_blank
        Whether each of its planes is constant. Otherwise a constant plane of it does not count.
    """

    def __init__(self, sample: xr.DataArray, grid: tuple[int, int]) -> None:
        # Channel and z of the planes of which some pixels do not count, and a bit for each pixel.
        self._bits: dict[tuple[int, int], NDArray[np.uint8]] = {}
        channels, depth = (sample.sizes.get(d, 1) for d in "cz")
        self._limits = np.full((3, channels, depth, 1, 1), np.inf)
        self._limits[0] = -np.inf
        self.is_blank = False
        # Of large planes it is kept as coarsely as it is found: True where a pixel does not.
        self._coarse: dict[tuple[int, int], NDArray[np.bool_]] = {}
        self._grid = grid
        blank: list[tuple[int, int]] = []
        for c, z in np.ndindex(channels, depth):
            place = {d: i for d, i in (("c", c), ("z", z)) if d in sample.dims}
            whole = sample.isel(place).transpose("y", "x")
            plane = thinned(whole)
            if plane.min() == plane.max():
                blank.append((c, z))
            elif (valid := find_valid(plane)) is not None:
                if plane.shape != whole.shape:
                    self._coarse[c, z] = ~valid.pixels
                    continue  # the limits of a part of the pixels are not those of all
                self._bits[c, z] = np.packbits(~on_grid(~valid.pixels, grid), axis=1)
                self._limits[:, c, z, 0, 0] = *valid.limits, valid.median
        self.is_blank = len(blank) == channels * depth
        if not self.is_blank:
            none = np.zeros((grid[0], -(-grid[1] // 8)), np.uint8)
            self._bits |= dict.fromkeys(blank, none)

    def rows(self, z: int, y: slice) -> NDArray[np.bool_] | None:
        """Tell which pixels of rows of one z count: (c, 1, rows, x), or None where all do."""
        channels = range(self._limits.shape[1])
        known = self._bits.keys() | self._coarse.keys()
        if not any((c, z) in known for c in channels):
            return None
        return np.stack([self._rows(c, z, y) for c in channels])[:, None]

    def _rows(self, c: int, z: int, y: slice) -> NDArray[np.bool_]:
        """Tell which pixels of rows of one plane count."""
        if (c, z) in self._coarse:
            columns = slice(0, self._grid[1])
            return linear(self._coarse[c, z], self._grid, (y, columns)) == 0
        if (c, z) in self._bits:
            return np.unpackbits(self._bits[c, z][y], axis=-1, count=self._grid[1]) > 0
        return np.ones((y.stop - y.start, self._grid[1]), np.bool_)

    def fill(self, block: NDArray[np.floating], z: slice) -> NDArray[np.floating]:
        """Set what lies beyond all that counts to the median, in a block (c, z, y, x)."""
        if not self._bits:
            return block
        low, high, median = self._limits[:, :, z].astype(block.dtype)
        return np.where((block < low) | (block > high), median, block)
