"""What a library says of a damaged file while it goes on."""

import logging
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def complaints(library: str = "tifffile") -> Generator[list[str]]:
    """Collect what a library logs as errors (it goes on with what it can read); print nothing.

    Parameters
    ----------
    library
        The name of its logger.

    Yields
    ------
    list of str
        Grows with every error.
    """
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                messages.append(record.getMessage())

    logger, handler = logging.getLogger(library), Collect()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
