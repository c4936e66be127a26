"""Masks: whether the inside of an object that somebody outlined is told from what surrounds it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, maximum_filter
from scipy.stats import rankdata

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import Definition, Values, Volume
from benchmark.objects.fields import Field, Shows
from benchmark.objects.judged import Judged, Measure, Ratio, judge
from imaging.cli import UserError
from imaging.scores import INPUT

GAP_UM = 0.5  # around an object, left out: outlines are drawn by hand, and images blurred as far
RING_UM = 1.0  # beyond it, that counts as what surrounds the object
FEWEST_IMAGES = 6  # to draw images; below it objects are drawn, as if those of one were independent
_FEWEST = 5  # places inside and around, of an object that counts
_PLACES = 200  # at most of each: as many tell a probability to within 0.03
_OUTSIDE = 2000
Pixels = NDArray[np.intp]
SEPARATION = Measure("separation", "Separation", "↑")
CONTRAST = Measure("contrast", "Contrast", "↑")


@dataclass(frozen=True, eq=False)
class Spots:
    """Places in an image: (n,) each, µm from the middle of the first pixel, and planes."""

    x_um: Values
    y_um: Values
    plane: NDArray[np.intp]

    def means(self, volume: Volume, radius_um: float) -> Values:
        """Return the mean of the disc around each."""
        return volume.disc_means(self.x_um, self.y_um, self.plane, radius_um)


@dataclass(frozen=True, eq=False)
class Region:
    """Places inside an object, in the half of its pixels that lie deepest, and around it."""

    inside: Spots
    around: Spots


@dataclass(frozen=True, eq=False)
class Regions:
    """The objects of a mask, and places outside all of them; `skipped` have no room for either."""

    regions: Sequence[Region]
    outside: Spots
    skipped: int


@dataclass(frozen=True, eq=False)
class Shown:
    """What an image shows of objects: how they are told from, and how bright they are."""

    separation: Values
    inside: Values
    around: Values
    outside: float


def measure_masks(
    fields: Iterable[Field], shown: Shows, definition: Definition | None = None
) -> tuple[list[Judged], list[str]]:
    """Tell drawn objects from what surrounds them, in the input and in what was restored.

    Parameters
    ----------
    fields
        Annotated images.
    shown
        What was made of them.
    definition
        Of the disc that is averaged over.

    Returns
    -------
    judged
        Of all masks together; empty where there are none.
    reasons
        Sentences: why masks say nothing.
    """
    disc_um = (definition or Definition()).disc_um
    reasons: list[str] = []
    found: list[tuple[Field, Regions]] = []
    for field in fields:
        if field.mask is None:
            continue
        regions = find_regions(field.mask, (field.extent.pixel_um["y"], field.extent.pixel_um["x"]))
        if regions.regions:
            found.append((field, regions))
        else:
            reasons.append(
                f"{field.name}: no object of the mask has room around it, {GAP_UM:g} µm away from "
                "every other."
            )
    if not found:
        return [], reasons
    counts = [len(regions.regions) for _, regions in found]
    by_image = len(found) >= FEWEST_IMAGES
    cluster = np.repeat(np.arange(len(found)), counts) if by_image else np.arange(sum(counts))
    try:
        in_input = [look(regions, shown.volume(INPUT, f), disc_um) for f, regions in found]
    except (NotApplicable, UserError) as reason:
        return [], [*reasons, f"masks: {reason}"]
    is_dark = bool(np.concatenate([one.separation for one in in_input]).mean() < 0.5)

    def ratios_of(name: str) -> dict[str, Ratio]:
        seen = [look(regions, shown.volume(name, f), disc_um) for f, regions in found]
        return ratios(seen, cluster, is_dark=is_dark)

    scores, absent = judge(ratios_of, shown.names)
    skipped = sum(regions.skipped for _, regions in found)
    notes = [
        "The input shows them darker than what surrounds them, so darker counts as better here."
    ] * is_dark
    if skipped:
        notes.append(
            f"{skipped} without room around them, {GAP_UM:g} µm away from every other, are left "
            "out."
        )
    judged = Judged(
        shape="masks",
        kind="object",
        measures=(SEPARATION, CONTRAST),
        images=len(found),
        objects=len(cluster),
        clusters=int(cluster.max()) + 1,
        scores=scores,
        absent=absent,
        notes=tuple(notes),
    )
    return [judged], reasons


def find_regions(mask: NDArray[np.integer], pixel_um: tuple[float, float]) -> Regions:
    """Return places inside and around the objects of a mask.

    Parameters
    ----------
    mask
        (z, y, x), a whole number for each object, 0 for none.
    pixel_um
        Along y and x.

    Returns
    -------
    Regions
        Of objects with places inside, and around them in the same planes: beyond `GAP_UM` or a
        pixel from the object and every other one, and within a ring of `RING_UM` or two pixels.
    """
    rng = np.random.default_rng(0)
    gap, ring = max(GAP_UM, *pixel_um), max(RING_UM, *(2 * size for size in pixel_um))
    reach = [int((2 * gap + ring) / size) + 1 for size in pixel_um]
    values, labels = np.unique(mask, return_inverse=True)
    labels = labels.reshape(mask.shape).astype(np.int32) + (values[0] != 0)  # 0 is none
    regions: list[Region] = []
    boxes = [box for box in find_objects(labels) if box is not None]
    for number, box in enumerate(boxes, 1):
        inside: list[Pixels] = []
        around: list[Pixels] = []
        rows, columns = (
            slice(max(along.start - far, 0), along.stop + far)
            for along, far in zip(box[1:], reach, strict=True)
        )
        for plane in range(box[0].start, box[0].stop):
            crop = labels[plane, rows, columns]
            own = crop == number
            if not own.any():
                continue
            others = (crop > 0) & ~own
            depth = _away(np.pad(own, 1), pixel_um)[1:-1, 1:-1]
            is_deep = own & (depth >= np.median(depth[own]))
            away = _away(~own, pixel_um)
            is_around = (away > gap) & (away <= gap + ring)
            if others.any():
                is_around &= _away(~others, pixel_um) > gap
            corner = np.array([plane, rows.start, columns.start], dtype=np.intp)
            inside.append(np.argwhere(is_deep[None]) + corner)
            around.append(np.argwhere(is_around[None]) + corner)
        places = [_spots(np.concatenate(of), pixel_um, _PLACES, rng) for of in (inside, around)]
        if min(len(of.plane) for of in places) >= _FEWEST:
            regions.append(Region(*places))
    size = [1, *(2 * int(gap / size) + 1 for size in pixel_um)]
    drawn = np.stack([rng.integers(0, length, 10 * _OUTSIDE) for length in mask.shape], axis=1)
    outside = drawn[maximum_filter(labels, size)[tuple(drawn.T)] == 0]
    return Regions(regions, _spots(outside, pixel_um, _OUTSIDE, rng), len(boxes) - len(regions))


def look(regions: Regions, volume: Volume, disc_um: float) -> Shown:
    """Look at an image of the same field at objects and around them."""
    separation: list[float] = []
    means: list[tuple[float, float]] = []
    for region in regions.regions:
        inside, around = (of.means(volume, disc_um) for of in (region.inside, region.around))
        separation.append(area_under_curve(inside, around))
        means.append((float(inside.mean()), float(around.mean())))
    of_inside, of_around = np.array(means).T
    outside = regions.outside.means(volume, disc_um)
    far = float(np.median(outside)) if len(outside) else float(of_around.min())
    return Shown(np.array(separation), of_inside, of_around, far)


def ratios(seen: Sequence[Shown], cluster: NDArray[np.intp], *, is_dark: bool) -> dict[str, Ratio]:
    """Return each measure, object by object.

    Parameters
    ----------
    seen
        Of each image.
    cluster
        Of each object of all images.
    is_dark
        Whether objects are darker than what surrounds them.

    Returns
    -------
    dict
        By name: separation, and contrast where objects are told from what lies outside of them.
    """
    separation = np.concatenate([one.separation for one in seen])
    every = np.ones(len(separation))
    found = {SEPARATION.name: Ratio(1 - separation if is_dark else separation, every, cluster)}
    sign = -1 if is_dark else 1
    units = [sign * (one.inside - one.outside).mean() for one in seen]
    if min(units) > 0:
        contrast = [
            sign * (one.inside - one.around) / unit for one, unit in zip(seen, units, strict=True)
        ]
        found[CONTRAST.name] = Ratio(np.concatenate(contrast), every, cluster)
    return found


def area_under_curve(ones: Values, others: Values) -> float:
    """Return the probability that one of the first is above one of the others; ties count half."""
    ranks = rankdata(np.concatenate([ones, others]))[: len(ones)]
    return float((ranks.mean() - (len(ones) + 1) / 2) / len(others))


def _away(elsewhere: NDArray[np.bool_], pixel_um: tuple[float, float]) -> Values:
    """Return how far each pixel lies from the nearest that is not elsewhere, µm."""
    return np.asarray(distance_transform_edt(elsewhere, sampling=pixel_um), dtype=np.float64)


def _spots(
    pixels: Pixels, pixel_um: tuple[float, float], most: int, rng: np.random.Generator
) -> Spots:
    """Draw some of many pixels (n, 3) and return their middles."""
    chosen = pixels if len(pixels) <= most else pixels[rng.permutation(len(pixels))[:most]]
    plane, row, column = chosen.T
    return Spots(column * pixel_um[1], row * pixel_um[0], plane.astype(np.intp))
