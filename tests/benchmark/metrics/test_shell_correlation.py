import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal.windows import tukey

from benchmark.metrics import NotApplicable
from benchmark.metrics.shell_correlation import Direction, sector_correlation

RNG = np.random.default_rng(0)
NOISE = 0.05  # variance, relative to that of a voxel of the scene
SIGMA_PX = (0.9, 1.2, 1.2)  # of planes and of pixels
ANISOTROPY = 2.0
SIDES_DEG: dict[Direction, tuple[float, float]] = {"axial": (0, 20), "lateral": (70, 90)}


def by_hand(
    one: NDArray[np.float64], two: NDArray[np.float64], direction: Direction
) -> list[float]:
    """Each shell on the full transform."""
    window = np.ones(one.shape)
    for axis, length in enumerate(one.shape):
        window *= tukey(length, 0.25).reshape([-1 if a == axis else 1 for a in range(3)])
    f1, f2 = (np.fft.fftn((v - v.mean()) * window) for v in (one, two))
    axes = [np.fft.fftfreq(n) for n in one.shape]
    z, y, x = np.meshgrid(axes[0] / ANISOTROPY, axes[1], axes[2], indexing="ij")
    with np.errstate(invalid="ignore"):
        angle = np.degrees(np.arctan2(np.hypot(x, y), np.abs(z)))
    low, high = SIDES_DEG[direction]
    unit = one.shape[0] * ANISOTROPY if direction == "axial" else min(one.shape[1:])
    shell = np.rint(np.sqrt(z**2 + y**2 + x**2) * unit)
    inside = (angle >= low - 1e-9) & (angle <= high + 1e-9)
    curve: list[float] = []
    for number in range(1, (one.shape[0] if direction == "axial" else min(one.shape[1:])) // 2 + 1):
        a, b = (f[(shell == number) & inside] for f in (f1, f2))
        curve.append(np.vdot(b, a).real / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real))
    return curve


@pytest.mark.parametrize("direction", ["axial", "lateral"])
def test_curve_by_hand(direction: Direction) -> None:
    scene = ndimage.gaussian_filter(RNG.normal(size=(16, 56, 60)), (0.5, 1, 1))
    other = scene + RNG.normal(0, 0.1, scene.shape)
    found = sector_correlation(scene, other, direction, ANISOTROPY).correlation
    np.testing.assert_allclose(found, by_hand(scene, other, direction), atol=1e-9)


def expected_period(direction: Direction, threshold: float, *, repeats: bool) -> float:
    """Where ⟨H⟩/√⟨H² + N⟩, or ⟨H²⟩/⟨H² + N⟩ of repeats, falls to a threshold in the sector.

    H is the transform of the Gaussian that blurs white noise, N the power of noise; periods are in
    planes or pixels.
    """
    angle = np.deg2rad(np.linspace(*SIDES_DEG[direction], 181))
    area = np.sin(angle)
    unit = ANISOTROPY if direction == "axial" else 1.0

    def excess(frequency: float) -> float:
        radius = frequency / unit
        along = (radius * np.cos(angle) * ANISOTROPY * SIGMA_PX[0]) ** 2
        power = np.exp(-2 * np.pi**2 * (along + (radius * np.sin(angle) * SIGMA_PX[1]) ** 2) * 2)
        total = np.average(power + NOISE, weights=area)
        if repeats:
            return np.average(power, weights=area) / total - threshold
        return np.average(np.sqrt(power), weights=area) / np.sqrt(total) - threshold

    return 1 / next(f for f in np.arange(0.01, 0.5, 1e-3).tolist() if excess(f) < 0)


@pytest.fixture(scope="module")
def scenes() -> list[NDArray[np.float64]]:
    """White noise, and two recordings of it through a known blur with noise."""
    white = RNG.normal(size=(40, 128, 128))
    blurred = ndimage.gaussian_filter(white, SIGMA_PX, mode="wrap", truncate=5)
    return [white, *(blurred + RNG.normal(0, NOISE**0.5, white.shape) for _ in range(2))]


@pytest.mark.parametrize("direction", ["axial", "lateral"])
def test_a_known_blur_has_its_resolution(
    scenes: list[NDArray[np.float64]], direction: Direction
) -> None:
    white, one, other = scenes
    to_truth = sector_correlation(white, one, direction, ANISOTROPY).resolution_px("1/2")
    assert to_truth == pytest.approx(expected_period(direction, 1 / 2, repeats=False), rel=0.04)
    of_repeats = sector_correlation(one, other, direction, ANISOTROPY).resolution_px()
    assert of_repeats == pytest.approx(expected_period(direction, 1 / 7, repeats=True), rel=0.06)


def test_frequencies_end_at_those_of_planes_and_of_pixels() -> None:
    volume = RNG.random((20, 64, 70))
    axial = sector_correlation(volume, volume, "axial", ANISOTROPY)
    lateral = sector_correlation(volume, volume, "lateral", ANISOTROPY)
    np.testing.assert_allclose(axial.frequency, np.arange(1, 11) / 20)
    np.testing.assert_allclose(lateral.frequency, np.arange(1, 33) / 64)
    assert axial.count[-1] >= 20


@pytest.mark.parametrize("shape", [(15, 40, 40), (20, 31, 40), (20, 40, 31)])
def test_small_volumes_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(NotApplicable, match="at least 16 planes of 32 x 32 pixels"):
        sector_correlation(np.ones(shape), np.ones(shape), "axial", ANISOTROPY)


def test_fields_too_narrow_for_their_depth_are_refused() -> None:
    volume = RNG.random((16, 32, 32))
    with pytest.raises(NotApplicable, match=r"too small for its depth: \d+ frequencies .* axial"):
        sector_correlation(volume, volume, "axial", 4.0)


def test_a_constant_volume_has_no_frequencies() -> None:
    with pytest.raises(NotApplicable, match="constant"):
        sector_correlation(np.ones((16, 32, 32)), RNG.random((16, 32, 32)), "axial", ANISOTROPY)
