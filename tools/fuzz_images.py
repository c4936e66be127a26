"""Read damaged images of every format: ``python -m tools.fuzz_images``.

Small valid files are damaged at random: bytes changed, parts cut off, numbers in the header set to
extremes, files of a Zarr lost. Right is to read something, or to refuse in one sentence; all else
is counted and shown with the seed that repeats it: other exceptions, want of memory, a crash, more
than ten seconds, and anything printed or warned.
"""

import multiprocessing
import os
import random
import shutil
import tempfile
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import tifffile
import xarray as xr
import zarr
from cyclopts import App

from imaging import images
from imaging.cli import UserError, console
from imaging.cli import run as run_app
from imaging.datasets import open_dataset
from imaging.inspection import inspect
from tests.microscope_files import WRITERS

app = App(name="python -m tools.fuzz_images", result_action="return_value")
_SECONDS = 10
_MEMORY = 3 * 2**30
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS = (".json", ".toml", ".zattrs", ".zarray", ".zgroup")
_WORDS = (b"-1", b"0", b"null", b"1e999", b"99999999999", b'"x"', b"[]", b"{}", b"NaN", b"2.5")


@app.default
def fuzz(*, count: int = 20000, first: int = 0) -> int:
    """Damage and read files, and say what went wrong.

    For instance:
        python -m tools.fuzz_images --count 1000

    Parameters
    ----------
    count
        How many, over all formats in turn.
    first
        Seed of the first; with a count of 1 it repeats one.
    """
    with tempfile.TemporaryDirectory() as folder:
        kinds = sorted(_make_seeds(Path(folder) / "whole"))
        outcomes: Counter[str] = Counter()
        was_read: Counter[str] = Counter()
        worker = _Worker(Path(folder))
        for seed in range(first, first + count):
            kind = kinds[seed % len(kinds)]
            outcome = worker.read(kind, seed)
            outcomes[outcome.partition(":")[0]] += 1
            was_read[kind] += outcome == "read"
            if outcome not in ("read", "refused"):
                console.print(f"seed {seed}, {kind}: {outcome}", highlight=False, soft_wrap=True)
        worker.stop()
    console.print(", ".join(f"{n} {outcome}" for outcome, n in outcomes.most_common()))
    parts = (f"{kind} {n * len(kinds) / count:.0%}" for kind, n in sorted(was_read.items()))
    console.print(f"Read of each kind: {', '.join(parts)}")
    return 0 if outcomes.keys() <= {"read", "refused"} else 1


