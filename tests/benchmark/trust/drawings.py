"""Phantoms drawn by closed forms, and planted models that do what no package may.

A point is a Gaussian and a tube is one across, so what an image of any width shows is known.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from benchmark.trust.battery import TESTS, TrustTest
from benchmark.trust.plane import Floats, Geometry, Plane
from benchmark.trust.values import TrustValue

PIXEL_UM = 0.08
SIDE_PX = 256
PSF_FWHM_UM = 0.4
TRUTH_FWHM_UM = 0.1
TEST_OF = {test.name: test for test in TESTS}

Model = Callable[[Geometry, Floats, np.random.Generator], Floats]
"""What restores: of the truth, of the input, with randomness of its own."""


def render(
    geometry: Geometry, fwhm_um: float, shape: tuple[int, ...] = (SIDE_PX, SIDE_PX)
) -> Floats:
    """Draw all points and tubes of a geometry with some width; where they overlap they add."""
    image = np.zeros(shape)
    centres_um = [(np.arange(n) + 0.5) * PIXEL_UM for n in shape]
    sigma_um = fwhm_um / np.sqrt(8 * np.log(2))
    for object in [*geometry.get("points", []), *geometry.get("tubes", [])]:
        corners = np.array(object["points_um"], np.float64)
        low, high = corners.min(0) - 4 * sigma_um, corners.max(0) + 4 * sigma_um
        window = tuple(
            slice(*np.searchsorted(along, ends))
            for along, *ends in zip(centres_um, low, high, strict=True)
        )
        y, x = np.meshgrid(
            *(along[part] for along, part in zip(centres_um, window, strict=True)), indexing="ij"
        )
        nearest = np.full(y.shape, np.inf)
        for start, end in zip(corners, corners[1:] if len(corners) > 1 else corners, strict=False):
            along = end - start
            reach = ((y - start[0]) * along[0] + (x - start[1]) * along[1]) / max(
                along @ along, 1e-9
            )
            reach = reach.clip(0, 1)
            away = np.hypot(y - start[0] - reach * along[0], x - start[1] - reach * along[1])
            nearest = np.minimum(nearest, away)
        image[window] += object["brightness"] * np.exp(-((nearest / sigma_um) ** 2) / 2)
    return image


def _lattice(rng: np.random.Generator, tile_um: float) -> list[tuple[int, Floats, float]]:
    """Number, middle and direction of each object."""
    count = int(SIDE_PX * PIXEL_UM // tile_um)
    nodes = (np.stack(np.meshgrid(*[np.arange(count)] * 2), -1).reshape(-1, 2) + 0.5) * tile_um
    places = nodes + rng.uniform(-0.1, 0.1, nodes.shape)
    return [(i, place, rng.uniform(0, 2 * np.pi)) for i, place in enumerate(places)]


def _direction(angle: float) -> Floats:
    return np.array([np.sin(angle), np.cos(angle)])


def _tube(points: Any, brightness: float = 1.0, **number: int) -> dict[str, Any]:
    return {"points_um": np.array(points).tolist(), "brightness": brightness, **number}


def point_pairs(rng: np.random.Generator, ratio: float = 1.0, closest_um: float = 0.1) -> Geometry:
    geometry: Geometry = {"pairs": [], "points": []}
    for number, middle, angle in _lattice(rng, 2.5):
        distance_um = 0.0 if rng.random() < 0.3 else float(rng.uniform(closest_um, 0.8))
        half = distance_um / 2 * _direction(angle)
        pair = {"pair": number, "distance_um": distance_um, "brightness_ratio": ratio}
        geometry["pairs"].append({"points_um": [middle.tolist()], **pair})
        geometry["points"] += (
            [_tube([middle - half], pair=number), _tube([middle + half], 1 / ratio, pair=number)]
            if distance_um
            else [_tube([middle], 1 + 1 / ratio, pair=number)]
        )
    return geometry


def tube_pairs(rng: np.random.Generator) -> Geometry:
    geometry: Geometry = {"pairs": [], "tubes": []}
    for number, middle, angle in _lattice(rng, 4.0):
        distance_um = 0.0 if rng.random() < 0.3 else float(rng.uniform(0.1, 0.8))
        along, across = _direction(angle), _direction(angle + np.pi / 2)
        pair = {"pair": number, "distance_um": distance_um}
        geometry["pairs"].append({"points_um": [middle.tolist()], **pair})
        for side in (-0.5, 0.5) if distance_um else (0,):
            ends = middle + side * distance_um * across + np.array([[-1.2], [1.2]]) * along
            geometry["tubes"].append(_tube(ends, 1.0 if distance_um else 2.0, pair=number))
    return geometry


def gaps(rng: np.random.Generator) -> Geometry:
    geometry: Geometry = {"gaps": [], "tubes": []}
    for number, middle, angle in _lattice(rng, 4.0):
        length_um = 0.0 if rng.random() < 0.3 else float(rng.uniform(0.05, 1.0))
        along = _direction(angle)
        start, end = middle - length_um / 2 * along, middle + length_um / 2 * along
        first, last = middle - 1.2 * along, middle + 1.2 * along
        gap = {"gap": number, "length_um": length_um}
        geometry["gaps"].append({"points_um": [start.tolist(), end.tolist()], **gap})
        pieces = [[first, start], [end, last]] if length_um else [[first, last]]
        geometry["tubes"] += [_tube(piece, gap=number) for piece in pieces]
    return geometry


def crossings(rng: np.random.Generator) -> Geometry:
    geometry: Geometry = {"crossings": [], "tubes": []}
    along_um = np.linspace(-1.8, 1.8, 11)
    for number, middle, angle in _lattice(rng, 5.0):
        crosses = bool(rng.random() < 0.5)
        closest_um = 0.0 if crosses else float(rng.uniform(0.1, 0.8))
        slope = np.tan(rng.uniform(np.radians(15), np.radians(90)) / 2) * along_um
        aside = slope if crosses else np.hypot(closest_um / 2, slope)
        facts = {"crossing": number, "crosses": crosses, "closest_um": closest_um}
        geometry["crossings"].append({"points_um": [middle.tolist()], **facts})
        for side in (-1, 1):
            ahead = along_um[:, None] * _direction(angle)
            beside = side * aside[:, None] * _direction(angle + np.pi / 2)
            geometry["tubes"].append(_tube(middle + ahead + beside, crossing=number))
    return geometry


def field(rng: np.random.Generator) -> Geometry:
    """An empty field over a row of tubes."""
    tubes = [[[18.0, x], [18.0, x + 2.4]] for x in (2.0, 6.0, 10.0, 14.0)]
    return {
        "fields": [{"points_um": [[0.4, 0.4], [16.0, 20.0]]}],
        "tubes": [_tube(t) for t in tubes],
    }


SCENES: dict[str, Callable[[np.random.Generator], Geometry]] = {
    "points": point_pairs,
    "tubes": tube_pairs,
    "gaps": gaps,
    "crossings": crossings,
    "empty": field,
    "amplitudes": lambda rng: point_pairs(rng, ratio=3.0, closest_um=0.6),
}


def truth(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    return render(geometry, TRUTH_FWHM_UM)


def identity(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    return recorded


def over_smoother(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    return ndimage.gaussian_filter(recorded, 4)


def hallucinator(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    ends = rng.uniform(1, 15, (8, 2, 2))
    tubes = [_tube(tube) for tube in ends]
    return recorded + render({"tubes": tubes}, TRUTH_FWHM_UM, recorded.shape)


def _in_fields(geometry: Geometry, recorded: Floats, objects: Geometry, fwhm_um: float) -> Floats:
    """Put a drawing in the place of what was recorded of empty fields."""
    image = recorded.copy()
    for field in geometry.get("fields", []):
        corners = np.round(np.array(field["points_um"]) / PIXEL_UM).astype(int)
        place = tuple(slice(*ends) for ends in corners.T)
        drawn = render(objects, fwhm_um, recorded.shape)[place]
        image[place] = np.median(recorded[place]) + drawn
    return image


def _drawn_lines(level: float, step_um: float = 1.5) -> list[dict[str, Any]]:
    return [_tube([[y, 0.0], [y, 21.0]], level) for y in np.arange(0.8, 21.0, step_um)]


def line_drawer(level: float) -> Model:
    """Draw parallel lines over empty fields, dimmer than what is counted as an object."""
    return lambda geometry, recorded, rng: _in_fields(
        geometry, recorded, {"tubes": _drawn_lines(level)}, 0.35
    )


def mesh_drawer(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    """Draw one net over empty fields: many tubes, and a single object."""
    lines = _drawn_lines(1.0)
    across = [_tube(np.array(line["points_um"])[:, ::-1]) for line in lines]
    return _in_fields(geometry, recorded, {"tubes": [*lines, *across]}, 0.3)


def dot_drawer(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    dots = {"points": [_tube([place], 0.6) for place in rng.uniform(0, 20, (150, 2))]}
    return _in_fields(geometry, recorded, dots, 0.25)


def blob_drawer(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    """Fill empty fields from edge to edge."""
    return _in_fields(geometry, recorded, {"points": [_tube([[10.0, 10.0]], 0.8)]}, 1000.0)


def cube(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    """Make bright what is bright, and lose what is dim."""
    return (recorded - np.median(recorded)).clip(0) ** 3


def bridge_builder(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    return ndimage.grey_closing(recorded, (15, 15))


def splitter(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    """Draw every object as a ring, or as two walls, as one that has only seen hollow tubes."""
    image = render(geometry, 0.35)
    return image - render(geometry, 0.2)


def breaker(geometry: Geometry, recorded: Floats, rng: np.random.Generator) -> Floats:
    """Draw beads on a string."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    return recorded * (((y // 6) + (x // 6)) % 2)


def look(test: TrustTest, model: Model, images: int = 3) -> list[TrustValue]:
    """Let a model restore images of a test, and summarise what is seen."""
    seen: list[dict[str, float]] = []
    for image in range(images):
        rng = np.random.default_rng([image, len(test.name)])
        geometry = SCENES[test.name](rng)
        recorded = render(geometry, PSF_FWHM_UM) + rng.normal(0, 0.03, (SIDE_PX, SIDE_PX))
        plane = Plane(model(geometry, recorded, rng), PIXEL_UM)
        seen += [{"image": image, **o} for o in test.look(plane, geometry, PSF_FWHM_UM)]
    return test.summarise(pd.DataFrame(seen), PSF_FWHM_UM)


def value(values: list[TrustValue], metric: str) -> float:
    (found,) = (v.value for v in values if v.metric == metric and v.at_um is None)
    assert found is not None
    return found
