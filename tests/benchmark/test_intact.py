from pathlib import Path
from typing import Any

import pytest

from benchmark.intact import split_intact
from packages.files import sha256

KINDS = ("input", "target", "repeat")


def dataset(folder: Path) -> dict[str, Any]:
    """Two images with everything, as run.json has them."""
    images: list[dict[str, str]] = []
    for name in ("a", "b"):
        image = {"name": name}
        for kind in KINDS:
            file = folder / f"{name}-{kind}.tif"
            file.write_text(f"{kind} of {name}")
            image |= {kind: str(file), f"{kind}_sha256": sha256(file)}
        images.append(image)
    return {"name": "d", "images": images}


def test_files_as_they_were_are_intact(tmp_path: Path) -> None:
    before = dataset(tmp_path)
    assert split_intact(before) == (before, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_changed_or_went_away_takes_its_image_along(
    tmp_path: Path, kind: str, gone: bool
) -> None:
    before = dataset(tmp_path)
    file = tmp_path / f"a-{kind}.tif"
    if gone:
        file.unlink()
    else:
        file.write_text("another one")
    intact, others = split_intact(before)
    assert [image["name"] for image in intact["images"]] == ["b"]
    assert others == ["a"]


def test_what_an_image_never_had_is_not_missed(tmp_path: Path) -> None:
    before = dataset(tmp_path)
    before["images"][0] |= {"target": "", "target_sha256": "", "repeat": "", "repeat_sha256": ""}
    assert split_intact(before)[1] == []
