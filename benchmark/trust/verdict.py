"""One line about each package: what was found, and what it does worse than doing nothing."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.running.controls import INPUT
from benchmark.trust.depth import LONGEST_UM
from benchmark.trust.outcomes import SHIFTS
from benchmark.trust.phantom_datasets import REFERENCE, at_level
from benchmark.trust.values import TrustValue
from imaging.trust_run import FailedTests, Verdict

_GAIN = "si_psnr_a_gain"
MOST_SPLITS = 0.05
"""Share of single objects that may be split."""

_LEAST_DB = 0.05
"""A gain that is nearer to 0 is told as 0.0 dB, and no fault."""


_Values = dict[tuple[str, str, str, str], TrustValue]
"""By package, test, condition and metric."""


@dataclass(frozen=True)
class _Fault:
    words: str
    test: str
    metric: str
    higher_is_worse: bool = True


_FAULTS = (
    _Fault("takes two points for one from farther apart than its input", "points", "d50_um"),
    _Fault("takes two tubes for one from farther apart than its input", "tubes", "d50_um"),
    _Fault(
        "takes two points above each other for one from farther apart than its input",
        "axial points",
        "d50_um",
    ),
    _Fault(
        "takes tubes at different depth for one from farther apart than its input",
        "axial tubes",
        "d50_um",
    ),
    _Fault("bridges more gaps than its input", "gaps", "false_bridges"),
    _Fault("breaks more tubes than its input", "gaps", "false_breaks"),
    _Fault("miscounts more tubes than its input", "crossings", "count_accuracy", False),
    _Fault("tells spines from empty places less well than its input", "spines", "spine_auc", False),
    _Fault("invents more objects than its input shows", "empty", "invented_per_1000_um2"),
    _Fault("fills empty fields with more light than its input", "empty", "invented_light"),
    _Fault("loses more dim points beside bright ones than its input", "amplitudes", "dim_lost"),
)
_SPLITS = {
    "points": "single points",
    "tubes": "single tubes",
    "axial points": "single points along z",
    "axial tubes": "crossings in one plane along z",
}
_SAID: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("tubes", "d50_um", lambda um: _resolves(um)),
    ("axial points", "d50_um", lambda um: _resolves_along_z(um)),
    ("tubes", "false_splits", lambda share: f"splits {_percent(share)} of single tubes"),
    ("gaps", "false_bridges", lambda share: f"bridges {_percent(share)} of visible gaps"),
    ("gaps", "false_breaks", lambda share: f"breaks {_percent(share)} of tubes"),
    (
        "crossings",
        "count_accuracy",
        lambda share: f"counts {_percent(share)} of meeting tubes right",
    ),
    (
        "empty",
        "invented_per_1000_um2",
        lambda rate: (
            f"invents {rate:{'.0f' if rate >= 10 else '.2g'}} objects per 1000 µm² on noise"
        ),
    ),
    ("amplitudes", "ratio_exponent", lambda x: f"keeps brightness ratios to the power {x:.2g}"),
    ("amplitudes", "dim_lost", lambda share: f"loses {_percent(share)} of dim points"),
)


def judge(
    table: pd.DataFrame,
    package: str,
    photons: Sequence[float],
    failed: FailedTests | None = None,
) -> Verdict:
    """Sum up one package.

    A fault is told where it failed; where its 95 % interval and the input's do not overlap; where
    the share of single objects that are split is above 5 % with its whole interval; and where the
    gain over the input is below 0 (by more than 0.05 dB) with its whole interval.

    Parameters
    ----------
    table
        With the columns of trust.csv.
    package
        Its name there.
    photons
        The levels of light; the sentence is about the one in the middle.
    failed
        On what it failed, if it did: without rows in the table it would have no fault there.

    Returns
    -------
    Verdict
        Without what could not be measured.
    """
    values = _by_place(table)
    at = at_level(usual(photons))
    said: list[str] = []
    for test, metric, words in _SAID:
        found = values.get((package, test, at, metric))
        if found and found.value is not None:
            said.append(words(found.value))
    if package != INPUT:
        said += _say_gains(values, package)
    sentence = f"at {at}, {'; '.join(said)}" if said else "nothing could be measured"
    failures = [str(failed)] if failed else []
    return Verdict(package, sentence, (*failures, *_faults(values, package, photons)))


def usual(photons: Sequence[float]) -> float:
    """Return the level of light in the middle."""
    return sorted(photons)[len(photons) // 2]


def _by_place(table: pd.DataFrame) -> _Values:
    """Read the values that hold for all distances."""
    rows = table[table["at_um"].isna()].astype(object)
    rows = rows.where(rows.notna(), None)
    return {
        (row["package"], row["test"], row["condition"], row["metric"]): TrustValue(
            row["metric"], row["value"], int(row["n"]), row["low"], row["high"]
        )
        for row in rows.to_dict("records")
    }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _resolves(um: float) -> str:
    if math.isinf(um):
        return "does not resolve tubes 0.8 µm apart"
    return f"resolves tubes {um:.2f} µm apart"


def _resolves_along_z(um: float) -> str:
    if math.isinf(um):
        return f"does not resolve points {LONGEST_UM:g} µm above each other"
    return f"resolves points {um:.1f} µm above each other"


def _gains(values: _Values, package: str) -> dict[str, TrustValue]:
    """Return the gains over the input by condition."""
    return {
        condition: found
        for (of, test, condition, metric), found in values.items()
        if (of, test, metric) == (package, SHIFTS, _GAIN)
    }


def _say_gains(values: _Values, package: str) -> list[str]:
    """Say what is gained over the input on usual images, and the least elsewhere."""
    found = _gains(values, package)
    gains = {name: gain.value for name, gain in found.items() if gain.value is not None}
    usual_db = gains.pop(REFERENCE, None)
    if usual_db is None or not gains:
        return []
    least = min(gains, key=lambda condition: gains[condition])
    decibels = [round(gain, 1) + 0.0 for gain in (usual_db, gains[least])]  # + 0.0: no -0.0
    words = [f"{'loses' if gain < 0 else 'gains'} {abs(gain)} dB" for gain in decibels]
    return [f"{words[0]} of SI-PSNR on {REFERENCE} and {words[1]} on {least}"]


def _faults(values: _Values, package: str, photons: Sequence[float]) -> Iterator[str]:
    levels = sorted(photons)
    for fault in _FAULTS:
        at = [level for level in levels if _is_worse(values, package, at_level(level), fault)]
        if at:
            yield f"{fault.words} ({_levels(at)})"
    for test, objects in _SPLITS.items():
        found = {x: values.get((package, test, at_level(x), "false_splits")) for x in levels}
        at = [x for x, value in found.items() if value and (value.low or 0) > MOST_SPLITS]
        if at:
            yield f"splits more than {_percent(MOST_SPLITS)} of {objects} ({_levels(at)})"
    gains = _gains(values, package)
    on = [name for name, gain in gains.items() if (gain.high or 0) < -_LEAST_DB]
    if on:
        which = "; ".join(on) if len(on) < len(gains) else "all images"
        yield f"has a lower SI-PSNR than its input (on {which})"


def _is_worse(values: _Values, package: str, condition: str, fault: _Fault) -> bool:
    """Tell whether the intervals of the package and of its input do not overlap."""
    own = values.get((package, fault.test, condition, fault.metric))
    of_input = values.get((INPUT, fault.test, condition, fault.metric))
    if own is None or of_input is None:
        return False
    worse, better = (own, of_input) if fault.higher_is_worse else (of_input, own)
    return worse.low is not None and better.high is not None and worse.low > better.high


def _levels(photons: Sequence[float]) -> str:
    return f"at {', '.join(f'{level:g}' for level in photons)} photons"
