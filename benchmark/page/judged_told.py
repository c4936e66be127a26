"""The tables of the page on lines that people traced and masks that they drew."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.objects import regions, tracing
from benchmark.objects.brightness import Definition
from benchmark.objects.judged import Judged, Measure, Scored
from benchmark.page.text import enumerate_words, interval_text
from imaging.cli import counted

FEWEST = 6  # as of specimens in paired tests: fewer cannot be told from chance at 5 %


@dataclass(frozen=True)
class JudgedTold:
    """What the page shows of lines or masks.

    Attributes
    ----------
    title, about, finding, caption
        Words and sentences.
    headings, rows
        Of the table.
    """

    title: str
    about: str
    finding: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    caption: str


def tell_judged(found: Sequence[Judged]) -> list[JudgedTold]:
    """Write what was measured on traced lines and drawn masks."""
    return [
        JudgedTold(
            title=f"Traced lines: {one.kind}" if one.shape == "lines" else "Drawn masks",
            about=_about(one),
            finding=_finding(one),
            headings=(
                "Package",
                *(
                    heading
                    for measure in one.measures
                    for heading in (measure.heading, f"{measure.label}: over the input")
                ),
            ),
            rows=[
                (name, *(text for measure in one.measures for text in _cells(scores, measure)))
                for name, scores in one.scores.items()
            ],
            caption=_caption(one),
        )
        for one in found
    ]


def _about(one: Judged) -> str:
    where = f"in {counted(one.images, 'image')}"
    if one.shape == "masks":
        return (
            f"{counted(one.objects, 'object')} {where}. Discs of {Definition().disc_um:g} µm "
            "radius in the half of an object's pixels that lie deepest are compared with discs "
            f"around it, from {regions.GAP_UM:g} to {regions.GAP_UM + regions.RING_UM:g} µm away."
        )
    return (
        f"{counted(one.objects, 'line')} {where}. A line is seen where the brightest disc across "
        "it is brighter than half of the line itself there, over the background, and than "
        f"{tracing.BESIDE:.0%} of the places beside it.".replace("%", " %")
    )


def _caption(one: Judged) -> str:
    if one.shape == "masks":
        said = (
            "Separation: probability that a disc inside is brighter than one around, mean over "
            "objects; 0.5 is chance. Contrast: mean brightness inside less that around, where the "
            "background outside of all objects is 0 and their mean 1. "
        )
        over = "images" if one.clusters < one.objects else "objects"
        said += f"95 % intervals over {over}."
        if over == "objects":
            said += " Objects of one image are not independent: read the intervals as too narrow."
    else:
        said = (
            f"Continuity: share of the length that is seen. Breaks: interruptions of more than "
            f"{tracing.GAP_UM:g} µm. Bridges: share of stretches of {tracing.STRETCH_UM:g} µm, "
            f"beside another line {tracing.NEAR_UM:g} to {tracing.FAR_UM:g} µm away, between which "
            "it is nowhere darker than half of the darker line. 95 % intervals over lines."
        )
    absent = [f"{name}: {reason}" for name, reason in one.absent.items()]
    return " ".join([said, *one.notes, *(["Not in this table.", *absent] if absent else [])])


def _finding(one: Judged) -> str:
    what = "line" if one.shape == "lines" else "image" if one.clusters < one.objects else "object"
    if one.clusters < FEWEST:
        return (
            f"{counted(one.clusters, what)} cannot show that a package is ahead of the input or "
            f"behind it: that asks for {FEWEST} at least."
        )
    said: list[str] = []
    for measure in one.measures:
        for word, sign in (("more", 1), ("less", -1)):
            names = [name for name, scores in one.scores.items() if _side(scores, measure) == sign]
            if names:
                said.append(f"{word} {measure.label.lower()} in {enumerate_words(names)}")
    if not said:
        return "No package is told from the input."
    return f"Than in the input, beyond chance: {'; '.join(said)}."


def _side(scores: dict[str, Scored], measure: Measure) -> int:
    """Return on which side of the input's value the whole interval lies; 0 where it holds it."""
    lead = scores[measure.name].lead if measure.name in scores else None
    if lead is None or lead.low is None or lead.high is None:
        return 0
    return int(lead.low > 0) - int(lead.high < 0)


def _cells(scores: dict[str, Scored], measure: Measure) -> tuple[str, str]:
    if measure.name not in scores:
        return "n/a", ""
    one, times = scores[measure.name], 100.0 if measure.unit == "%" else 1.0
    digits = 1 if measure.unit == "%" else 2 if measure.unit else 3
    value = interval_text(one.value, digits, times=times)
    over = interval_text(one.lead, digits, times=times, sign=True) if one.lead else ""
    return value, over
