"""Traced lines: whether they are continuous, where they break, and what bridges two of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import Definition, Values, Volume, vertices_of
from benchmark.objects.fields import Field, Shows
from benchmark.objects.judged import Judged, Measure, Ratio, judge
from benchmark.objects.side_places import Samples, beside, follow, sample
from imaging.cli import counted
from imaging.extent import Extent

HALF = 0.5  # of a line's own brightness above the background: below it there is a gap
LOCAL_UM = 10.0  # on each side, over which that brightness is taken: longer than gaps are
GAP_UM = 0.5  # a disc's width: shorter gaps are not told from noise
BESIDE = 0.95  # share of the places beside a line that it must outshine to be seen
NEAR_UM, FAR_UM = 1.0, 4.0  # between lines that are apart and that something could bridge
STRETCH_UM = 1.0  # length over which what lies between two lines is averaged
_PER_UM = 100.0
CONTINUITY = Measure("continuity", "Continuity", "↑", "%")
BREAKS = Measure("breaks", "Breaks", "↓", "per 100 µm")
BRIDGES = Measure("bridges", "Bridges", "↓", "%")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Stretches of a line beside a neighbour: where to look from one across to the other.

    Attributes
    ----------
    first, second
        (n,), the sample of this line and the nearest of the other, counted through all lines.
    stretch
        (n,), the number of the stretch that it belongs to.
    line
        (stretches,), the number of the line.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    stretch: NDArray[np.intp]
    line: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Traces:
    """The traced lines of one image: places along each, beside each, and from one to another."""

    along: Sequence[Samples]
    beside: Sequence[Samples]
    pairs: Pairs


@dataclass(frozen=True, eq=False)
class Followed:
    """What an image shows along lines: for each its share seen, and its breaks.

    Attributes
    ----------
    seen, breaks
        (lines,), how many samples are seen, and how often they are interrupted.
    filled
        (stretches,), whether what lies between two lines is as bright as they are.
    """

    seen: Values
    breaks: Values
    filled: Values


def measure_lines(
    fields: Iterable[Field], shown: Shows, definition: Definition | None = None
) -> tuple[list[Judged], list[str]]:
    """Follow traced lines in the input and in what was restored.

    Parameters
    ----------
    fields
        Annotated images.
    shown
        What was made of them.
    definition
        Of the disc, and of how far beside a trace the line may lie.

    Returns
    -------
    judged
        Of each kind of line; empty where there is none.
    reasons
        Sentences: why lines say nothing.
    """
    wanted = definition or Definition()
    traces: dict[str, list[tuple[Field, Traces]]] = {}
    for field in fields:
        lines = field.annotations.lines if field.annotations else ()
        for kind in dict.fromkeys(line.kind for line in lines):
            of_kind = [vertices_of(line) for line in lines if line.kind == kind]
            traces.setdefault(kind, []).append((field, find_traces(of_kind, field.extent)))
    judged: list[Judged] = []
    reasons: list[str] = []
    for kind, of_kind in traces.items():
        try:
            judged.append(_of_kind(kind, of_kind, shown, wanted))
        except NotApplicable as reason:
            reasons.append(f"{kind}: {reason}")
    return judged, reasons


def _of_kind(
    kind: str, found: Sequence[tuple[Field, Traces]], shown: Shows, definition: Definition
) -> Judged:
    length_um = np.concatenate([[line.length_um for line in here.along] for _, here in found])
    samples = np.concatenate([[float(len(line)) for line in here.along] for _, here in found])
    every = np.arange(len(length_um))
    firsts = np.cumsum([0, *(len(here.along) for _, here in found)])
    of_pair = np.concatenate(
        [here.pairs.line + first for (_, here), first in zip(found, firsts, strict=False)]
    )

    def ratios_of(name: str) -> dict[str, Ratio]:
        seen = [look(here, shown.volume(name, field), definition) for field, here in found]
        ratios = {
            CONTINUITY.name: Ratio(np.concatenate([one.seen for one in seen]), samples, every),
            BREAKS.name: Ratio(
                np.concatenate([one.breaks for one in seen]), length_um / _PER_UM, every
            ),
        }
        if len(of_pair):
            filled = np.concatenate([one.filled for one in seen])
            ratios[BRIDGES.name] = Ratio(filled, np.ones(len(filled)), of_pair)
        return ratios

    scores, absent = judge(ratios_of, shown.names)
    note = (
        f"Bridges: {counted(len(of_pair), 'piece')} of line have such a neighbour."
        if len(of_pair)
        else f"Bridges are not measured: no two of these lines run {NEAR_UM:g} to {FAR_UM:g} µm "
        "apart in one depth without crossing nearby."
    )
    return Judged(
        shape="lines",
        kind=kind,
        measures=(CONTINUITY, BREAKS, *([BRIDGES] if len(of_pair) else [])),
        images=len(found),
        objects=len(every),
        clusters=len(every),
        scores=scores,
        absent=absent,
        notes=(note,),
    )


def find_traces(lines: Sequence[NDArray[np.float64]], extent: Extent) -> Traces:
    """Return where to look along lines, beside them and between them.

    Parameters
    ----------
    lines
        Each (vertices, 3): x and y in µm, and plane.
    extent
        Of the image.

    Returns
    -------
    Traces
        Without any look at pixels, so that no package has a say.
    """
    along = [sample(line) for line in lines]
    vertices = KDTree(np.concatenate(lines)[:, :2])
    return Traces(
        along, [beside(line, vertices, extent) for line in along], _pairs(along, extent.step_um)
    )


def look(traces: Traces, volume: Volume, definition: Definition) -> Followed:
    """Follow the lines of an image of the same field.

    Parameters
    ----------
    traces
        Where.
    volume
        The image.
    definition
        Of the disc, and of how far beside a trace the line may lie.

    Returns
    -------
    Followed
        Neither gain nor offset of the image matters.
    """
    profiles = [follow(line, volume, definition) for line in traces.along]
    background = volume.background
    local: list[Values] = []
    seen: list[float] = []
    breaks: list[float] = []
    for line, profile, places in zip(traces.along, profiles, traces.beside, strict=True):
        first = np.searchsorted(line.along_um, line.along_um - LOCAL_UM)
        last = np.searchsorted(line.along_um, line.along_um + LOCAL_UM, side="right")
        own = np.array([np.median(profile[a:b]) for a, b in zip(first, last, strict=True)])
        floor = np.quantile(follow(places, volume, definition), BESIDE) if len(places) else -np.inf
        is_seen = profile > np.maximum(background + HALF * (own - background), floor)
        local.append(own)
        seen.append(float(is_seen.sum()))
        breaks.append(float(len(interruptions(is_seen, line.step_um))))
    filled = _filled(traces, np.concatenate(local), volume, definition, background)
    return Followed(np.array(seen), np.array(breaks), filled)


def interruptions(is_seen: NDArray[np.bool_], step_um: float) -> Values:
    """Return the lengths, µm, of what is not seen between what is, where longer than `GAP_UM`."""
    places = np.flatnonzero(is_seen)
    gaps = (np.diff(places) - 1) * step_um
    return gaps[gaps > GAP_UM]


def _pairs(lines: Sequence[Samples], step_um: float | None) -> Pairs:
    """Find where a line runs beside a later one, apart from it and without crossing nearby."""
    firsts = np.cumsum([0, *(len(line) for line in lines)])
    columns: list[NDArray[np.intp]] = []
    of_line: list[int] = []
    for one, line in enumerate(lines):
        for other in range(one + 1, len(lines)):
            away, nearest = _nearest(line, lines[other], step_um)
            touches = line.along_um[away < NEAR_UM]
            apart = (away >= NEAR_UM) & (away <= FAR_UM)
            if len(touches):
                to_touch = KDTree(touches[:, None]).query(line.along_um[:, None])[0]
                apart &= to_touch > FAR_UM
            number = (line.along_um / STRETCH_UM).astype(np.intp)
            for stretch in np.unique(number[apart]):
                here = np.flatnonzero(apart & (number == stretch))
                columns.append(
                    np.stack(
                        [
                            here + firsts[one],
                            nearest[here] + firsts[other],
                            np.full(len(here), len(of_line)),
                        ]
                    )
                )
                of_line.append(one)
    first, second, stretch = np.concatenate([np.empty((3, 0), np.intp), *columns], axis=1)
    return Pairs(first, second, stretch, np.array(of_line, dtype=np.intp))


def _nearest(
    line: Samples, other: Samples, step_um: float | None
) -> tuple[Values, NDArray[np.intp]]:
    """Return how far another line is in the plane, where it is in the same depth; else infinite."""
    places = np.stack([other.x_um, other.y_um], axis=1)
    away, found = KDTree(places).query(np.stack([line.x_um, line.y_um], axis=1))
    nearest = np.asarray(found, dtype=np.intp)
    deep = np.abs(line.plane - other.plane[nearest])
    reach = int(Definition().depth_um / step_um + 1e-9) if step_um else 0
    return np.where(deep <= reach, away, np.inf), nearest


def _filled(
    traces: Traces, local: Values, volume: Volume, definition: Definition, background: float
) -> Values:
    """Tell between which lines the image is nowhere darker than half of the darker line."""
    pairs = traces.pairs
    if not len(pairs.line):
        return np.empty(0)
    x_um, y_um, plane = (
        np.concatenate([getattr(line, name) for line in traces.along])
        for name in ("x_um", "y_um", "plane")
    )
    steps = int(np.ceil(FAR_UM / (definition.disc_um / 2)))
    counts = np.bincount(pairs.stretch)
    across: list[Values] = []
    for share in np.linspace(0, 1, steps + 1):
        means = volume.disc_means(
            (1 - share) * x_um[pairs.first] + share * x_um[pairs.second],
            (1 - share) * y_um[pairs.first] + share * y_um[pairs.second],
            np.rint((1 - share) * plane[pairs.first] + share * plane[pairs.second]).astype(np.intp),
            definition.disc_um / 2,
        )
        across.append(np.bincount(pairs.stretch, means) / counts)
    darker = np.minimum(local[pairs.first], local[pairs.second])
    due = background + HALF * (np.bincount(pairs.stretch, darker) / counts - background)
    valley = np.min(across, axis=0)
    return ((valley > due) & (due > background)).astype(float)
