"""Small images and checks that several tests of images share."""

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import HealthCheck, settings

from imaging import images
from imaging.cli import UserError

SIZES = {"z": 0.25, "y": 0.0313, "x": 0.0417}


REUSE = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def ramp(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    return (np.arange(math.prod(shape)) % 120).reshape(shape).astype(dtype)


def image(
    dims: str,
    shape: tuple[int, ...],
    dtype: str = "uint16",
    pixel_size_um: dict[str, float] | None = None,
) -> xr.DataArray:
    attributes = {"pixel_size_um": pixel_size_um or {}}
    array = xr.DataArray(ramp(shape, dtype), dims=tuple(dims), attrs=attributes)
    if "c" in dims:
        array = array.assign_coords(c=[f"channel {i} µ" for i in range(array.sizes["c"])])
    return array


def refused(path: Path, words: str) -> None:
    """Reading fails with one sentence that names the file and says what is wrong."""
    with pytest.raises(UserError, match=words) as caught:
        images.read(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def bent_lines(seed: int, side: int, *, count: int, reach: float) -> np.ndarray:
    """Return lines of 1 on 0 that bend, each at most so far from where it begins."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((side, side))
    t = np.linspace(0, 1, 2000)
    for _ in range(count):
        y, x = (
            np.clip(
                rng.uniform(0, side) + rng.uniform(-reach, reach) * t + 8 * np.sin(6 * t),
                0,
                side - 1,
            )
            for _ in "yx"
        )
        drawn[y.astype(int), x.astype(int)] = 1
    return drawn


def random_image(*shape: int, dims: str = "yx", pixel_um: float | None = None) -> xr.DataArray:
    values = np.random.default_rng(5).integers(0, 4000, shape).astype(np.uint16)
    sizes = {} if pixel_um is None else {"y": pixel_um, "x": pixel_um}
    return xr.DataArray(values, dims=list(dims), attrs={"pixel_size_um": sizes})


def write_recording(folder: Path, *names: str, side: int = 8) -> None:
    """Write files of one plane of which each names all, as those of one recording."""
    blocks = "".join(
        f"<TiffData FirstT='{at}' IFD='0' PlaneCount='1'>"
        f"<UUID FileName='{name}'>urn:uuid:{folder.name} {at}</UUID></TiffData>"
        for at, name in enumerate(names)
    )
    folder.mkdir(parents=True, exist_ok=True)
    for at, name in enumerate(names):
        xml = (
            "<OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06' "
            f"UUID='urn:uuid:{folder.name} {at}'><Image ID='Image:0'><Pixels ID='Pixels:0' "
            f"DimensionOrder='XYZCT' Type='uint16' SizeX='{side}' SizeY='{side}' SizeZ='1' "
            f"SizeC='1' SizeT='{len(names)}'>{blocks}</Pixels></Image></OME>"
        )
        pixels = np.random.default_rng(at).integers(0, 4000, (side, side)).astype(np.uint16)
        tifffile.imwrite(folder / name, pixels, description=xml, metadata=None)
