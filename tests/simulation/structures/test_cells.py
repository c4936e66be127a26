import numpy as np
import pytest

from simulation.structures import Grid
from simulation.structures.cells import cells, microtubes


def _density(thickness: int) -> float:
    shape = (thickness, 128, 128) if thickness else (128, 128)
    grid = Grid(shape, 0.1, 0.25 if thickness else 0.0)
    images = [cells(grid, np.random.default_rng(seed)).image for seed in range(6)]
    planes = [image[thickness // 2] if thickness else image for image in images]
    return float((np.stack(planes) > 0.2).mean())


@pytest.mark.parametrize("seed", range(6))
def test_a_field_is_never_empty(seed: int) -> None:
    image = cells(Grid((128, 128), 0.08), np.random.default_rng(seed)).image
    assert np.percentile(image, 99) > 10 * np.percentile(image, 2) > 0


def test_most_of_a_field_is_dark() -> None:
    grid = Grid((128, 128), 0.08)
    fields = [cells(grid, np.random.default_rng(seed)).image for seed in range(8)]
    assert np.median([np.mean(field < 0.1) for field in fields]) > 0.4


def test_the_focal_plane_of_a_volume_is_about_as_full_as_an_image() -> None:
    assert 0.5 < _density(17) / _density(0) < 2


def test_microtubes_are_bright_along_both_sides_of_their_axis() -> None:
    # the label a radius away from the axis, on either side, is brighter than on it
    grid = Grid((256, 256), 0.05)
    edge, middle = list[float](), list[float]()
    for seed in range(6):
        specimen = microtubes(grid, np.random.default_rng(seed))
        assert set(specimen.geometry) == {"microtubes"}
        for tube in specimen.geometry["microtubes"]:
            points, radii = np.array(tube["points_um"]), np.array(tube["radii_um"])
            if len(points) < 20:  # a spike
                continue
            ahead = np.gradient(points, axis=0)
            across = np.stack([ahead[:, 1], -ahead[:, 0]], 1)
            across /= np.linalg.norm(across, axis=1, keepdims=True)
            for shift, seen in ((-1, edge), (0, middle), (1, edge)):
                pixels = np.floor((points + shift * radii[:, None] * across) / 0.05).astype(int)
                inside = ((pixels >= 0) & (pixels < 256)).all(1)
                seen += list(specimen.image[tuple(pixels[inside].T)])
    assert np.mean(edge) > 1.3 * np.mean(middle)
