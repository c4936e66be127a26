"""One self-contained page that shows what a fit found."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from imaging.page import write_page
from imaging.pictures import draw_grey, round_length
from simulation.fitting import fit_figures
from simulation.fitting.classifier import ScoredPatch, Separability
from simulation.fitting.fit_report import FitReport, FittedEntry
from simulation.fitting.noise_correlation import Floats, Images

FAR = 0.3  # standard deviations: structures of one kind are mostly 0.16 to 0.29 apart (docs/fit.md)
_EXAMPLES = 3  # images of each kind
_CROP_PX = 192
_EASIEST = 8
_SHOWN_PERCENTILES = (0.5, 99.8)  # of the images of each kind
_TEMPLATE = Path(__file__).parent / "templates" / "page.html.j2"


@dataclass(frozen=True)
class _Picture:
    """A picture with its caption: a PNG as data URI."""

    source: str
    side_px: int
    caption: str


def write_fit(path: Path, findings: FitReport) -> Path:
    """Write what a fit found as one HTML file that needs nothing else.

    Parameters
    ----------
    path
        The file to write; replaced when it is there.
    findings
        What to show.

    Returns
    -------
    Path
        `path`.
    """
    kinds = {"real": findings.real, "fitted": findings.fitted, "default": findings.default}
    greys = {kind: _grey_range(images) for kind, images in kinds.items()}
    sides = (s for images in kinds.values() for image in images for s in image.shape[-2:])
    side_px = min(_CROP_PX, *sides)
    bar_um = round_length(0.3 * side_px * findings.pixel_size_um)
    return write_page(
        path,
        _TEMPLATE,
        title=findings.title,
        lead=_lead(findings.before, findings.after),
        warnings=warnings_of(findings),
        examples=_as_many_of_each(
            {kind: _examples(images, side_px, greys[kind]) for kind, images in kinds.items()}
        ),
        bar_um=bar_um,
        bar_percent=100 * bar_um / (side_px * findings.pixel_size_um),
        greys=greys,
        nearest=findings.nearest,
        distance=findings.distance,
        far=FAR,
        estimates=[_row(estimate) for estimate in findings.estimates],
        figures={
            "photon_transfer": fit_figures.photon_transfer(findings.photon_transfer),
            "spectra": fit_figures.spectra(kinds, findings.pixel_size_um),
            "histograms": fit_figures.histograms(kinds),
            "autocorrelation": fit_figures.noise_autocorrelation(kinds),
            "separabilities": fit_figures.separabilities(findings.before, findings.after),
        },
        easiest={
            "real": _thumbnails(findings.real, findings.after.real, findings.after, greys["real"]),
            "simulated": _thumbnails(
                findings.fitted, findings.after.simulated, findings.after, greys["fitted"]
            ),
        },
        patch_px=findings.after.patch_px,
        remarks=findings.remarks,
        files=findings.files,
        provenance=findings.provenance,
    )


def _lead(before: Separability, after: Separability) -> str:
    text = (
        "A small classifier tells real patches from simulated ones with an AUC of "
        f"{_with_interval(before)} for the default microscope and {_with_interval(after)} for the "
        "fitted one; 0.5 is chance."
    )
    distance, left = (abs(found.auc - 0.5) for found in (before, after))
    if left < distance:
        return f"{text} The fit closes {1 - left / distance:.0%} of the distance."
    return f"{text} The fit does not bring the simulation closer."


def warnings_of(findings: FitReport) -> list[str]:
    """Say in sentences why what was found may not hold; none where nothing speaks against it."""
    warnings: list[str] = []
    if findings.after.auc > fit_figures.WARN_AUC:
        warnings.append(
            "Images of the fitted microscope are still told from real ones: AUC "
            f"{findings.after.auc:.2f}, above {fit_figures.WARN_AUC:g}. What a network learns "
            "from them may not hold for real images. The easiest patches on the page show what "
            "gives them away."
        )
    if findings.distance > FAR:
        warnings.append(
            "No structure that was tried is like the real one, or structure was taken for noise: "
            f"the nearest, {findings.nearest}, is {findings.distance:.2f} away, and structures of "
            f"one kind are mostly less than {FAR:g} apart. PSF width, light and perhaps "
            "noise are less sure than their ranges; give --expanded images of such specimens, "
            "--beads or --repeats."
        )
    return warnings


def _with_interval(found: Separability) -> str:
    return f"{found.auc:.2f} ({found.interval[0]:.2f} to {found.interval[1]:.2f})"


def _row(estimate: FittedEntry) -> tuple[str, ...]:
    best, low, high = map(_number, astuple(estimate.measured))
    return (
        estimate.name,
        best,
        f"{low} to {high}",
        estimate.unit,
        estimate.method,
        estimate.remark,
    )


def _number(value: float) -> str:
    """Write three digits, and all those before the point."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−")


def _grey_range(images: Images) -> tuple[float, float]:
    values = np.concatenate([image.ravel() for image in images])
    low, high = np.percentile(values, _SHOWN_PERCENTILES)
    return float(low), float(max(high, low + 1))


def _examples(images: Images, side_px: int, grey: tuple[float, float]) -> list[_Picture]:
    """Crop the brightest plane of each third of all, or several places of fewer planes."""
    planes = [
        (str(number), plane)
        for number, image in enumerate(images, 1)
        for plane in image.reshape(-1, *image.shape[-2:])
    ]
    parts = np.array_split(np.arange(len(planes)), min(_EXAMPLES, len(planes)))
    pictures: list[_Picture] = []
    for part in parts:
        caption, plane = max((planes[index] for index in part), key=lambda one: one[1].mean())
        crops = _brightest(plane.astype(np.float64), side_px, math.ceil(_EXAMPLES / len(parts)))
        pictures += [_Picture(draw_grey(crop, *grey), side_px, caption) for crop in crops]
    return pictures[:_EXAMPLES]


def _as_many_of_each(pictures: dict[str, list[_Picture]]) -> dict[str, list[_Picture]]:
    fewest = min(map(len, pictures.values()))
    return {kind: shown[:fewest] for kind, shown in pictures.items()}


def _brightest(plane: Floats, side_px: int, most: int) -> list[Floats]:
    """Crop where a plane is brightest on average, side by side."""
    means = uniform_filter(plane, side_px, mode="constant")
    before, after = side_px // 2, (side_px - 1) // 2
    inside = means[before : plane.shape[0] - after, before : plane.shape[1] - after]
    crops: list[Floats] = []
    while len(crops) < most and inside.max() > -np.inf:
        y, x = map(int, np.unravel_index(int(inside.argmax()), inside.shape))
        crops.append(plane[y : y + side_px, x : x + side_px])
        overlapping = (slice(max(at - side_px + 1, 0), at + side_px) for at in (y, x))
        inside[tuple(overlapping)] = -np.inf
    return crops


def _thumbnails(
    images: Images, patches: Sequence[ScoredPatch], found: Separability, grey: tuple[float, float]
) -> list[_Picture]:
    pictures: list[_Picture] = []
    for patch in patches[:_EASIEST]:
        stack = images[patch.image].reshape(-1, *images[patch.image].shape[-2:])
        rows, columns = (slice(begin, begin + found.patch_px) for begin in (patch.y, patch.x))
        pixels = stack[patch.plane, rows, columns].astype(np.float64)
        pictures.append(_Picture(draw_grey(pixels, *grey), found.patch_px, f"{patch.score:.2f}"))
    return pictures
