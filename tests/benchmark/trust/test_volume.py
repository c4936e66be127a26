import numpy as np
import pytest

from benchmark.trust.volume import Volume


def test_intensities_are_those_at_the_middle_of_voxels_above_the_ground() -> None:
    image = np.random.default_rng(0).random((6, 8, 9))
    volume = Volume(image, 0.1, 0.5)
    places = np.array([[1, 2, 3], [4, 5, 6]])
    points_um = (places + 0.5) * [0.5, 0.1, 0.1]
    expected = image[tuple(places.T)] - np.median(image)
    np.testing.assert_allclose(volume.at(points_um), expected)


@pytest.mark.parametrize(
    ("point_um", "inside"),
    [
        ((1.5, 0.5, 0.5), True),
        ((0.4, 0.5, 0.5), False),
        ((2.6, 0.5, 0.5), False),
        ((1.5, 0.3, 0.5), False),
        ((1.5, 0.5, 0.7), False),
    ],
)
def test_the_border_is_not_judged(point_um: tuple[float, float, float], inside: bool) -> None:
    volume = Volume(np.zeros((6, 10, 10)), 0.1, 0.5)
    assert volume.holds([point_um]) == inside
