import math

import pytest

from imaging.formats.units import is_unstated, micrometres

# Powers of ten of a metre of the SI prefixes of OME's UnitsLength and of OME-Zarr.
PREFIXES = {
    ("Y", "yotta"): 24, ("Z", "zetta"): 21, ("E", "exa"): 18, ("P", "peta"): 15, ("T", "tera"): 12,
    ("G", "giga"): 9, ("M", "mega"): 6, ("k", "kilo"): 3, ("h", "hecto"): 2, ("", ""): 0,
    ("d", "deci"): -1, ("c", "centi"): -2, ("m", "milli"): -3, ("µ", "micro"): -6,
    ("n", "nano"): -9, ("p", "pico"): -12, ("f", "femto"): -15, ("a", "atto"): -18,
    ("z", "zepto"): -21, ("y", "yocto"): -24,
}  # fmt: skip
# Micrometres of each, by definition of the international inch, the parsec and so on.
OTHERS = {
    "µm": 1.0, "\u03bcm": 1.0, "\\u00B5m": 1.0, "\u339b": 1.0, "um": 1.0, "Micron": 1.0, "UM": 1.0,
    " microns": 1.0, '"µm"': 1.0, "µ": 1.0, "micrometres": 1.0, "NM": 1e-3,
    "Å": 1e-4, "A\u030a": 1e-4, "\u212b": 1e-4, "angstrom": 1e-4, "ångström": 1e-4,
    "in": 25.4e3, "inch": 25.4e3, "inches": 25.4e3, "thou": 25.4, "ft": 304.8e3, "foot": 304.8e3,
    "yd": 914.4e3, "yard": 914.4e3, "mi": 1609.344e6, "mile": 1609.344e6,
    "li": 25.4e3 / 12, "pt": 25.4e3 / 72, "ua": 149597870700e6, "ly": 9460730472580800e6,
    "pc": 3.0856775814913673e22, "parsec": 3.0856775814913673e22,
}  # fmt: skip


@pytest.mark.parametrize(("names", "power"), PREFIXES.items(), ids=lambda names: str(names))
def test_prefixes(names: tuple[str, str], power: int) -> None:
    symbol, name = names
    expected = pytest.approx(2.5 * 10.0 ** (power + 6), rel=1e-12)
    assert [micrometres(2.5, f"{symbol}m"), micrometres(2.5, f"{name}meter")] == [expected] * 2


@pytest.mark.parametrize(("unit", "factor"), OTHERS.items())
def test_other_units(unit: str, factor: float) -> None:
    assert micrometres(2.5, unit) == pytest.approx(2.5 * factor, rel=1e-12)


@pytest.mark.parametrize("unit", ["Âµm", "Î¼m", "¬µm", "?m", "\ufffdm", "\ufffd\ufffdm"])
def test_what_wrong_encodings_make_of_a_micrometre(unit: str) -> None:
    assert micrometres(2.5, unit) == 2.5


def test_decimal_lengths_in_nanometres_stay_decimal() -> None:
    assert micrometres(80, "nm") == 0.08


# MM may be a millimetre or a megametre.
@pytest.mark.parametrize("unit", ["furlong", "sec", "MM", "?"])
def test_unknown_units(unit: str) -> None:
    assert (micrometres(2.0, unit), is_unstated(unit)) == (None, False)


@pytest.mark.parametrize("unit", ["pixel", "Pixels", "reference frame", "", " ", None])
def test_units_that_say_that_nothing_is_known(unit: str | None) -> None:
    assert (micrometres(2.0, unit), is_unstated(unit)) == (None, True)


@pytest.mark.parametrize("length", [0.0, -1.0, math.nan, math.inf])
def test_impossible_lengths_are_unknown(length: float) -> None:
    assert micrometres(length, "um") is None
