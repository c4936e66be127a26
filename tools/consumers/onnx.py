"""``python -m tools.consumers.onnx PACKAGES``: ONNX Runtime in node."""

import json
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
from bioimageio.spec.utils import load_array
from cyclopts import App

from imaging.cli import console
from imaging.cli import run as run_app
from imaging.normalise import normalise
from packages.package import Package, open_package
from tools.consumers.bench import (
    ConsumerError,
    Row,
    Values,
    compare,
    complaint,
    table,
    test_input,
)

app = App(name="python -m tools.consumers.onnx", result_action="return_value")
SERVER = Path(__file__).with_name("onnx.mjs")


@app.default
def onnx(
    packages: list[Path],
    /,
    *,
    modules: Path,
    runtime: Literal["onnxruntime-node", "onnxruntime-web"] = "onnxruntime-node",
) -> None:
    """Compare what the ONNX file makes of the test input with the package's test output.

    For instance:
        python -m tools.consumers.onnx dist/care.zip --modules modules

    Parameters
    ----------
    packages
        Zips.
    modules
        Folder in which `npm install` brought the runtime.
    runtime
        Which one: native, or WebAssembly as browsers run it.
    """
    version = json.loads((modules / "node_modules" / runtime / "package.json").read_text())
    rows = [_row(path, modules, f"{runtime} {version['version']}") for path in packages]
    console.print(table(rows), soft_wrap=True)


def _row(path: Path, modules: Path, consumer: str) -> Row:
    with open_package(path) as package:
        image, expected = test_input(package), _test_output(package)
        channels = package.channels
    start = time.monotonic()
    size = f"test input {image.shape[0]}x{image.shape[1]}"
    try:
        made = _run(path, modules, consumer.split()[0], normalise(image))
        found, error = compare(made, expected, channels, halo=0), ""
    except ConsumerError as failure:
        found, error = {}, str(failure)
    return Row(consumer, path.stem, size, found, time.monotonic() - start, error)


def _test_output(package: Package) -> Values:
    assert package.output.test_tensor is not None
    return np.asarray(load_array(package.output.test_tensor), np.float32)[0]


def _run(path: Path, modules: Path, runtime: str, image: Values) -> Values:
    with tempfile.TemporaryDirectory() as temporary:
        with zipfile.ZipFile(path) as archive:
            model = archive.extract("model.onnx", temporary)
        finished = subprocess.run(
            ["node", str(SERVER), str(modules), runtime, model],
            input=np.array([1, 1, *image.shape], "<u4").tobytes() + image.tobytes(),
            capture_output=True,
        )
    if finished.returncode:
        raise ConsumerError(complaint(finished.stderr.decode())[-1])
    shape = np.frombuffer(finished.stdout, "<u4", count=4)
    return np.frombuffer(finished.stdout, "<f4", offset=16).reshape(shape)[0]


if __name__ == "__main__":
    run_app(app)
