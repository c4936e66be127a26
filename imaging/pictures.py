"""Planes as pictures for pages and figures."""

import base64
import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def draw_grey(plane: NDArray[np.floating], low: float, high: float) -> str:
    """Draw a plane (y, x) in 256 greys from black to white; a PNG as data URI."""
    return draw_colour(np.clip((plane - low) / (high - low), 0, 1))


def draw_colour(shades: NDArray[np.floating]) -> str:
    """Draw shades from 0 to 1, (y, x) or (y, x, 3) for red, green and blue; a PNG as data URI."""
    return data_uri(Image.fromarray(np.rint(255 * shades).astype(np.uint8)))


def data_uri(picture: Image.Image) -> str:
    """Write a picture as PNG into a URI, so that nothing else is needed to show it."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def middle(picture: str, zoom: int) -> str:
    """Cut the middle out of a picture: a data URI of one `zoom` times smaller on each side."""
    stored = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))
    width, height = (max(1, side // zoom) for side in stored.size)
    left, top = (stored.width - width) // 2, (stored.height - height) // 2
    return data_uri(stored.crop((left, top, left + width, top + height)))


def round_length(length: float) -> float:
    """Return the largest of 1, 2, 5, 10 … that is not longer; 0 for nothing.

    Examples
    --------
    >>> round_length(7.3), round_length(0.02), round_length(0)
    (5.0, 0.02, 0.0)
    """
    if length <= 0:
        return 0.0
    decade = 10.0 ** math.floor(math.log10(length))
    return max(step * decade for step in (1, 2, 5) if step * decade <= length * (1 + 1e-9))
