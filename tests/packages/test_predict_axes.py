"""Time, depth and channels come out of `predict` as they went in, whatever their order in the file.

What goes in and what comes out is written and read by other programs than ours.
"""

import json
from itertools import permutations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
import zarr
from torch import nn

from packages.predict import predict_file
from tests import tiny_packages as tiny

SIZES = {"T": 2, "Z": 3, "C": 2, "Y": 24, "X": 32}
PIXELS = np.random.default_rng(4).integers(0, 4000, tuple(SIZES.values())).astype(np.uint16)
NAMES = ["DAPI", "GFP"]
INTERVAL_S, STEP_UM, PIXEL_UM = 2.5, 0.4, 0.1
ORDERS = ["".join(order) + "YX" for order in permutations("TZC")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a package that changes nothing."""
    return tiny.write(tmp_path_factory.mktemp("plain") / "p", nn.Identity(), preprocessing=[])


def arranged(axes: str) -> np.ndarray:
    return PIXELS.transpose(["TZCYX".index(axis) for axis in axes])


def write_ome_tiff(path: Path, axes: str) -> None:
    metadata: dict[str, Any] = {"axes": axes, "Channel": {"Name": NAMES}}
    metadata |= {"PhysicalSizeX": PIXEL_UM, "PhysicalSizeY": PIXEL_UM, "PhysicalSizeZ": STEP_UM}
    metadata |= {"TimeIncrement": INTERVAL_S, "TimeIncrementUnit": "s"}
    tifffile.imwrite(path, arranged(axes), metadata=metadata, photometric="minisblack")


def write_imagej(path: Path) -> None:
    metadata: dict[str, Any] = {"axes": "TZCYX", "unit": "um", "spacing": STEP_UM}
    metadata |= {"finterval": INTERVAL_S, "Labels": NAMES * 6}
    per_um = (1 / PIXEL_UM, 1 / PIXEL_UM)
    tifffile.imwrite(path, PIXELS, imagej=True, metadata=metadata, resolution=per_um)


def write_ome_zarr(path: Path) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    pixels = arranged("TCZYX")
    group.create_array("0", shape=pixels.shape, dtype=pixels.dtype)[...] = pixels
    units = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
    kinds = {"t": "time", "c": "channel"}
    axes: list[dict[str, str]] = []
    for name in "tczyx":
        unit = {"unit": units[name]} if name in units else {}
        axes.append({"name": name, "type": kinds.get(name, "space")} | unit)
    scale = [INTERVAL_S, 1.0, STEP_UM, PIXEL_UM, PIXEL_UM]
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    group.attrs["omero"] = {"channels": [{"label": name} for name in NAMES]}


def write(folder: Path, kind: str) -> Path:
    """Write a file: OME-TIFF where an order of axes is named."""
    if kind == "ImageJ":
        write_imagej(folder / "in.tif")
        return folder / "in.tif"
    if kind == "OME-Zarr":
        write_ome_zarr(folder / "in.ome.zarr")
        return folder / "in.ome.zarr"
    write_ome_tiff(folder / "in.ome.tif", kind)
    return folder / "in.ome.tif"


KINDS = pytest.mark.parametrize("kind", [*ORDERS, "ImageJ", "OME-Zarr"])


@KINDS
def test_ome_tiff(tmp_path: Path, plain: Path, kind: str) -> None:
    predict_file(plain, write(tmp_path, kind), tmp_path / "out.ome.tif", channel="all")

    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        (series,) = file.series
        assert series.axes == "TCZYX"
        np.testing.assert_array_equal(series.asarray(), arranged("TCZYX"))
        pixels = ElementTree.fromstring(file.ome_metadata or "").find("{*}Image/{*}Pixels")
    assert pixels is not None
    said = {key: float(pixels.get(key, "nan")) for key in ("TimeIncrement", "PhysicalSizeZ")}
    assert said == pytest.approx({"TimeIncrement": INTERVAL_S, "PhysicalSizeZ": STEP_UM})
    assert [channel.get("Name") for channel in pixels.iterfind("{*}Channel")] == NAMES


@KINDS
def test_imagej(tmp_path: Path, plain: Path, kind: str) -> None:
    predict_file(plain, write(tmp_path, kind), tmp_path / "out.tif", channel="all")

    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        (series,) = file.series
        assert (series.kind, series.axes) == ("imagej", "TZCYX")
        np.testing.assert_array_equal(series.asarray(), PIXELS)
        said: dict[str, Any] = file.imagej_metadata or {}
    assert (said["finterval"], said["spacing"]) == pytest.approx((INTERVAL_S, STEP_UM))
    assert said["Labels"] == NAMES * 6


@KINDS
def test_ome_zarr(tmp_path: Path, plain: Path, kind: str) -> None:
    predict_file(plain, write(tmp_path, kind), tmp_path / "out.ome.zarr", channel="all")

    said = json.loads((tmp_path / "out.ome.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    (image,) = said["multiscales"]
    assert "".join(axis["name"] for axis in image["axes"]) == "tczyx"
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == pytest.approx([INTERVAL_S, 1, STEP_UM, PIXEL_UM, PIXEL_UM])
    assert [channel["label"] for channel in said["omero"]["channels"]] == NAMES
    level: Any = zarr.open_array(tmp_path / "out.ome.zarr" / image["datasets"][0]["path"], mode="r")
    np.testing.assert_array_equal(level[...], arranged("TCZYX"))
