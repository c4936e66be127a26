"""What intensities tell of an image, and what they must not be thought to tell."""

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from imaging import intensities, valid
from imaging.intensities import remark_on_intensities
from tests import flawed_images as flawed
from tests.flawed_images import SIDE


def _found(values: NDArray[np.generic], dims: str = "yx") -> dict[str, str]:
    """Return the details of what is remarked, by sentence."""
    image = xr.DataArray(values, dims=tuple(dims))
    return {remark.sentence: remark.detail for remark in remark_on_intensities(image)}


def _wrapped() -> NDArray[np.uint16]:
    return flawed.recorded() - np.uint16(110)  # as NumPy and others do without a word


def _debris(side: int = 11) -> NDArray[np.float64]:
    plane = flawed.recorded().astype(np.float64)
    profile = np.hanning(side + 2)[1:-1]
    plane[60 : 60 + side, 40 : 40 + side] += 10000 * profile[:, None] * profile
    return plane


def _flyback() -> NDArray[np.uint16]:
    plane = flawed.recorded()
    plane[:, :2] = np.random.default_rng(0).integers(30000, 33000, (SIDE, 2))
    return plane


@pytest.mark.parametrize(
    ("values", "sentence", "detail"),
    [
        (flawed.framed(top=30, right=0), intensities.NO_DATA, "20.25% of the pixels"),
        (flawed.with_bar(), intensities.ARTEFACTS, "1.46% of the pixels at 65535"),
        (np.minimum(flawed.recorded(), 140), intensities.CLIPPED, "of the pixels at 140"),
        (_debris(), intensities.OUTSHONE, "times as far above percentile 2 as percentile 99"),
        (_debris(21), intensities.OUTSHONE, "times as far above percentile 2 as percentile 97"),
        (_flyback(), intensities.OUTSHONE, "1.56% of the pixels, none between"),
        (flawed.with_hot_pixels(600), intensities.OUTSHONE, "0.47% of the pixels, none between"),
        (_wrapped(), intensities.WRAPPED, "of the pixels"),
        (1 - flawed.structure(), intensities.INVERTED, "percentile 2 is"),
    ],
    ids=[
        "frame",
        "bar",
        "clipped",
        "debris",
        "large debris",
        "flyback",
        "hot",
        "wrapped",
        "inverted",
    ],
)
def test_it_is_remarked(values: NDArray[np.generic], sentence: str, detail: str) -> None:
    found = _found(values)

    assert list(found) == [sentence]
    assert detail in found[sentence]


def test_the_worst_plane_is_told() -> None:
    stack = np.stack([flawed.recorded(), flawed.with_bar(), flawed.with_hot_pixels()])

    found = _found(stack, "zyx")

    assert found == {
        intensities.ARTEFACTS: "1.46% of the pixels at 65535 in 2 of 3 planes",
    }


@pytest.mark.parametrize(
    ("light", "flashes"),
    [
        ([1, 1, 20, 1, 1], "frame 2 of 5, from 0"),
        ([1, 9, 1, 1, 1, 1, 9, 1], "frame 1, 6 of 8, from 0"),
        ([1, 0.5, 0.25, 0.125, 0.06], None),  # bleaching
        ([1, 2, 4, 2, 1], None),  # a response
        ([1, 1, 1], None),
    ],
)
def test_a_frame_that_outshines_the_others_is_remarked(
    light: list[float], flashes: str | None
) -> None:
    plane = flawed.recorded().astype(np.float64)
    frames = np.stack([plane * times for times in light])
    assert _found(frames, "byx").get(intensities.FLASH) == flashes


def test_the_planes_of_a_volume_are_no_flashes() -> None:
    plane = flawed.recorded().astype(np.float64)
    assert intensities.FLASH not in _found(np.stack([plane, plane * 20, plane]), "zyx")


def test_a_blank_plane_is_remarked_among_others() -> None:
    blank = np.zeros_like(flawed.recorded())

    assert _found(np.stack([flawed.recorded(), blank]), "zyx") == {
        intensities.BLANK: "all pixels in 1 of 2 planes"
    }
    assert not _found(np.stack([blank, blank]), "zyx")


def _beads() -> NDArray[np.uint16]:
    plane = np.zeros((SIDE, SIDE))
    plane[[30, 60, 90], [40, 100, 50]] = 1
    light = 100 + 6000 * ndimage.gaussian_filter(plane, 1.2)
    return np.random.default_rng(0).poisson(light).astype(np.uint16)


@pytest.mark.parametrize(
    "values",
    [
        flawed.recorded(),
        _beads(),
        np.random.default_rng(0).poisson(flawed.structure() / 5).astype(np.uint8),
        (flawed.structure() > 0.2).astype(np.uint8) * np.uint8(255),
        np.zeros((SIDE, SIDE)),
        flawed.structure() - 1e6,
        np.log(flawed.recorded()),
    ],
    ids=["camera", "beads", "photons", "mask", "constant", "negative", "logarithm"],
)
def test_nothing_is_remarked(values: NDArray[np.generic]) -> None:
    assert not _found(values)


def test_of_large_planes_every_second_pixel_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valid, "SEARCHED_PX", SIDE**2 // 4)

    assert list(_found(flawed.with_bar())) == [intensities.ARTEFACTS]
