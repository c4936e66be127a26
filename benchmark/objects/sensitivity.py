"""How much what is said of marked points depends on the definition of how bright they are.

Marks are set by hand, and every choice of what is measured at them favours somebody: at the mark
itself a blur gains, for a mark beside its object is darker in a sharper image. So the choices are
shown beside each other, each with all others as they are by default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.objects.brightness import Definition, Values, line_brightness, relative
from benchmark.objects.detection import Interval, Looks, detect, lead
from benchmark.objects.fields import Field, Shows
from benchmark.objects.points import Sites

SEARCHES_UM = (0.0, 0.2, 0.4, 0.55, 0.7)
DISCS_UM = (0.12, 0.25, 0.4)
LINE, SPREAD, NONE = "the line", "the spread", "nothing"
SEARCH, DISC, RELATIVE_TO = "search, µm", "disc, µm", "relative to"
_TO_DEVIATION = 1.4826  # from the median absolute deviation, of a normal distribution


@dataclass(frozen=True)
class Variant:
    """One definition: what differs from the default, its value, and what it is with."""

    choice: str
    value: str
    definition: Definition
    relative_to: str = LINE


@dataclass(frozen=True)
class Sensitivity:
    """Detectability of one package by one definition, and its lead; None for the input."""

    package: str
    variant: Variant
    detectability: Interval
    lead: Interval | None


def variants() -> list[Variant]:
    """Return the definitions that are compared."""
    default = Definition()
    return [
        *(
            Variant(SEARCH, f"{radius:g}", replace(default, search_um=radius))
            for radius in SEARCHES_UM
        ),
        *(Variant(DISC, f"{radius:g}", replace(default, disc_um=radius)) for radius in DISCS_UM),
        *(Variant(RELATIVE_TO, to, default, to) for to in (LINE, SPREAD, NONE)),
    ]


def looks_by_variant(
    places: Sequence[tuple[Field, Sites]], shown: Shows, name: str
) -> dict[Variant, Looks]:
    """Look at marks and control points by each definition.

    Parameters
    ----------
    places
        Images, and where they are looked at.
    shown, name
        What was made of them, and by whom.

    Returns
    -------
    dict
        Without definitions by which nothing can be measured.

    Raises
    ------
    NotApplicable, UserError
        As `shown` does, or a line is not brighter than the background.
    """
    seen: dict[Definition, list[tuple[Values, Values, float]]] = {}
    every = variants()
    for field, sites in places:
        volume = shown.volume(name, field)
        shafts: dict[float, Values] = {}
        for definition in dict.fromkeys(variant.definition for variant in every):
            if definition.disc_um not in shafts:
                of_vertices = line_brightness(volume, sites.lines, definition)
                shafts[definition.disc_um] = of_vertices[sites.places.vertex]
            value = volume.brightest(sites.places, definition).value
            found = (value, shafts[definition.disc_um], volume.background)
            seen.setdefault(definition, []).append(found)
    numbers = dict.fromkeys((f.name, line) for f, sites in places for line in sites.line)
    order = {line: number for number, line in enumerate(numbers)}
    line = np.array([order[f.name, one] for f, sites in places for one in sites.line])
    is_mark = np.concatenate([np.arange(len(s.places)) < s.marks for _, s in places])
    looks: dict[Variant, Looks] = {}
    for variant in every:
        values = np.concatenate(
            [
                relative(value, shaft, background) if variant.relative_to == LINE else value
                for value, shaft, background in seen[variant.definition]
            ]
        )
        if variant.relative_to == SPREAD:
            values = in_spreads(values, line, is_mark)
        if np.isfinite(values).all():
            looks[variant] = looks_of(values, line, is_mark)
    return looks


def compare(
    name: str, looks: Mapping[Variant, Looks], baseline: Mapping[Variant, Looks] | None = None
) -> list[Sensitivity]:
    """Measure detectability by each definition, and its lead over the input's, the baseline."""
    return [
        Sensitivity(
            name,
            variant,
            detect(of).detectability,
            lead(of, baseline[variant]).detectability
            if baseline is not None and variant in baseline
            else None,
        )
        for variant, of in looks.items()
    ]


def in_spreads(values: Values, line: NDArray[np.intp], is_mark: NDArray[np.bool_]) -> Values:
    """Return values over the median of the line's control points, in their robust deviations.

    Not finite where all control points of a line are alike.
    """
    scaled = np.full(len(values), np.nan)
    for number in np.unique(line):
        here = line == number
        controls = values[here & ~is_mark]
        if not len(controls):
            continue
        middle = np.median(controls)
        spread = _TO_DEVIATION * np.median(np.abs(controls - middle))
        scaled[here] = (values[here] - middle) / spread if spread > 0 else np.nan
    return scaled


def looks_of(values: Values, line: NDArray[np.intp], is_mark: NDArray[np.bool_]) -> Looks:
    """Arrange values at marks and control points; nothing is above the threshold."""
    never = np.full(len(values), np.inf)
    return Looks(
        values[is_mark],
        values[~is_mark],
        line[is_mark],
        line[~is_mark],
        never[is_mark],
        never[~is_mark],
    )
