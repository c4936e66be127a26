"""What tifffile says of a damaged file while it goes on."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

import tifffile


@contextmanager
def complaints() -> Generator[list[str]]:
    """Collect what tifffile logs as errors (it goes on with what it can read); print nothing.

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

    logger, handler = tifffile.logger(), Collect()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
