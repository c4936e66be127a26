"""Pixel sizes and times as other programs than ours read them, or write them."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging import images
from tests.microscope_files import INTERVAL_S, write_czi, write_lif, write_nd2
from tests.small_images import SIZES

pytestmark = pytest.mark.filterwarnings("ignore")  # of programs that are no longer kept up
PIXELS = np.random.default_rng(3).integers(0, 4000, (1, 2, 3, 4, 6, 7)).astype(np.uint16)


def others(name: str, *, reads: str | None = None) -> Any:
    """Return another program, where both it and the library that we read with are installed."""
    if reads:
        pytest.importorskip(reads, reason="the library of the extra 'formats' is not installed")
    pytest.importorskip(name, reason="the other reader is not installed")
    return importlib.import_module(name)


def test_czifile_reads_the_same_pixel_size(tmp_path: Path) -> None:
    czifile = others("czifile", reads="pylibCZIrw")
    write_czi(tmp_path / "a.czi", PIXELS)
    with czifile.CziFile(tmp_path / "a.czi") as file:
        scaling = file.metadata(raw=False)["ImageDocument"]["Metadata"]["Scaling"]
    metres = {item["Id"].lower(): item["Value"] for item in scaling["Items"]["Distance"]}
    found = images.read(tmp_path / "a.czi").attrs["pixel_size_um"]
    assert found == pytest.approx({dim: 1e6 * length for dim, length in metres.items()})


def test_czifile_reads_the_same_times(tmp_path: Path) -> None:
    czifile = others("czifile", reads="pylibCZIrw")
    write_czi(tmp_path / "a.czi", PIXELS)
    with czifile.CziFile(tmp_path / "a.czi") as file:
        (moments,) = [
            one.data() for one in file.attachments() if one.attachment_entry.name == "TimeStamps"
        ]
    found = images.read(tmp_path / "a.czi").attrs["interval_s"]
    assert found == pytest.approx(moments[1] - moments[0])


def test_readlif_reads_the_same_pixel_size_and_times(tmp_path: Path) -> None:
    reader = others("readlif.reader", reads="liffile")
    write_lif(tmp_path / "a.lif", PIXELS)
    per_um = reader.LifFile(tmp_path / "a.lif").get_image(0).scale  # x, y, z, and t per second
    found = images.read(tmp_path / "a.lif").attrs
    lengths = [found["pixel_size_um"][dim] for dim in "xyz"]
    assert [*lengths, found["interval_s"]] == pytest.approx([1 / number for number in per_um])


def test_nd2reader_reads_the_same_times(tmp_path: Path) -> None:
    reader = others("nd2reader", reads="nd2")
    write_nd2(tmp_path / "a.nd2", PIXELS)
    with reader.ND2Reader(str(tmp_path / "a.nd2")) as file:
        moments_ms = file.timesteps[:: PIXELS.shape[3]]  # of the first plane of each stack
    found = images.read(tmp_path / "a.nd2").attrs["interval_s"]
    assert 1000 * found == pytest.approx(moments_ms[1] - moments_ms[0])
    assert found == pytest.approx(INTERVAL_S)


@pytest.mark.parametrize("suffix", [".dv", ".r3d"])
@pytest.mark.parametrize(("order", "dims"), [("tz", "bzyx"), ("wz", "czyx"), ("zw", "zcyx")])
def test_deltavision_files_of_another_writer(
    tmp_path: Path, suffix: str, order: str, dims: str
) -> None:
    mrc = others("mrc")
    stack = PIXELS[0, 0].astype(np.int16)
    sizes_um = tuple(SIZES[dim] for dim in "xyz")
    mrc.imsave(tmp_path / f"a{suffix}", stack, resolution=sizes_um, zAxisOrder=order)
    found = images.read(tmp_path / f"a{suffix}")
    assert found.attrs["pixel_size_um"] == pytest.approx(SIZES)
    np.testing.assert_array_equal(found.transpose(*dims).values, stack)
