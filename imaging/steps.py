"""Long work in steps of its own, each under a heading, some of them other command lines."""

import shlex
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from imaging.cli import STATUS_INTERRUPTED, UserError, console


@contextmanager
def step(heading: str) -> Generator[None]:
    """Print a heading, and how long took what is done under it.

    Parameters
    ----------
    heading
        What is done.
    """
    console.print(f"\n{heading}", style="bold")
    start = time.monotonic()
    yield
    console.print(f"{time.monotonic() - start:.0f} s", style="dim", highlight=False)


def command(heading: str, *words: str | Path | float, failing: Sequence[int] = ()) -> None:
    """Run ``python -m WORDS...`` as a step.

    Parameters
    ----------
    heading
        What it does.
    words
        Of the command line.
    failing
        Exit statuses of a command that did its work and found something: not of a failed step.

    Raises
    ------
    UserError
        The command failed.
    KeyboardInterrupt
        It was interrupted.
    """
    given = [str(word) for word in words]
    with step(heading):
        said = shlex.join(["python", "-m", *given])
        console.print(said, style="dim", soft_wrap=True, highlight=False)
        status = _run([sys.executable, "-m", *given])
        if status == STATUS_INTERRUPTED:
            raise KeyboardInterrupt
        if status and status not in failing:
            raise UserError(
                f"The step '{heading}' ended with status {status}: see its message above; "
                "the same command goes on from here."
            )


def _run(words: Sequence[str]) -> int:
    with subprocess.Popen(words) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # it was interrupted too, and may be saving
            raise
