import numpy as np
import xarray as xr

from packages.familiarity import TOO_SMALL, UNLIKE, familiarity
from tests.known import Array, known_beside_fine, known_tissue, tissue


def of(values: Array, *, factor: float = 1.0) -> tuple[xr.DataArray, tuple[int, int]]:
    """Return an image, and the grid to which a pixel size that is so wrong brings it."""
    image = xr.DataArray(values, dims=("z", "y", "x")[-values.ndim :])
    rows, columns = values.shape[-2:]
    return image, (round(rows * factor), round(columns * factor))


def test_what_the_model_knows_is_remarked_on_by_nobody() -> None:
    found = familiarity(known_tissue(), *of(tissue(1001, 256)))
    assert found.is_known
    assert found.remarks == []


def test_what_is_strange_is_said_in_words() -> None:
    image = tissue(1001, 256)
    clipped = np.minimum(image, np.quantile(image, 0.97))
    (remark,) = familiarity(known_tissue(), *of(clipped)).remarks
    assert remark.sentence == UNLIKE
    assert "its brightest pixels stand out less" in remark.detail


def test_a_wrong_pixel_size_is_recognised() -> None:
    found = familiarity(known_tissue(), *of(tissue(1001, 256), factor=2))
    assert found.words.startswith("known if its pixels were 2 times smaller (check --pixel-size);")


def test_too_small_an_image_is_not_judged() -> None:
    found = familiarity(known_tissue(), *of(tissue(1001, 100)))
    assert found.is_known is None
    assert [remark.sentence for remark in found.remarks] == [TOO_SMALL]


def test_windows_without_data_do_not_count() -> None:
    image = np.zeros((256, 384))
    image[:, 128:] = tissue(1001, 256) + 20  # registered: no data on the left
    assert familiarity(known_tissue(), *of(image)).is_known
    assert familiarity(known_tissue(), *of(image[:, :160])).is_known is None


def test_of_a_stack_planes_with_structure_are_looked_at() -> None:
    empty = np.random.default_rng(0).poisson(5, (4, 128, 128)).astype(np.float64)
    stack = np.concatenate([empty[:2], [tissue(1001), tissue(1002), tissue(1003)], empty[2:]])
    assert familiarity(known_tissue(), *of(stack)).is_known


def test_a_kind_that_was_given_is_called_by_its_name() -> None:
    found = familiarity(known_beside_fine(), *of(tissue(2001, 256, grain=2)))
    assert "like finer, which the model was not trained on" in found.words
