"""The sentences of the page."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark.comparison.comparisons import SIGNIFICANT, Rank, Test
from benchmark.comparison.reliability import Reliability
from benchmark.comparison.summary import Summary
from benchmark.metrics.columns import CHOOSING, PERCEPTION
from benchmark.objects.detection import Interval
from imaging.benchmark_run import BenchmarkRun, DatasetEntry, PackageEntry
from imaging.cli import counted
from imaging.provenance import written


class TextTable(NamedTuple):
    """Headings and rows of words; not shown without rows."""

    headings: list[str]
    rows: list[tuple[str, ...]]


def lead(
    packages: Sequence[PackageEntry], controls: Sequence[str], datasets: int, images: int
) -> str:
    """Say what was run on what."""
    what = f"{counted(len(packages), 'package')}"
    if controls:
        what += f" beside {counted(len(controls), 'control')} ({enumerate_words(controls)})"
    return f"{what}, on {counted(images, 'image')} of {counted(datasets, 'dataset')}."


def about(dataset: DatasetEntry, sources: int) -> str:
    """Introduce a dataset."""
    images = len(dataset.images)
    part = "of the validation part " if dataset.part == "validation" else ""
    text = f"{counted(images, 'image')} {part}from {counted(sources, 'source')}"
    if dataset.pixel_size_um:
        text += f", {dataset.pixel_size_um:g} µm per pixel"
    if any(image.target for image in dataset.images):
        text += f", with truth ({dataset.registration or 'registration not stated'})."
    else:
        text += ", without truth."
    return f"{dataset.description} {text}".strip()


def changed(names: Sequence[str]) -> str:
    """Say which images are no longer as they were scored; empty where all are."""
    if not names:
        return ""
    return (
        f"The files of {counted(len(names), 'image')} are gone, damaged or changed since they were "
        f"scored: {enumerate_words(names)}. They count in the tables, and are left out of "
        "pictures, curves and reliability. Run the benchmark again to score what is there now."
    )


def finding(summary: Summary, sources: int) -> str:
    """Say who leads, if anyone does, or that so few sources could not show it."""
    if not summary.measured:
        return ""
    led: dict[str, list[str]] = {}
    for column in summary.measured:
        if column.metric in summary.best:
            led.setdefault(summary.best[column.metric], []).append(column.label)
    if not led and sources < (fewest := _fewest_sources(len(summary.tests))):
        return (
            f"{counted(sources, 'source')} cannot show that anybody is ahead: corrected for "
            f"{counted(len(summary.tests), 'comparison')}, the paired test asks for {fewest} at "
            "least."
        )
    if not led:
        return "No package or control leads beyond chance in any metric."
    count = sum(column.direction != "neither" for column in summary.measured)
    return " ".join(
        f"{name} leads beyond chance in {len(labels)} of {count} metrics: "
        f"{enumerate_words(labels)}."
        for name, labels in led.items()
    )


def _fewest_sources(tests: int) -> int:
    """Return how many differences of one sign are beyond chance in signed-rank tests.

    n of them have p = 2 / 2ⁿ, and Holm's correction multiplies the least p by the number of tests.
    """
    return math.floor(math.log2(2 * max(tests, 1) / SIGNIFICANT)) + 1


def caption(summary: Summary, sources: int) -> str:
    """Explain the tables of a dataset."""
    text = "Means over images"
    if sources > 1:
        text += (
            f" with 95 % bootstrap intervals over {sources} sources (images of one source are "
            "drawn together)"
        )
        text += ", which are too narrow for so few" if sources < 10 else ""
    else:
        text += "; a single source leaves no interval"
    text += ". ↑ higher is better, ↓ lower is better."
    text += " → comes before the best value where neither is better."
    if summary.tests:
        text += (
            " Underlined: a mean over every image, ahead of each other row but the truth on the "
            "images that both have, by Wilcoxon's signed-rank test over sources at "
            f"{100 * SIGNIFICANT:g} %, after Holm's correction for all {len(summary.tests)} "
            "comparisons."
        )
    return text + " Hover over a heading for its definition."


def ranks(summary: Summary) -> TextTable:
    """Write each place in distortion and perception, with its interval; none for fewer than two."""
    contests = [
        contest
        for column in (CHOOSING, PERCEPTION)
        if (contest := summary.contests.get(column.metric)) and len(contest.losses) > 1
    ]
    places = [contest.ranks for contest in contests]
    scored = {name for contest in contests for name in (*contest.losses, *contest.incomplete)}
    names = [row.name for row in summary.rows if row.name in scored]
    last = len(names)
    names.sort(key=lambda name: [r[name].place if name in r else last for r in places])
    return TextTable(
        [contest.column.label for contest in contests],
        [(name, *(_place(ranks.get(name)) for ranks in places)) for name in names],
    )


PLANE_CAPTION = (
    "Discs: packages; rings: one sample of them; squares: controls, without the truth. Strokes are "
    "95 % intervals of means over images, which differ among images far more than packages do on "
    "one image: whether one is ahead of another, the paired tests below say."
)
PLACES_CAPTION = (
    "Places: the 95 % interval of each place among packages, samples and controls, over draws of "
    "the sources; a single number where the draws agree on it; none (–) without a score on every "
    "image."
)


def views_caption(dataset: DatasetEntry) -> str:
    """Explain the images of a dataset."""
    reference = "truth" if any(image.target for image in dataset.images) else "input"
    return (
        f"Crops lie where the {reference} is brightest on average. Restored images are fitted to "
        f"the {reference} (gain and offset) and share its display range, percentiles 1 to 99.9."
    )


def volumes_caption(dataset: DatasetEntry) -> str:
    """Explain the volumes of a dataset."""
    reference = "truth" if any(image.target for image in dataset.images) else "input"
    return (
        f"Planes (x to the right, y down), and below and beside them sections along z through the "
        f"brightest place of the {reference}, stretched to true proportions; the lines say where. "
        f"Crops lie where the {reference} is brightest on average over all planes. Each volume is "
        f"fitted to the {reference} by one gain and one offset, and shares its display range, "
        "percentiles 1 to 99.9."
    )


def reliability_caption(found: Sequence[Reliability]) -> str:
    """Say what the figures of reliability show, and what may be promised."""
    text = (
        "Stated and found, on the scale on which packages deliver (percentiles 2 and 99.8 of the "
        "truth at 0 and 1), without any fit. On the diagonal a package is right; below it in the "
        "figure of coverage, or above it in those of errors, it is too sure. Rings: the intervals "
        "that the package states itself, as errors are no Gaussians. Errors: root mean square in "
        "30ths of the pixels, from the most certain, and ENCE, all pixels pooled. "
    )
    promises = [
        f"{one.name}: mean ± {one.guaranteed:.2f} std holds at least 90 % of the pixels of new "
        "images of this kind, in the mean over images and with 90 % confidence "
        f"(mean width {one.width:.3f})."
        for one in found
        if isinstance(one.guaranteed, float)
    ]
    refused = sorted({one.guaranteed for one in found if isinstance(one.guaranteed, str)})
    return text + " ".join(promises + [f"No interval is guaranteed. {why}" for why in refused])


def test_row(test: Test) -> tuple[str, ...]:
    """Write one paired test: metric, leader, other, lead with interval, effect, corrected p."""
    lead_by = test.comparison.advantage
    number = test.column.format
    interval = ""
    if lead_by.low is not None and lead_by.high is not None:
        interval = f" ({number(lead_by.low)} – {number(lead_by.high)})"
    return (
        test.column.label,
        test.leader,
        test.other,
        f"{number(lead_by.mean)}{interval} {test.column.unit}".strip(),
        f"{test.comparison.effect:.2f}".replace("-", "−"),
        f"{test.p:.2g}" if test.p >= 0.0001 else "< 0.0001",
    )


def origin(dataset: DatasetEntry) -> tuple[str, ...]:
    """Say where a dataset comes from: its name, how many images, made how, licence and SHA-256."""
    hashes = "".join(image.input_sha256 + image.target_sha256 for image in dataset.images)
    return (
        dataset.name,
        counted(len(dataset.images), "image"),
        written(dataset.name, dataset.provenance) or "not stated",
        dataset.licence or "not stated",
        hashlib.sha256(hashes.encode()).hexdigest(),
    )


def machine(run: BenchmarkRun) -> list[tuple[str, str]]:
    """Say what the run was made on."""
    versions = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    return [
        ("Device", run.device),
        ("CPU", run.cpu),
        ("System", run.system),
        ("Versions", versions),
        ("Seed", str(run.seed)),
        ("Benchmark code", run.benchmark_sha256[:12]),
    ]


def pixel(size_um: Mapping[str, float]) -> str:
    """Write a pixel size."""
    if not size_um:
        return "not stated"
    return " x ".join(f"{size:g}" for size in size_um.values()) + " µm"


def enumerate_words(words: Sequence[str]) -> str:
    """Write a list."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def interval_text(of: Interval, digits: int, *, times: float = 1.0, sign: bool = False) -> str:
    """Write a value with its interval, where it has one.

    Examples
    --------
    >>> interval_text(Interval(-0.5, -0.7, 0.1), 2, sign=True)
    '−0.50 (−0.70 – +0.10)'
    """
    form = f"{'+' if sign else ''}.{digits}f"
    value, *ends = (
        f"{times * one:{form}}".replace("-", "−")
        for one in (of.value, of.low, of.high)
        if one is not None
    )
    return f"{value} ({' – '.join(ends)})" if ends else value


def _place(rank: Rank | None) -> str:
    if rank is None:
        return "–"
    if rank.low is None:
        return f"{rank.place}, without interval"
    return f"{rank.low}" if rank.low == rank.high else f"{rank.low} – {rank.high}"
