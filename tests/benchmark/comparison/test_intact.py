from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.comparison.intact import split_intact
from imaging.benchmark_run import DatasetEntry, ImageEntry
from imaging.files import sha256
from tests import records

KINDS = ("input", "target", "repeat")


def dataset(folder: Path) -> DatasetEntry:
    """Two images with everything."""
    images: list[ImageEntry] = []
    for name in ("a", "b"):
        files: dict[str, str] = {}
        for kind in KINDS:
            file = folder / f"{name}-{kind}.tif"
            file.write_text(f"{kind} of {name}")
            files |= {kind: str(file), f"{kind}_sha256": sha256(file)}
        images.append(records.image(name, **files))
    return records.dataset("d", *images)


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
    assert [image.name for image in intact.images] == ["b"]
    assert others == ["a"]


def test_what_an_image_never_had_is_not_missed(tmp_path: Path) -> None:
    before = dataset(tmp_path)
    first, second = before.images
    alone = replace(first, target="", target_sha256="", repeat="", repeat_sha256="")
    assert split_intact(replace(before, images=[alone, second]))[1] == []
