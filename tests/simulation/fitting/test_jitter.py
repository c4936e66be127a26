"""Lines that were shifted are found shifted; noise and structure alone are not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from simulation.fitting.brightness import expose
from simulation.fitting.jitter import line_jitter
from simulation.fitting.noise import DetectorFit

Floats = NDArray[np.float64]

DETECTOR = DetectorFit(30.0, 200.0, 5.0, 1.35, 1.0, True)


def _photons(seed: int, jitter_px: float, planes: int = 4, side: int = 128) -> Floats:
    """Blobs whose rows are displaced along themselves."""
    rng = np.random.default_rng(seed)
    fields: list[Floats] = []
    for _ in range(planes):
        smooth = gaussian_filter(rng.standard_normal((side, side)), 2.5, mode="wrap")
        field = 2 + 20 * np.clip(smooth / smooth.std(), 0, None)
        y, x = np.mgrid[:side, :side].astype(np.float64)
        shift = rng.normal(0, jitter_px, (side, 1))
        moved = map_coordinates(field, [y, x - shift], order=3, mode="grid-wrap")
        fields.append(moved.clip(0))
    return np.stack(fields)


def _record(photons: Floats, seed: int) -> Floats:
    return expose(photons, 1.0, 0.0, DETECTOR, 65535.0, (seed, 0))


@pytest.mark.parametrize("planted_px", [0.15, 0.3, 0.6])
def test_planted_jitter_is_found(planted_px: float) -> None:
    found = line_jitter(_record(_photons(1, planted_px), 1), DETECTOR)
    assert found.best == pytest.approx(planted_px, rel=0.2)
    assert found.low <= found.best <= found.high
    assert found.low > 0


def test_interval_holds_the_truth() -> None:
    holds: list[bool] = []
    for seed in range(20):
        found = line_jitter(_record(_photons(10 + seed, 0.3, planes=2), seed), DETECTOR)
        holds.append(found.low <= 0.3 <= found.high)
    assert np.mean(holds) >= 0.7


def test_still_images_have_hardly_any() -> None:
    found = line_jitter(_record(_photons(2, 0.0), 2), DETECTOR)
    assert found.low == 0
    assert found.best < 0.08


def test_displaced_columns_are_no_jitter_of_lines() -> None:
    moved = _photons(3, 0.3).transpose(0, 2, 1)
    assert line_jitter(_record(moved, 3), DETECTOR).best == 0
