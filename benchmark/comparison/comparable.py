"""Whether the scores of two runs mean the same, or why not."""

from collections.abc import Iterable, Iterator
from dataclasses import fields

from imaging.benchmark_run import BenchmarkRun, DatasetEntry, ImageEntry
from imaging.cli import counted
from imaging.protocol import Protocol

Pair = tuple[DatasetEntry, DatasetEntry]


def shared_datasets(first: BenchmarkRun, second: BenchmarkRun) -> list[Pair]:
    """Return the datasets of two runs that are meant to be the same.

    By the name and structure of their protocols, where both state one, else by their own names.
    """
    found: list[Pair] = []
    for one in first.datasets:
        others = [other for other in second.datasets if _meant_alike(one, other)]
        others.sort(key=lambda other: other.name != one.name)
        found += [(one, other) for other in others[:1]]
    return found


def why_not_comparable(
    pair: Pair, first: BenchmarkRun, second: BenchmarkRun, names: tuple[str, str]
) -> list[str]:
    """Say why scores of two runs on a dataset do not compare.

    Parameters
    ----------
    pair
        The dataset as the first run saw it, and as the second did.
    first, second
        The runs.
    names
        What to call them.

    Returns
    -------
    list of str
        Sentences; none where they compare.
    """
    one, other = pair
    said = [
        f"{what[:1].upper()}{what[1:]} is {_quoted(here)} in {names[0]} and {_quoted(there)} in "
        f"{names[1]}."
        for what, here, there in _statements(one, other)
        if here != there
    ]
    said += _about_images(one.images, other.images, names)
    if first.benchmark_sha256 != second.benchmark_sha256:
        said.append(
            "They were scored by different versions of the benchmark: give the command of the "
            "older run again, which scores it anew."
        )
    return said


def _meant_alike(one: DatasetEntry, other: DatasetEntry) -> bool:
    if one.protocol is None or other.protocol is None:
        return one.name == other.name
    first, second = one.protocol, other.protocol
    return (first.name, first.structure) == (second.name, second.structure)


def _statements(one: DatasetEntry, other: DatasetEntry) -> Iterator[tuple[str, object, object]]:
    """Yield what both datasets state that scores depend on."""
    here, there = one.protocol, other.protocol
    if here is None or there is None:
        yield "the protocol", here, there
    else:
        for entry in fields(Protocol):
            what = f"the protocol's {entry.name}"
            yield what, getattr(here, entry.name), getattr(there, entry.name)
    yield "registration of the truth", one.registration, other.registration
    yield "the truth's pixel size in µm", _pixel_um(one), _pixel_um(other)


def _pixel_um(dataset: DatasetEntry) -> float | None:
    return dataset.target_pixel_size_um or dataset.pixel_size_um


def _about_images(
    first: Iterable[ImageEntry], second: Iterable[ImageEntry], names: tuple[str, str]
) -> Iterator[str]:
    here, there = ({image.name: image for image in images} for images in (first, second))
    for alone, where, whole in (
        (sorted(here.keys() - there.keys()), names[0], here),
        (sorted(there.keys() - here.keys()), names[1], there),
    ):
        if alone:
            yield (
                f"{counted(len(alone), 'image')} of {len(whole)} were scored in {where} only, "
                f"'{alone[0]}' first."
            )
    common = sorted(here.keys() & there.keys())
    for what, differing in (
        ("has other files", [n for n in common if _files(here[n]) != _files(there[n])]),
        ("has another level of light", [n for n in common if here[n].level != there[n].level]),
        ("has another source", [n for n in common if here[n].source != there[n].source]),
    ):
        if differing:
            more = f", as {len(differing) - 1} more" if differing[1:] else ""
            yield f"Image '{differing[0]}' {what} in {names[1]} than in {names[0]}{more}."


def _files(image: ImageEntry) -> tuple[str, ...]:
    return (image.input_sha256, image.target_sha256)


def _quoted(value: object) -> str:
    if value is None or value == "":
        return "not stated"
    if isinstance(value, dict):
        parts: dict[str, str] = value  # pyright: ignore[reportUnknownVariableType]
        return f"'{', '.join(f'{part} {units}' for part, units in parts.items())}'"
    return f"'{value}'"
