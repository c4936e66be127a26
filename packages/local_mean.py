"""Means over windows as large as the patches trained on, in place of means over a whole image.

A network whose layers average over the whole of what they are given restores a tile unlike the
image, and an image larger than its training patches unlike these. Averaged over windows of the
patches' size, both agree (Chu et al. 2022, https://arxiv.org/abs/2112.04491); on a patch the window
is the patch, and nothing is changed.

Of volumes each plane has its own windows and means. Windows of many planes would make each layer
look half a patch farther along z, and stacks are hardly deeper than that: no tile of them would
agree with the whole. Those of a plane hold thousands of pixels already, and light fades with depth,
which its own mean follows.

`python -m packages build` copies this file into the packages of the models that import it, so it
knows torch only.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELL_PX = 8
"""Side of the cells by which windows move: sides of the features are multiples of it."""


class LocalMean(nn.Module):
    """The mean of each channel over a square window around each cell.

    At the edges of the image the window is moved inside, so that it always holds as many pixels. An
    image smaller than the window is averaged as a whole.

    Parameters
    ----------
    window
        Side of the window in pixels of the features: that of the patches trained on, a multiple of
        `CELL_PX`.

    Raises
    ------
    ValueError
        The window is no multiple of a cell.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        if window < CELL_PX or window % CELL_PX:
            raise ValueError(f"a window of {window} pixels is no multiple of {CELL_PX}")
        self.cells = window // CELL_PX

    def forward(self, features: Tensor) -> Tensor:
        """Average.

        Parameters
        ----------
        features
            Shape (batch, channels, y, x), or with z before y; y and x multiples of `CELL_PX`.

        Returns
        -------
        Tensor
            Shape (batch, channels, y / CELL_PX, x / CELL_PX), or with z before.
        """
        if features.ndim == 4:
            cells = F.avg_pool2d(features, CELL_PX)
            plane = cells[0, 0]
        else:
            cells = F.avg_pool3d(features, (1, CELL_PX, CELL_PX))
            plane = cells[0, 0, 0]
        rows, columns = self._weights(plane[:, 0]), self._weights(plane[0])
        return rows.to(cells) @ cells @ columns.to(cells).T

    def _weights(self, line: Tensor) -> Tensor:
        """Return what each cell of a line counts in the mean around each other one."""
        # A range over a size that varies cannot be exported; a sum of ones can.
        place = torch.cumsum(torch.ones_like(line, dtype=torch.float32), dim=0) - 1
        last = (place[-1] + 1 - self.cells).clamp(min=0)
        start = torch.minimum((place - self.cells // 2).clamp(min=0), last)[:, None]
        inside = ((place >= start) & (place < start + self.cells)).to(torch.float32)
        return inside / inside.sum(dim=1, keepdim=True)


def onto_pixels(cells: Tensor) -> Tensor:
    """Bring what belongs to cells onto pixels, linear between the cells' centres.

    Parameters
    ----------
    cells
        Shape (batch, channels, rows, columns), or with z before the rows.

    Returns
    -------
    Tensor
        Shape (batch, channels, rows · CELL_PX, columns · CELL_PX), or with z before.
    """
    side = float(CELL_PX)
    if cells.ndim == 4:
        return F.interpolate(cells, scale_factor=side, mode="bilinear", align_corners=False)
    scale = [1.0, side, side]
    return F.interpolate(cells, scale_factor=scale, mode="trilinear", align_corners=False)
