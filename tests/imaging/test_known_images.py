from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import ndimage, stats

from imaging.known_images import (
    FALSE_ALARMS,
    KnownImages,
    best_windows,
    chosen_windows,
    judge,
    know,
)
from tests.known import Array, known_beside_fine, known_tissue, tissue

FRESH = 60


def is_strange(image: Array) -> bool:
    known = known_tissue().for_size(image.shape)
    assert known is not None
    return judge(known, chosen_windows([image], known.side_px)).is_strange


def test_images_of_the_same_kind_are_rarely_strange() -> None:
    alarms = sum(is_strange(tissue(1000 + seed)) for seed in range(FRESH))
    # A promise of the mean over records; of one, twice as many are no surprise.
    assert alarms <= stats.binom.ppf(0.99, FRESH, 2 * FALSE_ALARMS)


@pytest.mark.parametrize(
    ("kind", "group"),
    [("dim", "noise"), ("denoised", "noise"), ("clipped", "saturation"), ("fine", "structure")],
)
def test_other_kinds_are_strange_in_their_way(kind: str, group: str) -> None:
    change: dict[str, Any] = {
        "dim": lambda seed: tissue(seed, photons=5),
        "denoised": lambda seed: ndimage.median_filter(tissue(seed), 3),
        "clipped": lambda seed: np.minimum(tissue(seed), np.quantile(tissue(seed), 0.97)),
        "fine": lambda seed: tissue(seed, grain=1.5),
    }
    known = known_tissue().of_windows[0]
    for seed in range(2000, 2003):
        found = judge(known, [change[kind](seed)])
        assert found.is_strange
        assert found.strangeness[group] > 1


def test_a_kind_that_was_given_is_found_more_often() -> None:
    finer = [tissue(seed, grain=2.5) for seed in range(2000, 2010)]
    before, found = (
        [judge(known.of_windows[0], [image]) for image in finer]
        for known in (known_tissue(), known_beside_fine())
    )
    assert sum(of.is_strange for of in found) > sum(of.is_strange for of in before)


def test_several_windows_are_judged_by_their_median() -> None:
    known = known_tissue().of_windows[0]
    usual, strange = tissue(1001), np.minimum(tissue(1001), 50)
    one, other, both = (judge(known, w) for w in ([usual], [strange], [usual, strange]))
    for group, value in both.strangeness.items():
        middle = (one.strangeness[group] + other.strangeness[group]) / 2
        assert value == pytest.approx(middle)


def test_too_few_or_too_small_images_leave_no_record() -> None:
    assert know([tissue(seed) for seed in range(99)], "few") is None
    assert know([tissue(seed, 96) for seed in range(120)], "small") is None
    assert known_tissue().for_size((127, 500)) is None


def test_windows_with_structure_are_chosen() -> None:
    image = np.zeros((256, 512))
    image[:128, :256] = 1  # constant windows are none
    image[20:60, 300:330] = 1
    image[140:180, 20:40] = 2
    chosen = chosen_windows([image], 128)
    assert [float(window.max()) for window in chosen] == [2, 1]
    assert best_windows([image[:128, :128]]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantiles": {"noise.a": [0.0] * 8}}, "quantiles of 'noise.a'"),
        ({"whitening": {"noise": [1.0]}}, "they are not of saturation"),
        ({"threshold": float("nan")}, "finite"),
        ({"side_px": 0}, "greater than 0"),
    ],
)
def test_a_damaged_record_is_refused(change: dict[str, Any], said: str) -> None:
    content = asdict(known_tissue())
    content["of_windows"][0] |= change
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(KnownImages).validate_python(content)


def test_a_whitening_of_other_statistics_is_refused() -> None:
    window = known_tissue().of_windows[0]
    with pytest.raises(ValidationError, match="whitening of 'noise' does not fit 15 statistics"):
        replace(window, whitening=window.whitening | {"noise": [1.0]})
