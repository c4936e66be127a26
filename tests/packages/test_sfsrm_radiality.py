import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from packages.sfsrm.radiality import FLAT, RING_POINTS, RING_RADIUS_PX, Radiality

# Matrix form of the Catmull-Rom spline through the second and third of four values.
SPLINE = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2


def interpolated(image: NDArray[np.float64], y: float, x: float) -> float:
    row, column = math.floor(y), math.floor(x)
    around = image[row - 1 : row + 3, column - 1 : column + 3]
    along_y = np.array([1, y - row, (y - row) ** 2, (y - row) ** 3]) @ SPLINE
    along_x = np.array([1, x - column, (x - column) ** 2, (x - column) ** 3]) @ SPLINE
    return float(along_y @ around @ along_x)


def radiality_at(image: NDArray[np.float64], y: int, x: int) -> float:
    """The equations of Gustafsson et al. at one pixel, with the gradient's size left out."""
    gradient_y, gradient_x = (np.asarray(np.gradient(image, axis=axis)) for axis in (0, 1))
    terms: list[float] = []
    for i in range(RING_POINTS):
        angle = 2 * math.pi * i / RING_POINTS
        dy, dx = RING_RADIUS_PX * math.sin(angle), RING_RADIUS_PX * math.cos(angle)
        gy, gx = interpolated(gradient_y, y + dy, x + dx), interpolated(gradient_x, y + dy, x + dx)
        distance = abs(gy * dx - gx * dy) / math.hypot(gy, gx)
        sign = math.copysign(1, -(gy * dy + gx * dx))
        terms.append(sign * (1 - distance / RING_RADIUS_PX) ** 2)
    return max(sum(terms) / RING_POINTS, 0)


def radiality(image: NDArray[np.float64]) -> NDArray[np.float32]:
    return Radiality()(torch.from_numpy(image).float()[None, None])[0, 0].numpy()


def test_it_is_the_published_radiality() -> None:
    image = 10 * np.random.default_rng(0).random((16, 18))
    given = radiality(image)
    for y, x in np.random.default_rng(1).integers(4, 12, (20, 2)):
        assert given[y, x] == pytest.approx(radiality_at(image, y, x), abs=1e-4)


def test_the_middle_of_a_spot_is_1_and_of_a_hole_0() -> None:
    y, x = np.mgrid[-6:7, -6:7]
    spot = -(y**2 + x**2) / 10
    assert radiality(spot)[6, 6] == pytest.approx(1, abs=1e-3)
    assert radiality(-spot)[6, 6] == 0


def test_a_ridge_is_what_its_angles_make() -> None:
    # All gradients are along x: a point at angle θ is passed at r |sin θ|.
    ridge = -np.broadcast_to(np.arange(-6.0, 7.0) ** 2, (13, 13)) / 10
    angles = 2 * np.pi * np.arange(RING_POINTS) / RING_POINTS
    expected = np.mean((1 - abs(np.sin(angles))) ** 2)
    assert radiality(ridge)[6, 6] == pytest.approx(expected, abs=1e-3)


def test_it_depends_neither_on_offset_nor_on_scale_of_structure() -> None:
    image = 10 * np.random.default_rng(0).random((16, 16))
    np.testing.assert_allclose(radiality(3 * image + 5), radiality(image), atol=1e-3)


def test_what_is_flat_has_no_edges() -> None:
    faint = 1e-4 * FLAT * np.random.default_rng(0).random((16, 16))
    assert radiality(faint + 0.5).max() < 1e-6
