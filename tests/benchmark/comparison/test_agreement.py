from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmark.comparison.agreement import Agreement, measure_agreement
from benchmark.running.cell import CellFiles, CellKey
from imaging import images
from tests import records

RNG = np.random.default_rng(0)
SCENES = RNG.normal(size=(2, 32, 32))


def agreement(tmp_path: Path, restored: dict[str, list[np.ndarray | None]]) -> Agreement | None:
    """Of restored images by name of the package; "input" is a control."""
    results = CellFiles(tmp_path)
    for name, of_images in restored.items():
        for i, values in enumerate(of_images):
            if values is not None:
                image = xr.DataArray(
                    values.astype(np.float32), dims=("z", "y", "x")[-values.ndim :]
                )
                images.write(results.prediction_file(CellKey(name, "data", str(i))), image)
    dataset = records.dataset("data", records.image("0"), records.image("1"))
    packages = [records.package(name, control=name == "input") for name in restored]
    return measure_agreement(dataset, packages, results)


def test_agreement_is_the_mean_correlation_over_images(tmp_path: Path) -> None:
    noisy = [scene + RNG.normal(size=scene.shape) for scene in SCENES]
    found = agreement(tmp_path, {"a": [*SCENES], "b": [*noisy]})
    assert found is not None
    pairs = zip(SCENES, noisy, strict=True)
    expected = np.mean([np.corrcoef(one.ravel(), two.ravel())[0, 1] for one, two in pairs])
    assert found.names == ("a", "b")
    assert found.values == pytest.approx(np.array([[1, expected], [expected, 1]]), abs=1e-6)


def test_the_input_stands_last(tmp_path: Path) -> None:
    found = agreement(tmp_path, {"input": [*SCENES], "a": [*SCENES], "b": [*-SCENES]})
    assert found is not None
    assert found.names == ("a", "b", "input")
    assert found.values[0, 2] == pytest.approx(1)
    assert found.values[1, 2] == pytest.approx(-1)


def test_one_package_agrees_with_nobody(tmp_path: Path) -> None:
    assert agreement(tmp_path, {"input": [*SCENES], "a": [*SCENES]}) is None


def test_an_image_that_one_package_lacks_is_left_out(tmp_path: Path) -> None:
    found = agreement(tmp_path, {"a": [*SCENES], "b": [SCENES[0], None]})
    assert found is not None
    assert found.values == pytest.approx(np.ones((2, 2)))


def test_a_package_that_only_gives_flat_images_is_left_out(tmp_path: Path) -> None:
    flat: list[np.ndarray | None] = [np.ones((32, 32))] * 2
    found = agreement(tmp_path, {"a": [*SCENES], "b": [*SCENES], "flat": flat})
    assert found is not None
    assert found.names == ("a", "b")


def test_packages_without_a_common_image_say_nothing(tmp_path: Path) -> None:
    assert agreement(tmp_path, {"a": [SCENES[0], None], "b": [None, SCENES[1]]}) is None


def test_grids_are_compared_on_the_coarser_one(tmp_path: Path) -> None:
    fine: list[np.ndarray | None] = [np.kron(scene, np.ones((2, 2))) for scene in SCENES]
    found = agreement(tmp_path, {"a": [*SCENES], "b": fine})
    assert found is not None
    assert found.values[0, 1] > 0.9


def test_stacks_are_compared_as_a_whole(tmp_path: Path) -> None:
    stack = np.stack([SCENES[0], 5 * SCENES[1] + 20])
    restored: dict[str, list[np.ndarray | None]] = {"a": [stack, stack], "b": [stack, stack[::-1]]}
    found = agreement(tmp_path, restored)
    assert found is not None
    swapped = np.corrcoef(stack.ravel(), stack[::-1].ravel())[0, 1]
    assert found.values[0, 1] == pytest.approx((1 + swapped) / 2, abs=1e-6)


def test_a_stack_and_an_image_are_not_compared(tmp_path: Path) -> None:
    stacks: list[np.ndarray | None] = [SCENES, SCENES]
    assert agreement(tmp_path, {"a": [*SCENES], "b": stacks}) is None