def _make_seeds(folder: Path) -> list[str]:
    """Write a small valid file of each kind; return their names."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 4000, (4, 40, 50)).astype(np.uint16)
    write: Any = tifffile.imwrite  # whose overloads do not take options from a dictionary
    common = {"resolution": (12.5, 12.5), "photometric": "minisblack"}
    writers: dict[str, dict[str, Any]] = {
        "plain.tif": {"metadata": None},
        "shaped.tif": {},
        "big.tif": {"bigtiff": True, "byteorder": ">"},
        "imagej.tif": {"imagej": True, "metadata": {"axes": "ZYX", "unit": "um", "spacing": 0.5}},
        "plain.ome.tif": {"metadata": {"axes": "ZYX", "PhysicalSizeX": 0.08}},
        "zlib.tif": {"compression": "zlib"},
        "scanimage.tif": {
            "metadata": None,
            "software": "SI.VERSION_MAJOR = 2020\nSI.hChannels.channelSave = [1;2]",
        },
        "metamorph.stk": {"metadata": None, "compression": "lzw"},
        "lzw_tiles.ome.tif": {"compression": "lzw", "tile": (16, 16), "metadata": {"axes": "CYX"}},
    }
    for name, options in writers.items():
        write(folder / name, pixels, **(common | options))
    with tifffile.TiffWriter(folder / "positions.ome.tif", ome=True) as writer:
        for _ in range(2):
            writer.write(pixels, photometric="minisblack", metadata={"axes": "ZYX"})
    sizes = {"pixel_size_um": {"y": 0.08, "x": 0.08}}
    images.write(folder / "a.png", xr.DataArray(pixels[0], dims=("y", "x"), attrs=sizes))
    with mrcfile.new(folder / "a.mrc") as mrc:
        mrc.set_data(pixels)
    header = bytearray((folder / "a.mrc").read_bytes()[:1024])
    header[96:98], header[208:212] = (-16224).to_bytes(2, "little", signed=True), bytes(4)
    (folder / "a.dv").write_bytes(bytes(header) + pixels.tobytes())
    images.write(folder / "new.ome.zarr", xr.DataArray(pixels, dims=("z", "y", "x"), attrs=sizes))
    group = zarr.open_group(folder / "old.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(40, 50), dtype="uint16", chunks=(20, 25))[...] = pixels[0]
    group.attrs["multiscales"] = [
        {
            "axes": [{"name": dim, "type": "space", "unit": "micrometer"} for dim in "yx"],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": [0.08, 0.08]}],
                }
            ],
        }
    ]
    for suffix, (_, write_file) in WRITERS.items():
        path = folder / f"a{suffix}"
        # An OIF lies in several files; an OIB holds the same ones.
        if suffix != ".oif" and not images.lacks_library(path):
            write_file(path, pixels[None, None, None])
    for part in ("input", "target"):
        image = xr.DataArray(pixels[0], dims=("y", "x"), attrs=sizes)
        images.write(folder / "dataset" / part / "a.tif", image)
    (folder / "dataset" / "dataset.toml").write_text(
        'name = "x"\npixel_size_um = 0.08\nregistration = "exact"\n[images.a]\nsource = "s"\n'
    )
    return [path.name for path in folder.iterdir()]


class _Worker:
    """A process that reads, started anew after it hung or died."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: multiprocessing.Process | None = None
        self._pipe: Connection | None = None

    def read(self, kind: str, seed: int) -> str:
        """Return "read", "refused", or what went wrong."""
        if self._process is None or self._pipe is None:
            self._pipe, theirs = multiprocessing.Pipe()
            self._process = multiprocessing.Process(target=_work, args=(self._folder, theirs))
            self._process.start()
            theirs.close()
        self._pipe.send((kind, seed))
        try:
            if self._pipe.poll(_SECONDS):
                return self._pipe.recv()
            outcome = f"hang: more than {_SECONDS} s"
        except (EOFError, ConnectionResetError):
            outcome = "crash: the process died"
        self.stop()
        return outcome

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _work(folder: Path, pipe: Connection) -> None:
    """Damage and read what the pipe names, within limits and with stderr in a file."""
    import resource  # not on Windows, where only the help can be read

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    printed = folder / f"stderr_{os.getpid()}"
    os.dup2(os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    while True:
        kind, seed = pipe.recv()
        damaged = folder / "damaged" / kind
        shutil.rmtree(damaged.parent, ignore_errors=True)
        damaged.parent.mkdir()
        whole = folder / "whole" / kind
        (shutil.copytree if whole.is_dir() else shutil.copy)(whole, damaged)
        _damage(random.Random(seed), damaged)
        outcome = _outcome(damaged)
        said = printed.read_text(errors="replace").strip()
        os.truncate(printed, 0)
        pipe.send(f"printed: {said[-300:]}" if said and outcome in ("read", "refused") else outcome)


def _outcome(path: Path) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if path.name == "dataset":
                for item in open_dataset(path).items:
                    inspect(item.read_input())
                    item.read_target()
            else:
                images.read(path, lazy=True).isel(y=slice(0, 8), x=slice(0, 8)).load()
                inspect(images.read(path))
    except UserError as error:
        if "\n" in str(error) or not str(error).endswith((".", ")")):
            return f"sentence: {error}"
        return "refused"
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None:
            return "refused"
        frames = [
            f"{f.filename.rpartition('/')[2]}:{f.lineno}"
            for f in traceback.extract_tb(error.__traceback__)
        ]
        return f"{type(error).__name__}: {error} ({' '.join(frames[-4:])})"
    return "read"


def _damage(rng: random.Random, path: Path) -> None:
    """Damage a file, or one of a folder, once to four times."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    file = rng.choice(files)
    if path.is_dir() and rng.random() < 0.1:
        file.unlink()
        return
    content = bytearray(file.read_bytes())
    ways: list[Callable[[random.Random, bytearray], None]] = [
        _flip,
        _flip,
        _flip,
        _extreme,
        _extreme,
        _cut,
    ]
    if file.suffix in _TEXTS or file.name in _TEXTS:
        ways += [_word] * 4
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if content:
            rng.choice(ways)(rng, content)
    if file.suffix == ".png":
        _mend_sums(content)
    file.write_bytes(content)


def _mend_sums(content: bytearray) -> None:
    """Give each chunk of a PNG the checksum of what it holds now, or nothing else were noticed."""
    start = 8
    while start + 12 <= len(content):
        end = start + 8 + int.from_bytes(content[start : start + 4], "big")
        content[end : end + 4] = zlib.crc32(content[start + 4 : end]).to_bytes(4, "big")
        start = end + 4


def _place(rng: random.Random, content: bytearray) -> int:
    """Choose a place, half of the time near an end, where headers and directories are."""
    place = rng.randrange(len(content))
    near = min(rng.randrange(512), len(content) - 1)
    return rng.choice((place, place, near, len(content) - 1 - near))


def _flip(rng: random.Random, content: bytearray) -> None:
    for _ in range(rng.randint(1, 8)):
        content[_place(rng, content)] = rng.randrange(256)


def _cut(rng: random.Random, content: bytearray) -> None:
    place = _place(rng, content)
    del content[place : rng.choice((len(content), place + rng.randint(1, 64)))]


def _extreme(rng: random.Random, content: bytearray) -> None:
    place, width = _place(rng, content), rng.choice((1, 2, 4, 8))
    number = rng.choice(_EXTREMES) % 256**width
    order = rng.choice(("little", "big"))
    content[place : place + width] = number.to_bytes(width, order)


def _word(rng: random.Random, content: bytearray) -> None:
    """Replace a number of a text."""
    digits = [at for at, byte in enumerate(content) if chr(byte).isdigit()]
    if digits:
        start = rng.choice(digits)
        content[start : start + rng.randint(1, 4)] = rng.choice(_WORDS)


if __name__ == "__main__":
    run_app(app)
