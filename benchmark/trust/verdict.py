"""One line about each package: what was found, and what it does worse than doing nothing."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.trust.phantoms import REFERENCE, at_level
from benchmark.trust.values import Value

INPUT = "input"
MOST_SPLITS = 0.05
"""Share of single objects that may be split."""


@dataclass(frozen=True)
class Verdict:
    """What a reader must know of a package before believing it.

    Attributes
    ----------
    package
        Its name.
    sentence
        What was found at the usual level of light.
    faults
        What it does worse than its input beyond chance, each with the levels of light at which.
    """

    package: str
    sentence: str
    faults: tuple[str, ...]

    def __str__(self) -> str:
        found = "; ".join([self.sentence, *(f"FAULT: {fault}" for fault in self.faults)])
        return f"{self.package}: {found}"


@dataclass(frozen=True)
class _Fault:
    words: str
    test: str
    metric: str
    higher_is_worse: bool = True


_FAULTS = (
    _Fault("takes two points for one from farther apart than its input", "points", "d50_um"),
    _Fault("takes two tubes for one from farther apart than its input", "tubes", "d50_um"),
    _Fault("bridges more gaps than its input", "gaps", "false_bridges"),
    _Fault("breaks more tubes than its input", "gaps", "false_breaks"),
    _Fault("miscounts more tubes than its input", "crossings", "count_accuracy", False),
    _Fault("invents more objects than its input shows", "empty", "invented_per_1000_um2"),
)
_SPLITS = {"points": "single points", "tubes": "single tubes"}
_SAID: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("tubes", "d50_um", lambda um: _resolves(um)),
    ("tubes", "false_splits", lambda share: f"splits {share:.0%} of single tubes"),
    ("gaps", "false_bridges", lambda share: f"bridges {share:.0%} of visible gaps"),
    ("gaps", "false_breaks", lambda share: f"breaks {share:.0%} of tubes"),
    ("crossings", "count_accuracy", lambda share: f"counts {share:.0%} of meeting tubes right"),
    (
        "empty",
        "invented_per_1000_um2",
        lambda rate: f"invents {rate:.2g} objects per 1000 µm² on noise",
    ),
    ("amplitudes", "ratio_exponent", lambda x: f"keeps brightness ratios to the power {x:.2g}"),
)


def judge(table: pd.DataFrame, package: str, photons: Sequence[float]) -> Verdict:
    """Sum up one package.

    A fault is told where its 95 % interval and the input's do not overlap, or where the share of
    single objects that are split is above 5 % with its whole interval.

    Parameters
    ----------
    table
        With the columns of trust.csv.
    package
        Its name there.
    photons
        The levels of light; the sentence is about the one in the middle.

    Returns
    -------
    Verdict
        Without what could not be measured.
    """
    at = at_level(usual(photons))
    said: list[str] = []
    for test, metric, words in _SAID:
        found = find(table, package, test, at, metric)
        if found and found.value is not None:
            said.append(words(found.value))
    if package != INPUT:
        said += _gains(table, package)
    sentence = f"at {at}, {'; '.join(said)}" if said else "nothing could be measured"
    return Verdict(package, sentence, tuple(_faults(table, package, photons)))


def usual(photons: Sequence[float]) -> float:
    """Return the level of light in the middle."""
    return sorted(photons)[len(photons) // 2]


def find(table: pd.DataFrame, package: str, test: str, condition: str, metric: str) -> Value | None:
    """Look up one value in a table with the columns of trust.csv; None where there is none."""
    wanted = {"package": package, "test": test, "condition": condition, "metric": metric}
    rows = table[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    if rows.empty:
        return None
    value, low, high = (
        None if pd.isna(rows[column].iloc[0]) else float(rows[column].iloc[0])
        for column in ("value", "low", "high")
    )
    return Value(metric, value, int(rows["n"].iloc[0]), low, high)


def _resolves(um: float) -> str:
    if math.isinf(um):
        return "does not resolve tubes 0.8 µm apart"
    return f"resolves tubes {um:.2f} µm apart"


def _gains(table: pd.DataFrame, package: str) -> list[str]:
    """Say what is gained over the input on usual images, and the least elsewhere."""
    of_package = (table["package"] == package) & (table["test"] == "shifts")
    gains = table[of_package & (table["metric"] == "si_psnr_a_gain")].set_index("condition")[
        "value"
    ]
    others = gains.drop(REFERENCE, errors="ignore")
    if REFERENCE not in gains or others.empty:
        return []
    usual_db, least_db = (round(float(gain), 1) + 0.0 for gain in (gains[REFERENCE], others.min()))
    return [f"gains {usual_db} dB of SI-PSNR on {REFERENCE} and {least_db} dB on {others.idxmin()}"]


def _faults(table: pd.DataFrame, package: str, photons: Sequence[float]) -> Iterator[str]:
    levels = sorted(photons)
    for fault in _FAULTS:
        at = [level for level in levels if _is_worse(table, package, at_level(level), fault)]
        if at:
            yield f"{fault.words} ({_levels(at)})"
    for test, objects in _SPLITS.items():
        found = {x: find(table, package, test, at_level(x), "false_splits") for x in levels}
        at = [x for x, value in found.items() if value and (value.low or 0) > MOST_SPLITS]
        if at:
            yield f"splits more than {MOST_SPLITS:.0%} of {objects} ({_levels(at)})"


def _is_worse(table: pd.DataFrame, package: str, condition: str, fault: _Fault) -> bool:
    """Tell whether the intervals of the package and of its input do not overlap."""
    own = find(table, package, fault.test, condition, fault.metric)
    of_input = find(table, INPUT, fault.test, condition, fault.metric)
    if own is None or of_input is None:
        return False
    worse, better = (own, of_input) if fault.higher_is_worse else (of_input, own)
    return worse.low is not None and better.high is not None and worse.low > better.high


def _levels(photons: Sequence[float]) -> str:
    return f"at {', '.join(f'{level:g}' for level in photons)} photons"
