import numpy as np
import pytest

from benchmark.metrics.metric import NotApplicable
from benchmark.metrics.ring_correlation import first_crossing
from benchmark.metrics.rolling import rolling_correlation
from tests.benchmark.metrics.acquisitions import Plane, blurred, curves, repeats

SCENE = curves(160)


def of_block(one: Plane, two: Plane) -> float:
    """The published steps on one block, on the full transform, in float64."""
    window = np.outer(np.hamming(64), np.hamming(64))
    f1, f2 = (np.fft.fft2((block - block.mean()) * window) for block in (one, two))
    frequency = np.fft.fftfreq(64) * 64
    radius = np.rint(np.hypot(frequency[:, None], frequency))
    curve, count = np.zeros(32), np.zeros(32)
    for ring in range(1, 33):
        a, b = f1[radius == ring], f2[radius == ring]
        curve[ring - 1] = np.vdot(b, a).real / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real)
        count[ring - 1] = len(a)
    smooth = np.convolve(np.pad(curve, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    for sigmas in (3, 5, 2):
        found = first_crossing(np.arange(1, 33) / 64, smooth - sigmas / np.sqrt(count / 2))
        if np.isfinite(found):
            return 1 / float(found)
    return float("nan")


def test_cells_by_hand():
    one, two = repeats(blurred(SCENE, 1.5), 100)
    found = rolling_correlation(one, two).resolution_px
    padded = [np.pad(image, 32, mode="symmetric") for image in (one, two)]
    rows, columns = np.nonzero(np.isfinite(found))
    assert len(rows) > 50
    for row, column in list(zip(rows, columns, strict=True))[::17]:
        y, x = 8 * row + 4, 8 * column + 4
        expected = of_block(*(image[y : y + 64, x : x + 64] for image in padded))
        assert found[row, column] == pytest.approx(expected, rel=1e-4)


def test_the_map_shows_where_resolution_is_lost():
    scene = np.hstack([blurred(SCENE, 1), blurred(SCENE, 3)])
    found = rolling_correlation(*repeats(scene, 1000)).resolution_px
    left, right = found[:, :16], found[:, -16:]
    assert np.nanmedian(right) > 1.5 * np.nanmedian(left)


def test_value_and_mean_by_their_definitions():
    found = rolling_correlation(*repeats(blurred(SCENE, 1.5), 100))
    cells = found.resolution_px[np.isfinite(found.resolution_px)]
    assert found.mean_px == pytest.approx(cells.mean())
    assert found.value == pytest.approx(cells.mean() / cells.min() - 1)


def test_the_background_is_left_out():
    scene = blurred(SCENE, 1)
    scene[:, 80:] = 0
    found = rolling_correlation(*repeats(scene, 500)).resolution_px
    assert np.isnan(found[:, 11:]).all()
    assert np.isfinite(found[:, :10]).any()


def test_a_stride_samples_the_same_map():
    one, two = repeats(blurred(SCENE, 1.5), 100)
    coarse, fine = (rolling_correlation(one, two, stride=n) for n in (8, 4))
    assert fine.resolution_px.shape == (40, 40)
    assert coarse.mean_px == pytest.approx(fine.mean_px, rel=0.03)


def test_sides_need_not_be_multiples_of_the_stride():
    one, two = repeats(blurred(SCENE, 1.5)[:101, :107], 100)
    assert rolling_correlation(one, two).resolution_px.shape == (13, 13)


def test_unrelated_images_are_unresolved():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 64, 64)) * np.array([1, -1])[:, None, None]
    with pytest.raises(NotApplicable, match=r"Unresolved.*no block"):
        rolling_correlation(one, -one + 1e-3 * two)


def test_smallest_image():
    one, two = repeats(blurred(SCENE, 1.5)[:64, :64], 100)
    rolling_correlation(one, two)
    with pytest.raises(NotApplicable, match="64 x 64 pixels here, not 63 x 64"):
        rolling_correlation(one[1:], two[1:])


def test_a_constant_image_is_not_applicable():
    with pytest.raises(NotApplicable, match="constant"):
        rolling_correlation(SCENE, np.ones_like(SCENE))
