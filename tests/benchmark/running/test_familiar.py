from pathlib import Path

import numpy as np
import xarray as xr

from benchmark.page.known import unknown_images
from benchmark.running.familiar import compare_with_known, remark_on, with_verdicts
from benchmark.running.restore import Method
from imaging import images
from imaging.datasets import Dataset, open_dataset
from packages.familiarity import UNLIKE, Familiarity
from tests import records
from tests.known import known_tissue, tissue

CUT = Familiarity(False, "its brightest pixels are cut off")
VERDICTS = {
    ("cells", "a"): {"one": CUT, "two": CUT, "three": Familiarity(True)},
    ("cells", "b"): {name: Familiarity(True) for name in ("one", "two", "three")},
    ("cells", "c"): {name: Familiarity(None) for name in ("one", "two", "three")},
}


def dataset(folder: Path) -> Dataset:
    (folder / "input").mkdir(parents=True)
    for name, plane in {"a": np.minimum(tissue(1001), 50), "b": tissue(1002)}.items():
        images.write(folder / "input" / f"{name}.tif", xr.DataArray(plane, dims=("y", "x")))
    (folder / "input" / "c.tif").write_bytes(b"no image")
    return open_dataset(folder)


def test_each_image_is_compared_with_what_each_package_knows(tmp_path: Path) -> None:
    knowing = [Method(name, name, known_images=known_tissue()) for name in ("one", "two")]
    found = compare_with_known([*knowing, Method("other", "other")], [dataset(tmp_path / "cells")])
    assert {place: [*of] for place, of in found.items()} == {
        ("cells", "a"): ["one", "two"],
        ("cells", "b"): ["one", "two"],
    }
    assert [found["cells", name]["two"].is_known for name in "ab"] == [False, True]


def test_packages_that_find_the_same_are_named_together() -> None:
    found = {entry.sentence: entry.images for entry in remark_on(VERDICTS).entries}
    assert found[UNLIKE] == {"cells/a": f"one, two: {CUT.words}"}
    assert [[*of] for of in found.values()] == [["cells/a"], ["cells/c"]]


def test_the_page_lists_images_that_some_package_does_not_know() -> None:
    packages = [
        records.package(name, knows_images=name != "four") for name in ("one", "three", "four")
    ]
    cells = records.dataset("cells", *(records.image(name) for name in "abc"))
    run = with_verdicts(records.run(packages, [cells]), VERDICTS)
    assert [image.unlike for image in run.datasets[0].images] == [
        {"one": CUT.words, "two": CUT.words},
        {},
        {},
    ]
    table = unknown_images(run)
    assert table.headings == ["Image", "one", "three"]
    assert table.rows == [("cells/a", CUT.words, "like its training images")]
