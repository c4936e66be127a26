"""The picture of a package in the zoo's gallery."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.normalise import normalise

_COVER_PX = 512


def draw_cover(path: Path, image: NDArray[np.float32], restored: NDArray[np.float32]) -> None:
    """Draw input and restored side by side, 2:1, each scaled to its own percentiles.

    Parameters
    ----------
    path
        PNG to write.
    image, restored
        Of one field, shape (y, x) each; a square of it is shown.
    """
    panels: list[NDArray[np.uint8]] = []
    for values in (image, restored):
        side = min(values.shape)
        square = normalise(values[:side, :side], 1.0, 99.7).clip(0, 1)
        picture = Image.fromarray((255 * square).astype(np.uint8))
        panels.append(np.asarray(picture.resize((_COVER_PX, _COVER_PX), Image.Resampling.NEAREST)))
    cover = Image.fromarray(np.concatenate(panels, axis=1))
    stream = io.BytesIO()
    cover.save(stream, format="png", optimize=True)
    path.write_bytes(stream.getvalue())
