import numpy as np
import pandas as pd
import pytest

from benchmark.trust.depth import LONGEST_UM, see, summarise
from benchmark.trust.plane import DIP, Geometry
from benchmark.trust.volume import Volume

STEP_UM, PIXEL_UM, SIDE = 0.25, 0.1, 12
PLANES = 48
SIGMA_UM = 0.6


def planted(places_um: list[float], sigma_um: float = SIGMA_UM) -> Volume:
    """Lines across z, blurred by a Gaussian along z."""
    z_um = (np.arange(PLANES) + 0.5) * STEP_UM
    profile = sum(np.exp(-((z_um - place) ** 2) / (2 * sigma_um**2)) for place in places_um)
    image = np.zeros((PLANES, SIDE, SIDE))
    image[:, 5:7, 5:7] = np.asarray(profile)[:, None, None]
    return Volume(image, PIXEL_UM, STEP_UM)


def pair(distance_um: float, middle_um: float = PLANES * STEP_UM / 2) -> Geometry:
    return {"pairs": [{"points_um": [[middle_um, 0.6, 0.6]], "distance_um": distance_um}]}


def seen(distance_um: float, sigma_um: float = SIGMA_UM) -> float:
    middle_um = PLANES * STEP_UM / 2
    half = distance_um / 2
    volume = planted([middle_um - half, middle_um + half], sigma_um)
    (outcome,) = see(volume, pair(distance_um))
    assert outcome["distance_um"] == distance_um
    return outcome["seen_as_two"]


def resolved_from_um() -> float:
    """Where the valley between two Gaussians lies `DIP` below their peaks."""

    z_um = np.linspace(-4, 4, 4001)
    for distance_um in np.arange(2 * SIGMA_UM, 4 * SIGMA_UM, 0.005).tolist():
        one, other = (
            np.exp(-((z_um - end) ** 2) / (2 * SIGMA_UM**2))
            for end in (-distance_um / 2, distance_um / 2)
        )
        two = one + other
        if two[2000] <= (1 - DIP) * two.max():
            return distance_um
    raise AssertionError


def test_two_are_seen_from_where_their_valley_is_deep_enough() -> None:
    limit_um = resolved_from_um()
    assert [seen(limit_um - 0.05), seen(limit_um + 0.05)] == [0, 1]


def test_the_distance_is_that_of_a_known_width() -> None:
    distances = np.arange(0.5, LONGEST_UM + 0.01, 0.05)
    rows = [(d, seen(float(d)), i % 5) for i, d in enumerate(distances)]
    table = pd.DataFrame(rows, columns=["distance_um", "seen_as_two", "image"])
    found = {value.metric: value for value in summarise(table)}
    assert found["d50_um"].value == pytest.approx(resolved_from_um(), abs=0.06)
    assert found["false_splits"].value is None  # there are no singles


def test_two_that_are_displaced_are_not_the_two() -> None:
    volume = planted([2.0, 8.0], 0.3)
    (outcome,) = see(volume, pair(3.0))
    assert outcome["seen_as_two"] == 0


@pytest.mark.parametrize(("places_um", "split"), [([6.0], 0), ([5.0, 7.0], 1)])
def test_one_that_is_seen_as_two_is_split(places_um: list[float], split: int) -> None:
    (outcome,) = see(planted(places_um, 0.4), pair(0.0))
    assert outcome == {"distance_um": 0.0, "seen_as_two": split}


def test_pairs_whose_profile_leaves_the_volume_are_left_out() -> None:
    assert see(planted([3.0]), pair(1.0, middle_um=3.0)) == []
