"""PNG: one greyscale plane of 8 or 16 bits; the pixel size is in the pHYs chunk."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.cli import UserError
from imaging.formats.header import (
    Header,
    Readable,
    Writable,
    is_screen_resolution,
    pixel_sizes,
    refuse_absurd,
)

# Pillow's guard against decompression bombs would refuse large microscope images.
Image.MAX_IMAGE_PIXELS = None

_UM_PER_INCH = 25.4e3


def read(path: Path) -> tuple[Header, Readable]:
    """Read a greyscale picture (see `imaging.formats.header.Format`)."""
    with Image.open(path, formats=["PNG"]) as picture:
        if picture.mode == "1":
            raise UserError(f"{path} holds yes/no pixels (1 bit): save it as 8-bit greyscale.")
        if picture.mode != "L" and not picture.mode.startswith("I"):
            raise UserError(
                f"{path} is a colour picture (mode {picture.mode}): "
                "save each channel as a greyscale image."
            )
        refuse_absurd(path, picture.width * picture.height)
        per_inch: tuple[float, float] | None = picture.info.get("dpi")
        pixels = np.asarray(picture)
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.uint16)
    sizes, _ = pixel_sizes(
        (dim, 1 / value, "inch")
        for dim, value in zip("xy", per_inch or (), strict=False)
        if not is_screen_resolution(value)
    )
    return Header(("y", "x"), pixels.shape, pixels.dtype, sizes), pixels


def refusal(path: Path, header: Header) -> str | None:
    """Say why PNG cannot hold this, or None."""
    if header.dtype.name not in ("uint8", "uint16"):
        return f"PNG cannot hold {header.dtype} pixels: write .ome.tif instead"
    if any(header.size(dim) > 1 for dim in "bcz"):
        return "PNG holds one plane only: write .ome.tif instead"
    return None


@contextmanager
def create(path: Path, header: Header) -> Generator[Writable]:
    """Collect the plane in memory and write it at the end."""
    pixels = np.zeros(header.shape, header.dtype)
    yield pixels
    plane = Image.fromarray(pixels.reshape(header.size("y"), header.size("x")))
    # pHYs holds one integer per axis, in pixels per metre, up to 2^31 - 1: 0.5 nm per pixel.
    sizes = header.pixel_size_um
    if "x" in sizes and "y" in sizes and min(sizes["x"], sizes["y"]) > 5e-4:
        plane.save(path, format="PNG", dpi=(_UM_PER_INCH / sizes["x"], _UM_PER_INCH / sizes["y"]))
    else:
        plane.save(path, format="PNG")
