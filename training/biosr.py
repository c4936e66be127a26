"""BioSR as it is on disk, made a dataset of pairs of wide-field and SIM images."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from imaging import __version__, images
from imaging.begun import begun_dataset, is_made
from imaging.cli import UserError, command_line, console, counted, progress
from imaging.dataset_facts import SPLITS, Facts, ImageFacts, Split, write_facts
from imaging.files import sha256_of_all
from imaging.pixel_sizes import are_unlike
from imaging.protocol import Protocol, of_biosr
from training.biosr_files import (
    Recording,
    find_structure,
    is_cells,
    is_of_biosr,
    of_cells,
    of_crops,
)
from training.factor import factor_between

PIXEL_SIZE_UM = 0.0626
"""Of the raw frames of linear SIM, for files that do not state theirs."""
ADDRESS = "https://doi.org/10.6084/m9.figshare.13264793"
_LEVELS = re.compile(r"(\d+)(?:\.\.(\d+))?")
_LAST_CELL = 50  # of those that the literature divides
_PLANE = ("y", "x")


def import_biosr(
    folder: Path, out: Path, *, structure: str | None = None, levels: str | None = None
) -> Path:
    """Make a dataset of BioSR.

    Parameters are those of `python -m training import-biosr`, described in its help.

    Returns
    -------
    Path
        The dataset.

    Raises
    ------
    UserError
        The folder is not BioSR, or a file of it is missing or damaged or of another size, or `out`
        holds something else.
    """
    wanted = None if levels is None else parse_levels(levels)
    name, place = find_structure(folder, structure)
    found = of_cells(place, name) if is_cells(place) else of_crops(place, name)
    parts = _divide(found, place)
    kept = _of_levels([each for each in found if each.name in parts], wanted, place)
    pixel_um, target_um = _pixel_sizes(kept)
    _say_absent(kept)
    with progress() as bars:
        files = sorted({file for recording in kept for file in (recording.raw, recording.target)})
        hashed = sha256_of_all(bars.track(files, description="Reading"), place)
        provenance: dict[str, str | int | float] = {
            "command": command_line(
                "python -m training import-biosr", folder, out, structure=structure, levels=levels
            ),
            "origin": ADDRESS,
            f"sha256 of {counted(len(files), 'file')} of {place.name}": hashed,
            "project": __version__,
        }
        if is_made(out, provenance):
            console.print(f"{out} is already there, made of the same files.", soft_wrap=True)
            return out
        with begun_dataset(out, provenance) as partial:
            for recording in bars.track(kept, description="Writing"):
                _write(partial, recording, pixel_um, target_um)
            write_facts(
                partial,
                Facts(
                    description=f"{name} of BioSR: wide-field as mean of raw frames, and SIM.",
                    licence=f"that of BioSR, which {ADDRESS} states",
                    pixel_size_um=pixel_um,
                    target_pixel_size_um=target_um,
                    registration="approximate",
                    protocol=_protocol(name, kept),
                    provenance=provenance,
                    images={
                        recording.name: ImageFacts(
                            source=recording.source,
                            split=parts[recording.name],
                            level=recording.level,
                        )
                        for recording in kept
                    },
                ),
            )
    of_kept = [parts[recording.name] for recording in kept]
    counts = [f"{of_kept.count(part)} {part}" for part in SPLITS]
    division = f" ({', '.join(counts)})" if any(of_kept) else ""
    console.print(
        f"{counted(len(kept), 'pair')} of {pixel_um:.4g} and {target_um:.4g} µm pixels{division} "
        f"are in {out}",
        soft_wrap=True,
    )
    return out


def parse_levels(text: str) -> list[int]:
    """Read numbers of levels: "3", "1..9", "1,4,7..9".

    Raises
    ------
    UserError
        Anything else.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = _LEVELS.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= 99:
            raise UserError(f"--levels {text} cannot be read: write 1..9, or 3, or 1,4,9.")
        found.update(range(first, last + 1))
    return sorted(found)


def _of_levels(
    found: Sequence[Recording], wanted: Sequence[int] | None, place: Path
) -> list[Recording]:
    """Take the levels that are wanted and must be there; or all, saying what is missing."""
    there = {recording.level for recording in found if recording.level is not None}
    if wanted is not None and (absent := [level for level in wanted if level not in there]):
        raise UserError(
            f"{place} has no level {absent[0]}, only {_listed(sorted(there)) or 'unstated ones'}: "
            "give other --levels."
        )
    levels = sorted(there) if wanted is None else wanted
    unstated = [recording for recording in found if recording.level is None]
    if wanted is not None and unstated:
        console.print(
            f"{counted(len(unstated), 'crop')} of {place} do not state their level and are all "
            "taken.",
            soft_wrap=True,
        )
    of_source: dict[str, set[int]] = {}
    for recording in found:
        if recording.level is not None:
            of_source.setdefault(recording.source, set()).add(recording.level)
    lacking = [
        (source, level) for source, own in of_source.items() for level in levels if level not in own
    ]
    if lacking:
        said = f"{lacking[0][0]} of {place} has no level {lacking[0][1]} ({len(lacking)} missing)"
        if wanted is not None:
            raise UserError(f"{said}: copy it again, remove the cell, or give other --levels.")
        console.print(f"{said}; what is there is taken.", soft_wrap=True)
    return [r for r in found if r.level is None or r.level in levels]


