import math

import pytest

from imaging.formats.header import micrometres


@pytest.mark.parametrize(
    ("spelled", "factor"),
    [
        ("µm", 1.0),
        ("\u03bcm", 1.0),
        ("\\u00B5m", 1.0),
        ("um", 1.0),
        ("Micron", 1.0),
        ("micrometer", 1.0),
        ("nm", 1e-3),
        ("Å", 1e-4),
        ("mm", 1e3),
        ("cm", 1e4),
        ("inch", 25400.0),
        ("pixel", None),
        ("reference frame", None),
        (None, None),
    ],
)
def test_units_become_micrometres(spelled: str | None, factor: float | None) -> None:
    assert micrometres(2.0, spelled) == (None if factor is None else pytest.approx(2 * factor))


@pytest.mark.parametrize("length", [0.0, -1.0, math.nan, math.inf])
def test_impossible_lengths_are_unknown(length: float) -> None:
    assert micrometres(length, "um") is None
