"""Which pixels of a plane or volume count, on the grid that a package sees."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging.valid import LARGEST_PLANE, find_valid, on_grid


class CountingPixels:
    """The pixels of a sample that count; see `imaging.valid`.

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
        self._columns = grid[1]
        # Channel and z of the planes of which some pixels do not count, and a bit for each pixel.
        self._bits: dict[tuple[int, int], NDArray[np.uint8]] = {}
        channels, depth = (sample.sizes.get(d, 1) for d in "cz")
        self._limits = np.full((3, channels, depth, 1, 1), np.inf)
        self._limits[0] = -np.inf
        self.is_blank = False
        if sample.sizes["y"] * sample.sizes["x"] > LARGEST_PLANE:
            return
        blank: list[tuple[int, int]] = []
        for c, z in np.ndindex(channels, depth):
            place = {d: i for d, i in (("c", c), ("z", z)) if d in sample.dims}
            plane = sample.isel(place).transpose("y", "x").values
            if plane.min() == plane.max():
                blank.append((c, z))
            elif (valid := find_valid(plane)) is not None:
                self._bits[c, z] = np.packbits(~on_grid(~valid.pixels, grid), axis=1)
                self._limits[:, c, z, 0, 0] = *valid.limits, valid.median
        self.is_blank = len(blank) == channels * depth
        if not self.is_blank:
            none = np.packbits(np.zeros(grid, np.bool_), axis=1)
            self._bits |= dict.fromkeys(blank, none)

    def rows(self, z: int, y: slice) -> NDArray[np.bool_] | None:
        """Tell which pixels of rows of one z count: (c, 1, rows, x), or None where all do."""
        channels = self._limits.shape[1]
        if not any((c, z) in self._bits for c in range(channels)):
            return None
        every = np.full((y.stop - y.start, -(-self._columns // 8)), 0xFF, np.uint8)
        bits = [self._bits[c, z][y] if (c, z) in self._bits else every for c in range(channels)]
        return np.unpackbits(np.stack(bits)[:, None], axis=-1, count=self._columns) > 0

    def fill(self, block: NDArray[np.floating], z: slice) -> NDArray[np.floating]:
        """Set what lies beyond all that counts to the median, in a block (c, z, y, x)."""
        if not self._bits:
            return block
        low, high, median = self._limits[:, :, z].astype(block.dtype)
        return np.where((block < low) | (block > high), median, block)
