import numpy as np
import pytest

from training.simulation.targets import Generated, Targets


def _images(targets: Targets, margin_px: int = 8) -> list[np.ndarray]:
    made = dict(targets.make(range(len(targets.sources)), margin_px))
    return [made[index].image for index in range(len(targets.sources))]


def test_generated_images_do_not_depend_on_their_number() -> None:
    few, many = (_images(Generated(count, 32, 0.08, seed=3)) for count in (2, 4))
    assert all(np.array_equal(a, b) for a, b in zip(few, many[:2], strict=True))


def test_generated_image_is_the_middle_of_its_surroundings() -> None:
    ((_, target),) = Generated(1, 32, None, 0).make([0], 8)
    assert target.brightness.shape == (48, 48)
    inner = target.brightness[8:-8, 8:-8]
    assert np.corrcoef(inner.ravel(), target.image.ravel())[0, 1] == pytest.approx(1)
