"""Whether `packages predict` needs more memory for more planes: ``python -m tools.predict_memory``.

Each stack is restored by a process of its own. Its peak is told whole, as the system counts it, and
in parts: what it holds itself, and pages of files that it has mapped, libraries included.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from cyclopts import App
from rich.table import Table

from imaging.cli import UserError, console
from imaging.cli import run as run_app

app = App(name="python -m tools.predict_memory", result_action="return_value")
_EVERY_S = 0.02
_STATUS = {"VmHWM": 0, "RssAnon": 0, "RssFile": 0}


@dataclass(frozen=True)
class Peak:
    """The most memory that a process held at any time, MiB.

    Attributes
    ----------
    whole
        By the system's own account.
    own, files
        Anonymous memory, and pages of mapped files; each at its own worst, whenever looked at.
    """

    whole: float
    own: float
    files: float


def measure(command: list[str]) -> Peak:
    """Run a command and watch its memory.

    Parameters
    ----------
    command
        What to run.

    Returns
    -------
    Peak
        Of its process, without those that it starts.

    Raises
    ------
    UserError
        It fails; or this is no Linux.
    """
    if sys.platform != "linux":
        raise UserError("Memory is read from /proc, which only Linux has: measure there.")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        status, most = Path(f"/proc/{process.pid}/status"), dict(_STATUS)
        while process.poll() is None:
            lines = [line.split() for line in status.read_text().splitlines()]
            seen = {words[0].rstrip(":"): int(words[1]) for words in lines if "kB" in words}
            most = {name: max(kib, seen.get(name, 0)) for name, kib in most.items()}
            time.sleep(_EVERY_S)
    if process.returncode:
        raise UserError(f"{' '.join(command)} failed: run it by itself to see why.")
    return Peak(*(most[name] / 1024 for name in _STATUS))


@app.default
def compare(
    package: Path,
    /,
    *,
    planes: tuple[int, ...] = (20, 200),
    side: int = 1024,
    suffixes: tuple[str, ...] = (".ome.tif", ".ome.zarr"),
) -> None:
    """Print the peaks of stacks of noise.

    For instance:
        python -m tools.predict_memory dist/volumes.zip --side 512

    Parameters
    ----------
    package
        What restores them.
    planes
        Of each stack.
    side
        Of its planes, in pixels.
    suffixes
        Of the results.
    """
    table = Table("planes", "result", "peak (MiB)", "own", "mapped files", title=f"{side} x {side}")
    rng = np.random.default_rng(0)
    plane = rng.poisson(20 + 15 * np.sin(np.arange(side) / 9)[:, None], (side, side))
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "in.tif"
        for number in planes:
            turned = (np.roll(plane, at, 1).astype(np.uint16) for at in range(number))
            tifffile.imwrite(
                source,
                turned,
                shape=(number, side, side),
                dtype=np.uint16,
                imagej=True,
                metadata={"axes": "ZYX"},
            )
            for suffix in suffixes:
                out = source.with_name(f"out{suffix}")
                command = [sys.executable, "-m", "packages", "predict", str(package)]
                peak = measure([*command, str(source), str(out)])
                table.add_row(
                    f"{number}", suffix, f"{peak.whole:.0f}", f"{peak.own:.0f}", f"{peak.files:.0f}"
                )
    console.print(table)


if __name__ == "__main__":
    run_app(app)
