"""``python -m tools.consumers.jdll PACKAGES``: JDLL, the library of deepImageJ."""

import json
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cyclopts import App

from imaging.cli import UserError, console
from imaging.cli import run as run_app
from tools.consumers.bench import (
    ConsumerError,
    Row,
    Values,
    attempt,
    complaint,
    opened,
    read_plane,
    table,
)
from tools.consumers.onnx import SERVER

app = App(
    name="python -m tools.consumers.jdll",
    result_action="return_value",
    version_flags=(),  # --version is that of the consumer
)
_SOURCE = Path(__file__).with_name("Jdll.java")
_RESTORED = ((100, 100), (256, 256), (300, 500))
_TILED = (*_RESTORED, (1024, 1024), (2048, 2048))


@app.default
def jdll(
    packages: list[Path], /, *, image: Path, classpath: str, modules: Path, version: str
) -> None:
    """Print how JDLL tiles, and what its tiles, percentiles and merging make of packages.

    Its engine, ONNX Runtime 1.13.1, is reached through node.

    For instance:
        python -m tools.consumers.jdll a.zip --image a.tif --classpath JARS --modules . --version 1

    Parameters
    ----------
    packages
        Zips.
    image
        One plane of at least 700 x 512 pixels.
    classpath
        Of JDLL and what it needs.
    modules
        Folder in which `npm install onnxruntime-node@1.13.1` was run.
    version
        Of JDLL, for the table.
    """
    plane = read_plane(image)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        finished = _java(["javac", "-nowarn", "-cp", classpath, "-d", temporary, str(_SOURCE)])
        if finished.returncode:
            raise UserError(f"{_SOURCE} does not compile: {_error(finished.stderr)}")
        for path in packages:
            folder = Path(temporary, path.stem)
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
            command = ["java", "-cp", os.pathsep.join([temporary, classpath]), "Jdll", str(folder)]
            for size in _TILED:
                console.print(f"{path.stem} {size}: {_tiling(command, size)}", soft_wrap=True)
            engine = ["node", str(SERVER), str(modules), "onnxruntime-node"]
            run = _restoring(command, [*engine, str(folder / "model.onnx")])
            with opened(path) as (_, case):
                for height, width in _RESTORED:
                    found = case("", plane[:height, :width])
                    rows.append(attempt(f"JDLL {version}", path, found, run))
    console.print("\n" + table(rows), soft_wrap=True)


def _java(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


def _error(stderr: str) -> str:
    """Return the first line of an exception, which says what it is, not where."""
    return complaint(stderr)[0].removeprefix('Exception in thread "main" ')


def _tiling(command: list[str], size: tuple[int, int]) -> str:
    finished = _java([*command, *map(str, size)])
    if finished.returncode:
        return _error(finished.stderr)
    told = json.loads(finished.stdout)
    places = [tuple(place[2:]) for place in told["positions"]]
    return f"tiles of {told['tile'][2:]} at {places}, result {told['output'][1:]}"


def _restoring(command: list[str], engine: list[str]) -> Callable[[Values], Values]:
    def restore(image: Values) -> Values:
        with tempfile.TemporaryDirectory() as temporary:
            given, made = Path(temporary, "in"), Path(temporary, "out")
            given.write_bytes(image.astype("<f4").tobytes())
            sizes = map(str, image.shape)
            finished = _java([*command, *sizes, str(given), str(made), *engine])
            if finished.returncode:
                raise ConsumerError(_error(finished.stderr))
            shape = np.fromfile(made, "<u4", count=4)
            return np.fromfile(made, "<f4", offset=shape.nbytes).reshape(shape)[0]

    return restore


if __name__ == "__main__":
    run_app(app)
