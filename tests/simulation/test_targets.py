import numpy as np
import pytest

from simulation.stack import Stack
from simulation.structures import PHANTOMS, STRUCTURES
from simulation.targets import Generated, Target, Targets


def _images(targets: Targets, margin_px: int = 8) -> list[np.ndarray]:
    made = dict(targets.make(range(len(targets.sources)), margin_px))
    return [made[index].image for index in range(len(targets.sources))]


def test_generated_images_do_not_depend_on_their_number() -> None:
    few, many = (_images(Generated(count, 32, 0.08, seed=3)) for count in (2, 4))
    assert all(np.array_equal(a, b) for a, b in zip(few, many[:2], strict=True))


def test_generated_image_is_the_middle_of_its_surroundings() -> None:
    ((_, target),) = Generated(1, 32, None, 0).make([0], 8)
    assert target.brightness.shape == (48, 48)
    inner = target.brightness[8:-8, 8:-8]
    assert np.corrcoef(inner.ravel(), target.image.ravel())[0, 1] == pytest.approx(1)


def _only(targets: Targets, margin_px: int) -> Target:
    ((_, target),) = targets.make([0], margin_px)
    return target


@pytest.mark.parametrize("thickness_um", [0.0, 2.0])
def test_points_are_where_the_geometry_of_the_image_says(thickness_um: float) -> None:
    targets = Generated(1, 64, 0.08, 0, structure="point-pairs", thickness_um=thickness_um)
    target = _only(targets, 20)
    assert target.geometry
    points = target.geometry["points"]
    centres_um = (np.arange(64) + 0.5) * 0.08
    checked = 0
    for pair in {point["pair"] for point in points}:
        members = [point for point in points if point["pair"] == pair]
        places = np.array([point["points_um"][0][-2:] for point in members])
        if places.min() < 1 or places.max() > 4.12:
            continue
        weights = [point["brightness"] for point in members]
        middle = np.average(places, axis=0, weights=weights)
        rows, columns = (np.abs(centres_um - x) < 1 for x in middle)
        part = target.image[np.ix_(rows, columns)]
        seen = [
            np.average(centres_um[rows], weights=part.sum(1)),
            np.average(centres_um[columns], weights=part.sum(0)),
        ]
        assert seen == pytest.approx(middle, abs=0.008)
        checked += 1
    assert checked


def test_geometry_leaves_out_what_lies_in_the_margin_alone() -> None:
    target = _only(Generated(1, 64, 0.08, 0, structure="points"), 30)
    assert target.geometry
    places = np.array([point["points_um"][0] for point in target.geometry["points"]])
    assert places.min() >= 0
    assert places.max() <= 64 * 0.08


def test_a_volume_has_the_image_in_its_middle_plane() -> None:
    target = _only(Generated(1, 32, 0.08, 0, thickness_um=2.0), 8)
    assert target.brightness.shape == (9, 48, 48)
    inner = target.brightness[4, 8:-8, 8:-8]
    assert np.corrcoef(inner.ravel(), target.image.ravel())[0, 1] == pytest.approx(1)
    assert np.percentile(target.brightness[4], [2, 99.8]) == pytest.approx([0, 1])


def test_a_stack_has_the_means_over_its_steps() -> None:
    stack = Stack(planes=4, z_step_um=0.5, per_step=2, reach=3)
    target = _only(Generated(1, 32, 0.08, 0, stack=stack), 8)
    assert target.brightness.shape == (stack.drawn, 48, 48)
    means = stack.means(target.brightness)
    inner = means[:, 8:-8, 8:-8]
    assert np.corrcoef(inner.ravel(), target.image.ravel())[0, 1] == pytest.approx(1)
    assert np.percentile(means, [2, 99.8]) == pytest.approx([0, 1], abs=1e-6)


def test_geometry_of_a_stack_leaves_out_what_lies_above_and_below() -> None:
    stack = Stack(planes=4, z_step_um=0.5, per_step=2, reach=8)
    target = _only(Generated(1, 64, 0.08, 0, structure="points", stack=stack), 8)
    assert target.geometry
    depths_um = np.array([point["points_um"][0][0] for point in target.geometry["points"]])
    assert depths_um.min() >= 0
    assert 1.5 < depths_um.max() <= 2


def test_depths_are_counted_from_the_plane_of_focus() -> None:
    target = _only(Generated(1, 64, 0.08, 0, structure="gaps", thickness_um=3.0), 8)
    assert target.geometry
    depths = [point[0] for tube in target.geometry["tubes"] for point in tube["points_um"]]
    assert depths
    assert set(depths) == {0.0}


@pytest.mark.parametrize("structure", ["empty", "gaps"])
def test_the_brightness_of_a_phantom_is_as_drawn(structure: str) -> None:
    target = _only(Generated(1, 64, 0.08, 0, structure=structure), 8)
    np.testing.assert_array_equal(target.brightness[8:-8, 8:-8], target.image)


@pytest.mark.parametrize("thickness_um", [0.0, 0.2])
@pytest.mark.parametrize("structure", [*STRUCTURES, *PHANTOMS])
def test_the_smallest_images_are_finite(structure: str, thickness_um: float) -> None:
    targets = Generated(4, 32, 0.04, 0, structure=structure, thickness_um=thickness_um)
    for _, target in targets.make(range(4), 4):
        assert np.isfinite(target.brightness).all()
        assert target.brightness.max() < 100
