"""Python environments of consumers, beside our own, whose torch they share."""

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from imaging.cli import UserError, console
from tools.consumers.bench import complaint


def environment(
    folder: Path, requirements: Sequence[str], *, unchecked: Sequence[str] = ()
) -> Path:
    """Make a virtual environment, or find it made.

    Parameters
    ----------
    folder
        Where it is, or is to be.
    requirements
        What pip installs, with what that needs.
    unchecked
        What pip installs after that without looking at what it needs.

    Returns
    -------
    Path
        Folder of its programs.

    Raises
    ------
    UserError
        Something cannot be installed.
    """
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    done = folder / "complete"
    if done.exists():
        return programs
    console.print(f"Installing {', '.join([*requirements, *unchecked])} …", highlight=False)
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
    commands = [[sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, *requirements]]
    if unchecked:
        commands.append([*pip, "--no-deps", *unchecked])
    for command in commands:
        finished = subprocess.run(command, capture_output=True, text=True)
        if finished.returncode:
            raise UserError(f"{folder}: {complaint(finished.stderr)[-1]}")
    site = next(folder.rglob("site-packages"))
    # Comes last on the path: what the environment has itself goes before ours.
    (site / "ours.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    done.touch()
    return programs
