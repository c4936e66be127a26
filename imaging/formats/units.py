"""Units of length and time as OME, OME-Zarr (UDUNITS-2), ImageJ and TIFF tags spell them."""

import math
import re
import unicodedata

# Metres of each prefixed unit; symbols are told apart by case: Mm is not mm.
_PREFIXES = {
    "quetta": ("Q", 1e30),
    "ronna": ("R", 1e27),
    "yotta": ("Y", 1e24),
    "zetta": ("Z", 1e21),
    "exa": ("E", 1e18),
    "peta": ("P", 1e15),
    "tera": ("T", 1e12),
    "giga": ("G", 1e9),
    "mega": ("M", 1e6),
    "kilo": ("k", 1e3),
    "hecto": ("h", 1e2),
    "deca": ("da", 1e1),
    "deka": ("da", 1e1),
    "": ("", 1.0),
    "deci": ("d", 1e-1),
    "centi": ("c", 1e-2),
    "milli": ("m", 1e-3),
    "micro": ("μ", 1e-6),
    "nano": ("n", 1e-9),
    "pico": ("p", 1e-12),
    "femto": ("f", 1e-15),
    "atto": ("a", 1e-18),
    "zepto": ("z", 1e-21),
    "yocto": ("y", 1e-24),
    "ronto": ("r", 1e-27),
    "quecto": ("q", 1e-30),
}
_INCH = 0.0254
# Metres of the others: those of OME's UnitsLength (schema 2016-06), and what ImageJ writes.
_OTHERS = {
    1e-6: ("um", "u", "μ", "micron", "microns"),
    1e-10: ("Å", "angstrom", "angstroms", "angström", "ångström", "ångströms"),
    _INCH: ("in", "inch", "inches", "international_inch"),
    _INCH / 1000: ("thou", "mil"),
    _INCH / 72: ("pt", "point", "points"),
    _INCH / 12: ("li", "line", "lines"),
    12 * _INCH: ("ft", "foot", "feet", "international_foot"),
    36 * _INCH: ("yd", "yard", "yards", "international_yard"),
    63360 * _INCH: ("mi", "mile", "miles", "international_mile"),
    149_597_870_700.0: ("ua", "au", "astronomical_unit"),
    9.460_730_472_580_8e15: ("ly", "light_year", "light year"),
    3.085_677_581_491_367e16: ("pc", "parsec", "parsecs"),
}
# What says in so many words that nothing is known.
_NO_UNITS = ("", "pixel", "pixels", "px", "reference frame", "reference_frame", "none", "null")
_METRES = (
    {
        prefix + unit: metres
        for prefix, (_, metres) in _PREFIXES.items()
        for unit in ("meter", "metre", "meters", "metres")
    }
    | {symbol + "m": metres for symbol, metres in _PREFIXES.values()}
    | {unit: metres for metres, units in _OTHERS.items() for unit in units}
)
# In other case ("Micron", "NM") where that leaves one meaning.
_OF_ANY_CASE = {
    unit.casefold(): metres
    for unit, metres in _METRES.items()
    if all(other == metres for name, other in _METRES.items() if name.casefold() == unit.casefold())
}
_SECONDS = {
    unit: factor
    for factor, units in {
        1e-9: ("ns", "nanosecond", "nanoseconds"),
        1e-6: ("us", "μs", "microsecond", "microseconds"),
        1e-3: ("ms", "msec", "millisecond", "milliseconds"),
        1.0: ("s", "sec", "second", "seconds"),
        60.0: ("min", "minute", "minutes"),
        3600.0: ("h", "hr", "hour", "hours"),
        86400.0: ("d", "day", "days"),
    }.items()
    for unit in units
}
# Only µ goes beyond ASCII before a metre, whatever a wrong encoding made of it: "Âµm", "?m".
_MICROMETRE = re.compile(r"(\?|[^\x00-\x7f])+m")


def micrometres(length: float, unit: str | None) -> float | None:
    r"""Convert a length, or say that it cannot be known.

    Parameters
    ----------
    length
        In `unit`.
    unit
        As microscopes and Fiji spell it: "nm", "µm", "um", "micron", "\u00B5m", "inch", …

    Returns
    -------
    float or None
        Micrometres; None if the unit is none of length ("pixel"), or the length is not above 0.
    """
    spelled = _spelled(unit)
    metres = _METRES.get(spelled, _OF_ANY_CASE.get(spelled.casefold()))
    if metres is None or not math.isfinite(length) or length <= 0:
        return None
    # Powers of ten are divided by, for 1e-6 has no exact value: 80 nm are 0.08 µm, not less.
    per_um = 1e6 * metres
    converted = length * per_um if per_um >= 1 else length / (1 / per_um)
    return converted if 0 < converted < math.inf else None


def seconds(duration: float, unit: str | None) -> float | None:
    """Convert a duration, or say that it cannot be known: see `micrometres`."""
    spelled = _spelled(unit)
    factor = _SECONDS.get(spelled, _SECONDS.get(spelled.casefold()))
    if factor is None or not math.isfinite(duration) or duration <= 0:
        return None
    return duration * factor


def is_unstated(unit: str | None) -> bool:
    """Tell whether there is no unit, or one that says that nothing is known ("pixel")."""
    return _spelled(unit).casefold() in _NO_UNITS


def _spelled(unit: str | None) -> str:
    """Undo escapes of Java and wrong encodings, and bring letters of several code points to one."""
    unescaped = re.sub(
        r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), (unit or "").replace("\0", "")
    )
    spelled = unescaped.strip().strip("\"'").strip()
    return "um" if _MICROMETRE.fullmatch(spelled) else unicodedata.normalize("NFKC", spelled)
