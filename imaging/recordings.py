"""Which images of a dataset are files of one recording."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from imaging.images import marks_of


def recordings(files_of: Mapping[str, Iterable[Path]]) -> dict[str, str]:
    """Find the images that belong together because files of theirs are of one recording.

    Parameters
    ----------
    files_of
        Each image's files, by its name. Of TIFF files the first header is read, of others nothing.

    Returns
    -------
    dict
        For each image the name of the first one of its recording, which may be its own.
    """
    before: dict[str, str] = {}  # an earlier image of the recording; the first one's is its own
    bearer: dict[str, str] = {}  # of each mark

    def first(name: str) -> str:
        while before[name] != name:
            name = before[name]
        return name

    for name, files in sorted(files_of.items()):
        before[name] = name
        for mark in {mark for file in files for mark in marks_of(file, bearer)}:
            one, other = sorted((first(name), first(bearer.setdefault(mark, name))))
            before[other] = one
    return {name: first(name) for name in before}
