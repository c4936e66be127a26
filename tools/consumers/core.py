"""``python -m tools.consumers.core PACKAGES``: bioimageio.core and bioimageio.spec."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import App, Parameter

from imaging.cli import console
from imaging.cli import run as run_app
from tools.consumers.bench import (
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
from tools.consumers.environments import environment

app = App(
    name="python -m tools.consumers.core",
    result_action="return_value",
    version_flags=(),  # --version is that of the consumer
)


@app.default
def core(
    packages: list[Path],
    /,
    *,
    image: Path,
    environments: Path,
    version: str = "0.11.0",
    spec: str | None = None,
    blocks: int = 10,
    test: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Print what `bioimageio predict` makes of packages, whole and in blocks.

    For instance:
        python -m tools.consumers.core dist/care.zip --image IMAGE.tif --environments envs

    Parameters
    ----------
    packages
        Zips, or folders with rdf.yaml.
    image
        One plane of at least 700 x 512 pixels.
    environments
        Folder for the environments of consumers, kept for the next time.
    version
        Of bioimageio.core.
    spec
        Version of bioimageio.spec; default the one that bioimageio.core asks for.
    blocks
        Size of the blocks: the package's minimum and as many of its steps; 10 is the default of
        `--blockwise`.
    test
        Run `bioimageio validate-format` and `bioimageio test` instead.
    """
    name = f"core {version}" + (f" with spec {spec}" if spec else "")
    programs = environment(
        environments.resolve() / name.replace(" ", "-"),
        [f"bioimageio.core=={version}", "pydantic<2.14", "onnxruntime"],
        unchecked=[f"bioimageio.spec=={spec}"] if spec else [],
    )
    command = str(programs / "bioimageio")
    if test:
        for verb in ("validate-format", "test"):
            for path in packages:
                verdict = "passes" if _passes([command, verb, str(path)]) else "fails"
                console.print(f"{name}: {verb} of {path.stem} {verdict}", soft_wrap=True)
        return
    plane = read_plane(image)
    rows = [row for path in packages for row in _rows(name, command, path, plane, blocks)]
    console.print("\n" + table(rows), soft_wrap=True)


def _passes(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def _rows(name: str, command: str, path: Path, plane: Values, blocks: int) -> Iterator[Row]:
    with opened(path) as (package, case):
        for found in cases(package, case, plane):
            for options in [], [f"--blockwise={blocks}"]:
                consumer = " ".join([name, *options])
                yield attempt(consumer, path, found, _predict(command, path, options))


def _predict(command: str, path: Path, options: list[str]) -> Callable[[Values], Values]:
    def predict(image: Values) -> Values:
        with tempfile.TemporaryDirectory() as temporary:
            given, made = Path(temporary, "in.npy"), Path(temporary, "out.npy")
            np.save(given, image[None, None])
            finished = subprocess.run(
                [
                    command,
                    "predict",
                    str(path.resolve()),
                    f"--inputs={given}",
                    f"--outputs={made}",
                    "--weight-format=torchscript",
                    *options,
                ],
                capture_output=True,
                text=True,
                cwd=temporary,
            )
            if finished.returncode:
                raise ConsumerError(_reason(finished.stderr))
            return np.load(made)[0]

    return predict


def _reason(stderr: str) -> str:
    """Return the line that names the last exception, which may be followed by advice."""
    lines = complaint(stderr)
    return next((line for line in reversed(lines) if "Error: " in line), lines[-1])


if __name__ == "__main__":
    run_app(app)
