"""Texts that a spreadsheet would run as formulas.

Excel and LibreOffice take a cell for a formula that begins with one of a few characters, and names
of images, packages and marks come from anywhere. An apostrophe goes before such a text where it is
written as CSV, and reading takes it away.
"""

import re

# Apostrophes that stand there already are kept apart from ours: one more is written.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guarded(value: object) -> object:
    """Return a cell as it is written: a text that would run begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unguarded(value: str) -> str:
    """Return a text as it was before it was written."""
    return value[1:] if _GUARDED.match(value) else value