def _pixel_sizes(recordings: Sequence[Recording]) -> tuple[float, float]:
    """Read all headers; return the pixel sizes of wide-field and SIM images, µm.

    Raises
    ------
    UserError
        A file is cut off, sizes or numbers of raw frames differ, or the SIM image is no whole
        multiple or several planes.
    """
    first = recordings[0]
    raw, target = (images.read(file, lazy=True) for file in (first.raw, first.target))
    for recording in recordings:
        for file, known, of_known in (
            (recording.raw, raw, first.raw),
            (recording.target, target, first.target),
        ):
            image = images.read(file, lazy=True)
            if _in_plane(image) != _in_plane(known):
                raise UserError(
                    f"{file} has {_shape(image)} pixels, but {of_known} {_shape(known)}: import "
                    "images of one size, and others by themselves."
                )
            if file == recording.raw and (frames := _frames(image)) != _frames(known):
                raise UserError(
                    f"{file} holds {counted(frames, 'plane')}, but {of_known} {_frames(known)}: "
                    "the mean of fewer raw frames is another wide-field image, so copy it again or "
                    "remove it."
                )
            if file == recording.target and image.ndim > 2:
                raise UserError(f"{file} holds several planes: a SIM image has one.")
    factor = factor_between(first.raw, _in_plane(raw), first.target, _in_plane(target))
    pixel_um = float(raw.attrs["pixel_size_um"].get("x", PIXEL_SIZE_UM))
    target_um = pixel_um / factor
    stated_um = float(target.attrs["pixel_size_um"].get("x", target_um))
    if are_unlike(target_um, stated_um):
        console.print(
            f"{first.target} states pixels of {stated_um:.4g} µm, but a {factor}th of those of "
            f"{first.raw} are {target_um:.4g} µm, which is taken.",
            soft_wrap=True,
        )
    return pixel_um, float(f"{target_um:.7g}")


def _divide(recordings: Sequence[Recording], place: Path) -> dict[str, Split | None]:
    """Return the part of each pair that is kept; None for all where a part would be empty."""
    filled = {recording.part for recording in recordings}
    if empty := [part for part in SPLITS if part not in filled]:
        sources = len({recording.source for recording in recordings})
        console.print(
            f"The division of the literature would leave {' and '.join(empty)} empty, for {place} "
            f"holds only {counted(sources, 'cell' if recordings[0].cell else 'crop')}: "
            "dataset.toml states none, and training divides by its own rule.",
            soft_wrap=True,
        )
        return {recording.name: None for recording in recordings}
    unused = {recording.source for recording in recordings if recording.part is None}
    if unused:
        console.print(
            f"{counted(len(unused), 'cell')} after the {_LAST_CELL}th, for which the literature "
            "names no use, are left out.",
            soft_wrap=True,
        )
    return {recording.name: recording.part for recording in recordings if recording.part}


def _protocol(name: str, recordings: Sequence[Recording]) -> Protocol | None:
    """Return what fixes a comparison; None of crops, and where no structure is told."""
    if not all(recording.cell for recording in recordings):
        return None
    if not is_of_biosr(name):
        console.print(
            f"'{name}' is no structure of BioSR, so dataset.toml states no protocol: give "
            "--structure for numbers that compare with others'.",
            soft_wrap=True,
        )
        return None
    return of_biosr(name)


def _say_absent(recordings: Sequence[Recording]) -> None:
    there = {recording.cell for recording in recordings if recording.cell is not None}
    absent = [cell for cell in range(1, _LAST_CELL + 1) if there and cell not in there]
    if absent:
        console.print(f"Of cells 1 to {_LAST_CELL} not there: {_listed(absent)}.", soft_wrap=True)


def _write(folder: Path, recording: Recording, pixel_um: float, target_um: float) -> None:
    """Write a pair, unless an interrupted run has."""
    target_file, input_file = (
        folder / part / f"{recording.name}.tif" for part in ("target", "input")
    )
    if target_file.exists() and input_file.exists():
        return
    frames = images.read(recording.raw).values
    planes = frames.reshape(-1, *frames.shape[-2:])
    wide_field = planes.mean(axis=0, dtype=np.float64).astype(np.float32)
    for file, pixels, size_um in (
        (target_file, images.read(recording.target).values, target_um),
        (input_file, wide_field, pixel_um),
    ):
        sizes = dict.fromkeys(_PLANE, size_um)
        images.write(file, xr.DataArray(pixels, dims=_PLANE, attrs={"pixel_size_um": sizes}))


def _in_plane(image: xr.DataArray) -> dict[str, int]:
    return {axis: image.sizes[axis] for axis in _PLANE}


def _frames(image: xr.DataArray) -> int:
    return image.size // math.prod(_in_plane(image).values())


def _shape(image: xr.DataArray) -> str:
    return " x ".join(str(length) for length in _in_plane(image).values())


def _listed(numbers: Sequence[int]) -> str:
    """Write numbers in their order, those that follow each other as "3 to 9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{r[0]} to {r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)
