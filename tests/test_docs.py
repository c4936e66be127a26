"""What docs/python.md shows works as it stands there."""

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.source_files import ROOMS

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
PUBLIC = re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a notebook holds after all snippets."""
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        for snippet in SNIPPETS:
            exec(snippet, found)
    return found


def test_no_snippet_is_longer_than_ten_lines() -> None:
    assert SNIPPETS
    assert max(len(snippet.strip().splitlines()) for snippet in SNIPPETS) <= 10


def test_counts_are_whole_and_on_the_pixels_of_the_microscope(names: dict[str, Any]) -> None:
    assert names["counts"].shape == (64, 64)
    np.testing.assert_array_equal(names["counts"], np.rint(names["counts"]))


def test_counts_have_the_precision_of_the_field(names: dict[str, Any]) -> None:
    assert names["counts"].dtype == np.float64


def test_the_image_is_read_with_its_pixel_size(names: dict[str, Any]) -> None:
    assert names["image"].dims == ("y", "x")
    assert names["image"].attrs["pixel_size_um"] == {"y": 0.08, "x": 0.08}


def test_a_restored_image_keeps_axes_and_pixel_size(names: dict[str, Any]) -> None:
    restored = names["restored"]
    assert dict(restored.sizes) == {"c": 1, "y": 256, "x": 256}
    assert restored.attrs["pixel_size_um"] == pytest.approx({"y": 0.08, "x": 0.08})
    assert restored.dtype == np.float32


def test_the_score_is_that_of_the_best_line_through_the_prediction(names: dict[str, Any]) -> None:
    truth, plane = names["truth"].astype(float).ravel(), names["plane"].astype(float).ravel()
    error = truth - np.polyval(np.polyfit(plane, truth, 1), plane)
    peak = np.ptp(truth)
    assert names["after"] == pytest.approx(10 * np.log10(peak**2 / np.mean(error**2)), abs=0.02)


def test_restoring_gains(names: dict[str, Any]) -> None:
    assert names["after"] > names["before"]


def test_the_modules_that_the_page_shows_are_in_its_table() -> None:
    shown = set(re.findall(r"^from ([a-z_.]+) import [A-Z]", "\n".join(SNIPPETS), re.MULTILINE))
    ours = {module for module in shown if module.split(".")[0] in ROOMS}
    assert ours <= {module for module, _ in PUBLIC}


@pytest.mark.parametrize(("module", "listed"), PUBLIC)
def test_public_names_are_those_of_the_module(module: str, listed: str) -> None:
    said = [name.strip("` ") for name in listed.split(",")]
    assert sorted(importlib.import_module(module).__all__) == said
