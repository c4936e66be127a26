"""Independent implementations, where they are installed."""

import contextlib
import io
import warnings
from types import ModuleType

import pytest


def peer(module: str) -> ModuleType:
    """Import a package that prints and warns as it loads; skip the test where it is missing."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found: ModuleType = pytest.importorskip(module)
    return found
