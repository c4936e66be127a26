"""What the three command lines share: how they read numbers, show progress and fail."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn, get_args

from cyclopts import App, ArgumentCollection
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

STATUS_FAILED_CHECK = 1
STATUS_ERROR = 2
STATUS_INTERRUPTED = 128 + signal.SIGINT

console = Console(markup=False)  # a path may hold [brackets]
_stderr = Console(stderr=True, markup=False)


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
    app.suppress_keyboard_interrupt = False  # or it would end without a word
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


def progress() -> Progress:
    """Make the bars of long work: they vanish when it is done, and are silent off a terminal.

    Returns
    -------
    Progress
        To be entered; each task has a description, a bar, a percentage and the time left.
    """
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def complain(message: str) -> None:
    """Print a sentence about what went wrong where errors are read.

    Parameters
    ----------
    message
        The sentence.
    """
    _stderr.print(Text(message, style="red"), soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sentence(error: OSError) -> str:
    """Say in one sentence what the operating system refused.

    Parameters
    ----------
    error
        What was raised by a file operation.

    Returns
    -------
    str
        The reason, the file and what to do.
    """
    where = f"{error.filename}" if error.filename else "a file"
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
