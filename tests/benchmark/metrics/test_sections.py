import numpy as np
import pytest

from benchmark.metrics import NotApplicable
from benchmark.metrics.sections import axial_sections

# Brightness that rises with depth alone, z + 1 in plane z.
SLOPE = np.broadcast_to(np.arange(1.0, 7.0)[:, None, None], (6, 20, 40))


def test_sections_of_both_directions_have_square_pixels() -> None:
    shapes = [one.shape for one, _ in axial_sections(SLOPE, SLOPE, 0.1, 0.3)]
    assert shapes == [(18, 40)] * 16 + [(18, 20)] * 16


def test_planes_are_interpolated_between_their_middles() -> None:
    section, _ = next(axial_sections(SLOPE, SLOPE, 0.1, 0.2))
    # Samples lie a quarter of a plane beside the middles; beyond the outer ones nothing is known.
    expected = np.interp((np.arange(12) + 0.5) / 2 - 0.5, np.arange(6), np.arange(1.0, 7.0))
    np.testing.assert_allclose(section[:, 0], expected)


def test_truth_and_prediction_are_cut_at_one_place() -> None:
    volume = np.random.default_rng(0).random((6, 20, 40))
    for one, other in axial_sections(volume, 2 * volume, 0.1, 0.1):
        np.testing.assert_allclose(other, 2 * one)


def test_all_sections_of_a_small_volume_are_taken() -> None:
    volume = np.random.default_rng(0).random((4, 3, 2))
    found = [one for one, _ in axial_sections(volume, volume, 1.0, 1.0)]
    expected = [*np.moveaxis(volume, 1, 0), *np.moveaxis(volume, 2, 0)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sections_without_structure_are_left_out() -> None:
    truth = np.zeros((6, 20, 40))
    truth[2, 10, 20] = 1
    prediction = np.random.default_rng(0).random(truth.shape)
    # The 16 places of 20 and of 40 are those in the middle of equal parts.
    assert len(list(axial_sections(truth, prediction, 0.1, 0.3))) in (0, 1, 2)
    with pytest.raises(NotApplicable, match="constant along all sections"):
        list(axial_sections(0 * truth, prediction, 0.1, 0.3))
