from typing import Any, cast

import numpy as np
import pytest
from scipy.ndimage import label, map_coordinates

from simulation.structures import Grid, Specimen, Structure, seen_from
from simulation.structures.phantoms import (
    axial_pairs,
    crossings,
    depth_crossings,
    empty,
    gaps,
    point_pairs,
    spines,
    tube_pairs,
)

GRIDS = [Grid((256, 256), 0.05), Grid((9, 160, 160), 0.08, 0.25)]


def _focus(specimen: Specimen) -> np.ndarray:
    image = specimen.image
    return image if image.ndim == 2 else image[len(image) // 2]


def _in_plane(object: dict[str, Any]) -> np.ndarray:
    return np.array(object["points_um"])[:, -2:]


def _seen(image: np.ndarray, points_um: np.ndarray, pixel_size_um: float) -> np.ndarray:
    return map_coordinates(image, points_um.T / pixel_size_um - 0.5, order=1)


@pytest.mark.parametrize("grid", GRIDS)
def test_centroids_of_point_pairs_are_where_their_geometry_says(grid: Grid) -> None:
    specimen = point_pairs(grid, np.random.default_rng(0))
    image = _focus(specimen)
    centres = grid.centres_um(-1)
    for number, pair in enumerate(specimen.geometry["pairs"]):
        members = [p for p in specimen.geometry["points"] if p["pair"] == number]
        weights = [member["brightness"] for member in members]
        expected = np.average([_in_plane(m)[0] for m in members], axis=0, weights=weights)
        middle = _in_plane(pair)[0]
        near = [np.abs(centres - x) < 0.9 for x in middle]
        part = image[np.ix_(*near)]
        seen = [
            np.average(centres[rows], weights=part.sum(1 - axis)) for axis, rows in enumerate(near)
        ]
        assert seen == pytest.approx(expected, abs=0.1 * grid.pixel_size_um)


def test_points_of_a_pair_lie_apart_as_stated() -> None:
    geometry = point_pairs(GRIDS[0], np.random.default_rng(1)).geometry
    for number, pair in enumerate(geometry["pairs"]):
        places = [_in_plane(p)[0] for p in geometry["points"] if p["pair"] == number]
        assert len(places) == (2 if pair["distance_um"] else 1)
        apart = np.linalg.norm(places[-1] - places[0])
        assert apart == pytest.approx(pair["distance_um"], abs=3e-4)


def test_a_pair_at_no_distance_has_the_light_of_both() -> None:
    geometry = point_pairs(GRIDS[0], np.random.default_rng(1)).geometry
    singles = [n for n, pair in enumerate(geometry["pairs"]) if pair["distance_um"] == 0]
    assert singles
    for number in singles:
        (point,) = (p for p in geometry["points"] if p["pair"] == number)
        ratio = geometry["pairs"][number]["brightness_ratio"]
        assert point["brightness"] == pytest.approx(1 + 1 / ratio, abs=1e-3)


@pytest.mark.parametrize("grid", GRIDS)
def test_profile_across_a_tube_pair_has_peaks_at_the_stated_distance(grid: Grid) -> None:
    specimen = tube_pairs(grid, np.random.default_rng(0))
    checked = 0
    for number, pair in enumerate(specimen.geometry["pairs"]):
        if pair["distance_um"] < 0.3:
            continue
        one, other = (
            _in_plane(t).mean(0) for t in specimen.geometry["tubes"] if t["pair"] == number
        )
        assert np.linalg.norm(one - other) == pytest.approx(pair["distance_um"], abs=3e-4)
        along = np.linspace(-0.5, 1.5, 201)[:, None]
        profile = _seen(_focus(specimen), one + along * (other - one), grid.pixel_size_um)
        first, second = profile[:101].argmax(), profile[101:].argmax() + 101
        seen_um = (second - first) / 100 * pair["distance_um"]
        assert seen_um == pytest.approx(pair["distance_um"], abs=0.6 * grid.pixel_size_um)
        checked += 1
    assert checked


@pytest.mark.parametrize("grid", GRIDS)
def test_a_gap_is_dark_where_it_is_said_and_nowhere_else(grid: Grid) -> None:
    specimen = gaps(grid, np.random.default_rng(0))
    image = _focus(specimen)
    for number, gap in enumerate(specimen.geometry["gaps"]):
        start, end = _in_plane(gap)
        assert np.linalg.norm(end - start) == pytest.approx(gap["length_um"], abs=3e-4)
        if gap["length_um"] > 0.4:
            assert _seen(image, (start + end)[None] / 2, grid.pixel_size_um)[0] < 0.1
        for tube in (t for t in specimen.geometry["tubes"] if t["gap"] == number):
            a, b = _in_plane(tube)
            inner = a + (b - a) * np.linspace(0, 1, 21)[:, None]
            inner = inner[np.linalg.norm(inner - a, axis=1) > 0.15]
            inner = inner[np.linalg.norm(inner - b, axis=1) > 0.15]
            assert (_seen(image, inner, grid.pixel_size_um) > 0.5).all()


def test_every_unbroken_tube_is_one_piece_and_every_wide_gap_makes_two() -> None:
    grid = Grid((240, 240), 0.02)
    for seed in range(6):
        specimen = gaps(grid, np.random.default_rng(seed))
        (gap,) = specimen.geometry["gaps"]
        labels, _ = cast(tuple[np.ndarray, int], label(specimen.image > 0.3, np.ones((3, 3))))
        pieces = labels.max()
        if gap["length_um"] == 0 or gap["length_um"] > 0.15:
            assert pieces == (1 if gap["length_um"] == 0 else 2)


def test_tubes_come_as_close_as_their_crossing_says() -> None:
    geometry = crossings(GRIDS[0], np.random.default_rng(2)).geometry
    for number, crossing in enumerate(geometry["crossings"]):
        one, other = (_in_plane(t) for t in geometry["tubes"] if t["crossing"] == number)
        apart = np.linalg.norm(one[:, None] - other[None], axis=-1).min()
        assert apart == pytest.approx(crossing["closest_um"], abs=1e-3)
        assert crossing["crosses"] == (crossing["closest_um"] == 0)


def test_tubes_of_a_crossing_meet_at_the_stated_angle() -> None:
    geometry = crossings(GRIDS[0], np.random.default_rng(2)).geometry
    for number, crossing in enumerate(geometry["crossings"]):
        if not crossing["crosses"]:
            continue
        one, other = (_in_plane(t) for t in geometry["tubes"] if t["crossing"] == number)
        a, b = one[-1] - one[0], other[-1] - other[0]
        cosine = np.abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
        assert np.degrees(np.arccos(cosine)) == pytest.approx(crossing["angle_deg"], abs=0.1)


@pytest.mark.parametrize(
    ("phantom", "kind", "parts", "number"),
    [
        (point_pairs, "pairs", "points", "pair"),
        (tube_pairs, "pairs", "tubes", "pair"),
        (gaps, "gaps", "tubes", "gap"),
        (crossings, "crossings", "tubes", "crossing"),
    ],
)
def test_what_belongs_together_is_found_by_its_number_in_a_part_of_the_image(
    phantom: Any, kind: str, parts: str, number: str
) -> None:
    whole = phantom(GRIDS[0], np.random.default_rng(0)).geometry
    part = seen_from(whole, np.array([4.0, 4.0]), np.array([6.0, 6.0]))
    assert 0 < len(part[kind]) < len(whole[kind])
    for object in part[kind]:
        reach_um = max(object.get("length_um", 0.0), 3.0)
        for member in (m for m in part[parts] if m[number] == object[number]):
            apart = np.linalg.norm(_in_plane(member).mean(0) - _in_plane(object).mean(0))
            assert apart < reach_um


@pytest.mark.parametrize("phantom", [point_pairs, tube_pairs, gaps, crossings])
def test_ground_of_a_phantom_is_exactly_dark(phantom: Any) -> None:
    assert np.median(phantom(GRIDS[0], np.random.default_rng(0)).image) == 0


@pytest.mark.parametrize("grid", GRIDS)
def test_an_empty_field_is_weak_and_smooth_and_lists_nothing(grid: Grid) -> None:
    specimen = empty(grid, np.random.default_rng(0))
    assert specimen.geometry == {}
    assert specimen.image.max() <= 0.05
    assert np.abs(np.diff(specimen.image, axis=-1)).max() < 0.1 * specimen.image.max()


@pytest.mark.parametrize("grid", GRIDS)
def test_a_spine_lies_as_far_from_its_shaft_as_stated(grid: Grid) -> None:
    """From outline to outline: the shaft's radius is 0.35 µm, the head's 0.2."""
    geometry = spines(grid, np.random.default_rng(0)).geometry
    for head, shaft in zip(geometry["spines"], geometry["shafts"], strict=True):
        (start, end), (place,) = _in_plane(shaft), _in_plane(head)
        along = (end - start) / np.linalg.norm(end - start)
        aside = abs(along[0] * (place - start)[1] - along[1] * (place - start)[0])
        assert aside - 0.55 == pytest.approx(head["distance_um"], abs=1e-3)


def test_a_spine_is_as_bright_as_stated_beside_its_shaft() -> None:
    """A ball of 0.4 µm loses a few percent of its peak to the target's resolution."""
    specimen = spines(GRIDS[0], np.random.default_rng(0))
    for head in specimen.geometry["spines"]:
        (seen,) = _seen(specimen.image, _in_plane(head), 0.05)
        assert seen == pytest.approx(head["brightness"], rel=0.1)


def test_the_middle_of_a_shaft_has_brightness_one() -> None:
    specimen = spines(GRIDS[0], np.random.default_rng(0))
    for shaft in specimen.geometry["shafts"]:
        middle = _in_plane(shaft).mean(axis=0, keepdims=True)
        assert _seen(specimen.image, middle, 0.05) == pytest.approx(1, rel=0.05)


DEEP = Grid((31, 96, 96), 0.08, 0.25)


@pytest.mark.parametrize("phantom", [axial_pairs, depth_crossings])
def test_pairs_above_each_other_lie_where_their_geometry_says(phantom: Structure) -> None:
    """Between planes, too: the light of each half has its centroid there."""
    specimen = phantom(DEEP, np.random.default_rng(0))
    z_um = DEEP.centres_um(0)
    seen = 0
    for pair in specimen.geometry["pairs"]:
        middle = np.array(pair["points_um"][0])
        y, x = np.floor(middle[1:] / DEEP.pixel_size_um).astype(int)
        column = specimen.image[:, y - 2 : y + 3, x - 2 : x + 3].sum((1, 2))
        halves = [np.ones_like(z_um)]  # one is whole
        if pair["distance_um"] > 1.5:  # two planes between, at least, that hold nothing of either
            halves = [z_um < middle[0], z_um > middle[0]]
        elif pair["distance_um"]:
            continue
        found = [float((z_um * column * half).sum() / (column * half).sum()) for half in halves]
        half_um = pair["distance_um"] / 2
        expected = [middle[0] - half_um, middle[0] + half_um] if half_um else [middle[0]]
        assert found == pytest.approx(expected, abs=1e-3)
        seen += 1
    assert seen >= 4


@pytest.mark.parametrize("phantom", [axial_pairs, depth_crossings])
def test_distances_along_z_are_any(phantom: Structure) -> None:
    pairs = [
        pair
        for seed in range(3)
        for pair in phantom(DEEP, np.random.default_rng(seed)).geometry["pairs"]
    ]
    distances = np.array([pair["distance_um"] for pair in pairs if pair["distance_um"]])
    assert 0 < len(distances) < len(pairs)
    assert 0.5 <= distances.min() <= distances.max() <= 4
    assert (np.abs(distances / 0.5 - np.rint(distances / 0.5)) > 0.05).any()
    depths = np.array([pair["points_um"][0][0] for pair in pairs]) - DEEP.focus_um[0]
    assert np.abs(depths).max() <= 0.25
    assert len(set(depths)) == len(depths)
