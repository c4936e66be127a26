"""What the three command lines share: how they read numbers, show progress and fail."""

import errno
import gc
import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, get_args

from cyclopts import App, ArgumentCollection
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress

STATUS_FAILED_CHECK = 1
STATUS_ERROR = 2
STATUS_INTERRUPTED = 128 + signal.SIGINT
STATUS_ENDED = 128 + signal.SIGTERM

GLOSSARY = "Words that this project uses in a sense of its own stand in docs/glossary.md."

console = Console(markup=False, emoji=False)  # a path may hold [brackets]
_stderr = Console(stderr=True, markup=False, emoji=False)


class UserError(Exception):
    """A sentence for the user: what was wrong, in which file, what to do."""


def run(app: App, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line; end with one sentence instead of a traceback.

    Set ``RESTORATION_DEBUG=1`` to see the traceback of an unexpected error.

    Parameters
    ----------
    app
        The verbs. A verb returns nothing, or the exit status as an integer.
    arguments
        What the user typed; the process's own arguments without it.
    """
    words = sys.argv[1:] if arguments is None else arguments
    # Whoever ends the process politely finds nothing half-written either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STATUS_ENDED))
    gc.freeze()  # what is imported stays: looking for garbage in it is a tenth of the time of help
    app.suppress_keyboard_interrupt = False  # or it would end without a word
    app.help_format = "plaintext"  # rendering Markdown takes longer than the rest of a start
    app.help_epilogue = GLOSSARY  # of every verb, too
    _unwrap(app)
    app.config = (_refuse_fractions,)
    try:
        status = app(words, exit_on_error=True, result_action="return_value")
    except UserError as error:
        _exit_with(str(error), STATUS_ERROR)
    except KeyboardInterrupt:
        _exit_with(
            "Interrupted. Nothing half-written was kept; the same command goes on from here.",
            STATUS_INTERRUPTED,
        )
    except OSError as error:
        _exit_with(sentence(error), STATUS_ERROR)
    except MemoryError:
        _exit_with(
            "There is not enough memory: use smaller images, or a machine with more.", STATUS_ERROR
        )
    except Exception as error:
        if os.environ.get("RESTORATION_DEBUG"):
            raise
        _exit_with(
            f"Unexpected {type(error).__name__}: {error}. "
            "This is a fault of the program; set RESTORATION_DEBUG=1 for the traceback.",
            STATUS_ERROR,
        )
    sys.exit(status if isinstance(status, int) else 0)


def progress() -> "Progress":
    """Make the bars of long work, which vanish when it is done; off a terminal, plain lines.

    They are to be entered; each task has a description, a bar, a percentage and the time left.
    """
    # Help and refusals need not wait for these.
    from rich.progress import Progress

    from imaging.progress_lines import ProgressLines

    if console.is_terminal:
        return Progress(console=console, transient=True)
    return ProgressLines(console)


def command_line(verb: str, *files: Path | str, **options: Path | str | float | bool | None) -> str:
    """Write a command as it can be given again where its files lie.

    Parameters
    ----------
    verb
        Such as ``python -m training fit``.
    files
        Its arguments. Of paths the names are written, for where files lie is their owner's; a text
        is written as it is.
    options
        By name; those of None were not given, and True is one that takes no value.

    Returns
    -------
    str
        Quoted where a shell needs it.

    Examples
    --------
    >>> command_line("python -m training fit", Path("in/a b.tif"), pixel_size=0.4, beads=None)
    "python -m training fit 'a b.tif' --pixel-size 0.4"
    >>> command_line("python -m training simulate", volumes=True)
    'python -m training simulate --volumes'
    """
    words = [*verb.split(), *(file.name if isinstance(file, Path) else file for file in files)]
    for name, value in options.items():
        if value is not None:
            words.append(f"--{name.replace('_', '-')}")
            if value is not True:
                words.append(value.name if isinstance(value, Path) else str(value))
    return shlex.join(words)


def complain(message: str) -> None:
    """Print a sentence about what went wrong where errors are read."""
    _stderr.print(Text(message, style="red"), soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sentence(error: OSError) -> str:
    """Say in one sentence what the operating system refused, of which file, and what to do."""
    # What is written under a temporary name goes by its own here: see `imaging.files.replacing`.
    where = re.sub(r"\.\d+\.([^/\\]+)$", r"\1", f"{error.filename}") if error.filename else "a file"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return (
                f"No space left while writing {where}: free some space and run the command again."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"Not allowed to open or write {where}: choose another place, or permit it."
        case errno.ENOENT:
            return f"{where} does not exist, or cannot be made: check the path."
        case errno.EEXIST | errno.ENOTDIR | errno.EISDIR:
            return f"{where}: a file is where a folder is needed, or the reverse: check the path."
        case _:
            return f"{where}: {error.strerror or error}."


def _unwrap(app: App) -> None:
    """Join the lines of each paragraph of help: the terminal has a width of its own."""
    for name in app:
        if not name.startswith("-"):  # --help and --version
            _unwrap(app[name])
    if app.default_command is None:
        return
    lines = cleandoc(app.default_command.__doc__ or "").split("\n")
    joined = lines[:1]
    for before, line in pairwise(lines):
        if _indent(line) == _indent(before) and line.strip("- ") and before.strip("- "):
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
    app.default_command.__doc__ = "\n".join(joined)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _refuse_fractions(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse 1.5 where a whole number is asked for; cyclopts would round it."""
    for argument in arguments:
        if int not in (argument.hint, *get_args(argument.hint)):
            continue
        for token in argument.tokens:
            with suppress(ValueError):  # what is no number at all cyclopts refuses itself
                if float(token.value) % 1:
                    raise UserError(
                        f"{argument.name} {token.value} is not a whole number: "
                        "give one without a fraction."
                    )


def _exit_with(message: str, status: int) -> NoReturn:
    complain(message)
    sys.exit(status)
