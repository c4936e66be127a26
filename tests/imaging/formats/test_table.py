"""Each cell of the table in docs/images.md is what a small file of the format is read as."""

import tracemalloc
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from tests.format_files import KINDS, FileKind
from tests.microscope_files import INTERVAL_S, NAMES
from tests.small_images import SIZES

PAGE = (Path(__file__).parents[3] / "docs" / "images.md").read_text(encoding="utf-8")
HEAD = ("Axes", "Pixel size", "Channels", "Interval", "Read for few pixels")
LENGTHS = {"t": 2, "c": 3, "z": 4, "y": 6, "x": 7}
LARGE = {"z": 12, "y": 512, "x": 512}
REASON = "the libraries of the extra 'formats' are not installed"


def table() -> dict[str, dict[str, str]]:
    """Return the cells by format and column."""
    _, _, after = PAGE.partition(f"| {' | '.join(('Format', *HEAD))} |\n")
    lines = takewhile(lambda line: line.startswith("|"), after.splitlines()[1:])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {name: dict(zip(HEAD, cells, strict=True)) for name, *cells in rows}


def written(folder: Path, kind: FileKind, lengths: dict[str, int]) -> tuple[Path, np.ndarray]:
    """Write a file with pixels along the axes of its format, and return these."""
    pytest.importorskip(kind.library, reason=REASON)
    shape = [lengths.get(axis, 1) if axis in kind.axes else 1 for axis in "tczyx"]
    pixels = np.random.default_rng(3).integers(0, 4000, shape).astype(np.uint16)
    kind.write(folder / f"a{kind.suffix}", pixels)
    return folder / f"a{kind.suffix}", pixels


def listed(words: Sequence[str]) -> str:
    return " ".join(words) or "no"


def sizes_of(image: xr.DataArray, *, square: bool) -> str:
    """Name the axes whose pixel size is that which was written."""
    found = image.attrs["pixel_size_um"]
    true = SIZES | ({"y": SIZES["x"]} if square else {})
    assert found == pytest.approx({dim: true[dim] for dim in found}, rel=1e-3)
    return listed([dim for dim in "zyx" if dim in found])


@pytest.mark.parametrize("name", KINDS)
def test_what_is_said_of_a_file_is_read(tmp_path: Path, name: str) -> None:
    path, pixels = written(tmp_path, KINDS[name], LENGTHS)
    image = images.read(path)
    np.testing.assert_array_equal(image.values, pixels.squeeze())
    names = list(image["c"].values) if "c" in image.coords else []
    assert names in ([], list(NAMES))
    interval_s = image.attrs.get("interval_s")
    assert interval_s in (None, pytest.approx(INTERVAL_S))
    cells = {
        "Axes": listed([str(dim).replace("b", "t") for dim in image.dims]),
        # ND2 states one length for both sides of a pixel.
        "Pixel size": sizes_of(image, square=name == "Nikon ND2"),
        "Channels": "names" if names else "no",
        "Interval": "seconds" if interval_s else "no",
    }
    assert cells == {column: table()[name][column] for column in cells}


def bytes_read() -> int:
    """Return how many bytes this process has asked files for, mapped ones aside."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts bytes read")
@pytest.mark.parametrize("name", KINDS)
def test_how_much_is_read_for_a_few_pixels(tmp_path: Path, name: str) -> None:
    path, pixels = written(tmp_path, KINDS[name], LARGE)
    few = {"z": slice(2, 3), "y": slice(100, 108), "x": slice(100, 108)}
    # What is imported at first use is not read for these pixels.
    images.read(path, lazy=True).isel(few, missing_dims="ignore").load()
    tracemalloc.start()
    image = images.read(path, lazy=True)
    before = bytes_read()
    image.isel(few, missing_dims="ignore").load()
    from_file = bytes_read() - before
    _, in_memory = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    whole, plane = pixels.nbytes, pixels[0, 0, 0].nbytes
    most = max(from_file, in_memory)
    found = "region" if most < plane / 2 else "plane" if most < whole / 2 else "image"
    assert found == table()[name]["Read for few pixels"]


def test_the_table_has_a_row_for_every_format() -> None:
    assert list(table()) == list(KINDS)
