import re
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.registration.frames import why_no_repeats, why_not_averaged
from tests.small_images import bent_lines

Image = NDArray[np.float64]
SIDE = 128


def scene(seed: int) -> Image:
    """Blurred curves between 0 and 1."""
    blurred = ndimage.gaussian_filter(bent_lines(seed, SIDE, count=12, reach=60), 2)
    return blurred / blurred.max()


ONE, OTHER = scene(1), scene(2)


def record(expected: Image, rng: np.random.Generator, photons: float = 40) -> Image:
    return 8 * rng.poisson(expected * photons + 0.3) + rng.normal(100, 3, expected.shape)


def recorded(*scenes: Image, photons: float = 40, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    return np.stack([record(expected, rng, photons) for expected in scenes])


def judged(frames: Image, axis: str = "b") -> str | None:
    return why_no_repeats(xr.DataArray(frames, dims=(axis, "y", "x")), axis)


def moved(y: float, x: float) -> Image:
    return ndimage.shift(ONE, (y, x), order=1, mode="reflect")


@pytest.mark.parametrize("axis", ["b", "z"])
@pytest.mark.parametrize("photons", [0.3, 3, 40, 3000])
@pytest.mark.parametrize(
    "scenes",
    [
        [ONE] * 2,
        [ONE] * 8,
        [ONE * 0.8**i for i in range(12)],
        [moved(i, -0.5 * i) for i in range(8)],
        [moved(3 * (i % 2), -3 * (i % 2)) for i in range(8)],
        [ONE * (1 - 0.4 * (i % 2)) for i in range(8)],
        [np.zeros_like(ONE)] * 4,
    ],
    ids=["two", "static", "bleaching", "drifting", "jumping", "flickering", "empty"],
)
def test_good_frames_raise_no_alarm(scenes: list[Image], photons: float, axis: str) -> None:
    assert judged(recorded(*scenes, photons=photons), axis) is None


@pytest.mark.parametrize("axis", ["b", "z"])
@pytest.mark.parametrize(
    ("scenes", "said"),
    [
        ([ONE, OTHER] * 4, "every second frame .* 2 interleaved channels"),
        ([ONE, OTHER, ONE[::-1]] * 3, "every third frame .* 3 interleaved channels"),
        ([ONE, OTHER], "neighbouring frames show different things"),
        ([ONE, ONE[::-1], OTHER, OTHER[:, ::-1]], "neighbouring frames show different things"),
    ],
)
def test_frames_of_several_kinds_are_told(scenes: list[Image], said: str, axis: str) -> None:
    assert_said(judged(recorded(*scenes), axis), said)


def assert_said(found: str | None, said: str) -> None:
    assert found is not None
    assert re.search(said, found)


def fading(last: float) -> Image:
    """One scene fades into another, of which the last frame has a share."""
    shares = np.linspace(0, last, 8)
    return recorded(*((1 - share) * ONE + share * OTHER for share in shares))


@pytest.mark.parametrize(("axis", "said"), [("b", "frames show the less"), ("z", "slices show")])
def test_planes_of_a_volume_are_told(axis: str, said: str) -> None:
    assert_said(judged(fading(1), axis), f"{said} .* planes of a volume")


def test_a_small_change_is_one_of_depth_along_z_alone() -> None:
    assert_said(judged(fading(0.7), "z"), "planes of a volume")
    assert judged(fading(0.7), "b") is None


def rolling(frames: Image) -> Image:
    return (frames[1:] + frames[:-1]) / 2


def recursive(frames: Image) -> Image:
    kept = [frames[0]]
    for frame in frames[1:]:
        kept.append((kept[-1] + frame) / 2)
    return np.stack(kept)


@pytest.mark.parametrize("average", [rolling, recursive])
def test_running_averages_are_told(average: Callable[[Image], Image]) -> None:
    assert_said(judged(average(recorded(*[ONE] * 10))), "noise .* as running averages do")


def test_averages_of_frames_of_their_own_are_repeats() -> None:
    frames = recorded(*[ONE] * 12)
    assert judged(frames.reshape(4, 3, SIDE, SIDE).mean(1)) is None


def to_8_bit(frames: Image, scale: float) -> Image:
    return np.round((frames - frames.min()) * scale * 255 / np.ptp(frames))


def test_copies_are_told_and_named() -> None:
    frame = recorded(ONE)[0]
    assert_said(judged(np.stack([frame] * 3)), r"frames 0 and 1, .* copies .*2 of 2")


def test_copies_are_told_beyond_rounding() -> None:
    frame = recorded(ONE)[0]
    saved = np.stack([to_8_bit(frame, scale) for scale in (1, 0.98, 0.97)])
    assert_said(judged(saved), "copies of one recording")


def test_one_frame_that_stands_twice_is_named() -> None:
    frames = recorded(*[ONE] * 6)
    frames[3] = frames[2]
    assert_said(judged(frames), r"frames 2 and 3, .*1 of 5")


def test_interleaved_channels_are_told_before_they_are_averaged() -> None:
    frames = xr.DataArray(recorded(*[ONE, OTHER] * 4), dims=("b", "y", "x"))
    assert_said(why_not_averaged(frames, "b"), "2 interleaved channels")
