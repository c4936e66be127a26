"""``python -m tools.consumers.ilastik PACKAGES``: tiktorch, the server of ilastik."""

import itertools
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cyclopts import App

from imaging.cli import console
from imaging.cli import run as run_app
from tools.consumers.bench import (
    SIZES,
    ConsumerError,
    Row,
    Values,
    attempt,
    cases,
    complaint,
    opened,
    read_plane,
    table,
)

app = App(
    name="python -m tools.consumers.ilastik",
    result_action="return_value",
    version_flags=(),  # --version is that of the consumer
)
_CLIENT = Path(__file__).with_name("ilastik_client.py")


@app.default
def ilastik(packages: list[Path], /, *, image: Path, python: Path, version: str) -> None:
    """Print what a tiktorch server on this machine makes of packages.

    For instance:
        python -m tools.consumers.ilastik a.zip --image a.tif --python PYTHON --version 26.5.0

    Parameters
    ----------
    packages
        Zips.
    image
        One plane of at least 700 x 512 pixels.
    python
        Of an environment with tiktorch.
    version
        Of tiktorch, for the table.
    """
    plane = read_plane(image)
    rows: list[Row] = []
    for path in packages:
        with opened(path) as (package, case):
            run = _restoring(python, path, str(package.input.id))
            uncropped = (case("", plane[:height, :width]) for height, width in SIZES[1:])
            for found in itertools.chain(cases(package, case, plane), uncropped):
                rows.append(attempt(f"tiktorch {version}", path, found, run))
    console.print("\n" + table(rows), soft_wrap=True)


def _restoring(python: Path, package: Path, input_id: str) -> Callable[[Values], Values]:
    def restore(image: Values) -> Values:
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary, "image.npy")
            np.save(file, image[None, None])
            finished = subprocess.run(
                [str(python), str(_CLIENT), str(package), input_id, str(file)],
                capture_output=True,
                text=True,
            )
            if finished.returncode:
                raise ConsumerError(complaint(finished.stderr)[-1])
            return np.load(file)[0]

    return restore


if __name__ == "__main__":
    run_app(app)
