"""Where BioSR has its recordings and their SIM images, in both layouts that it comes in.

As published (Qiao et al., Nat. Methods 18 (2021) 194; doi.org/10.6084/m9.figshare.13264793), and as
its authors' programs cut it for their networks: training_wf, validate_wf, test_wf and their _gt.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imaging.cli import UserError
from imaging.dataset_facts import Split
from imaging.images import absent

# What users call the structures, without capitals and signs, and what BioSR calls their folders.
_FOLDERS = {
    **dict.fromkeys(("ccp", "ccps"), "CCPs"),
    **dict.fromkeys(("mt", "mts", "microtubule", "microtubules"), "Microtubules"),
    "factin": "F-actin",
    **dict.fromkeys(("factinnonlinear", "nonlinear"), "F-actin_Nonlinear"),
    "er": "ER",
}
_SHORT = "CCP, ER, MT, F-actin and F-actin-nonlinear"
_CELL = re.compile(r"Cell_(\d+)")
# Of nonlinear SIM, b is an overview whose intensities are no longer linear.
_LEVEL_FILE = re.compile(r".*level_(\d+)(_a)?\.mrc")
_TARGETS = ("SIM_gt.mrc", "SIM_gt_a.mrc")
_LEVEL_FOLDER = re.compile(r"level_(\d+)")
# The folder that some put around the parts, then those of inputs and of targets.
_CUT: dict[Split, tuple[str, str, str]] = {
    "train": ("train", "training_wf", "training_gt"),
    "calibration": ("val", "validate_wf", "validate_gt"),
    "validation": ("test", "test_wf", "test_gt"),
}


@dataclass(frozen=True)
class Recording:
    """A recording and its SIM image.

    Attributes
    ----------
    name
        What its pair is called.
    raw, target
        Files of the raw frames or their mean, and of the SIM image.
    source
        Structure and cell, or structure and crop where the cell is not stated.
    part
        What it serves for in the literature, in our words; None for cells that it names no use for.
    level
        Of light, from 1, the least; None where it is not stated.
    cell
        Its number; None of crops.
    """

    name: str
    raw: Path
    target: Path
    source: str
    part: Split | None
    level: int | None = None
    cell: int | None = None


def find_structure(folder: Path, structure: str | None) -> tuple[str, Path]:
    """Find the folder of a structure.

    Parameters
    ----------
    folder
        Of BioSR, or of one structure of it.
    structure
        As the user calls it; None for the only one there is.

    Returns
    -------
    name, folder
        As BioSR calls it, or as the folder is called where that is no name of BioSR's, and where it
        is.

    Raises
    ------
    UserError
        There is no such structure, none, or several, or it is not to be told which.
    """
    wanted = _called(structure) if structure is not None else None
    if structure is not None and wanted is None:
        raise UserError(f"BioSR has no structure '{structure}': choose one of {_SHORT}.")
    if not folder.exists():
        raise absent(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: give the folder of BioSR, or of a structure of it.")
    if is_cells(folder) or is_cut(folder):
        called = folder.resolve().name  # of ".", too
        own = _called(called)
        if wanted and own and own != wanted:
            raise UserError(f"{folder} holds {own}, not {wanted}: leave --structure out.")
        return own or wanted or called, folder
    found = {
        name: inner
        for inner in sorted(folder.iterdir())
        if inner.is_dir()
        and (name := _called(inner.name)) is not None
        and (is_cells(inner) or is_cut(inner))
    }
    if not found:
        structures = ", ".join(dict.fromkeys(_FOLDERS.values()))
        raise UserError(
            f"{folder} is not BioSR: there is no folder Cell_001 or the like, training_wf, "
            f"validate_wf or test_wf in it, nor in {structures} inside (unpack archives)."
        )
    if wanted is None and len(found) > 1:
        raise UserError(f"{folder} holds {', '.join(found)}: choose one with --structure.")
    name = wanted or next(iter(found))
    if name not in found:
        raise UserError(f"{folder} holds no {name}, only {', '.join(found)}: choose another.")
    return name, found[name]


def is_of_biosr(name: str) -> bool:
    """Tell whether a structure is one that BioSR names."""
    return name in _FOLDERS.values()


def is_cells(folder: Path) -> bool:
    """Tell whether a folder is laid out as published."""
    return any(_CELL.fullmatch(inner.name) for inner in folder.iterdir() if inner.is_dir())


def is_cut(folder: Path) -> bool:
    """Tell whether a folder is laid out as cut for networks."""
    return any(_in_part(folder, part)[0].is_dir() for part in _CUT)


def of_cells(folder: Path, structure: str) -> list[Recording]:
    """Find the recordings of a structure as published, by cell and level.

    Raises
    ------
    UserError
        A cell lacks its SIM image or all raw frames.
    """
    cells = {
        int(match[1]): inner
        for inner in sorted(folder.iterdir())
        if inner.is_dir() and (match := _CELL.fullmatch(inner.name))
    }
    return [
        Recording(
            name=f"{cell.name}_level_{level:02d}",
            raw=raw,
            target=target,
            source=f"{structure} {cell.name}",
            part=_part_of(number),
            level=level,
            cell=number,
        )
        for number, cell in sorted(cells.items())
        for level, raw, target in _of_cell(cell)
    ]


def of_crops(folder: Path, structure: str) -> list[Recording]:
    """Find the pairs of a structure that was cut for networks; crops do not state their cell.

    Raises
    ------
    UserError
        Files of inputs and targets do not pair, or there are none.
    """
    found: list[Recording] = []
    for part in _CUT:
        inputs, targets = _in_part(folder, part)
        if not inputs.is_dir():
            continue
        if not targets.is_dir():
            raise UserError(f"{targets} does not exist, but {inputs.name} does: copy it, too.")
        what = inputs.name.removesuffix("_wf")
        levels = _levels_in(inputs)
        for level, files in levels.items():
            of_level = _levels_in(targets)
            truths = of_level.get(level, of_level.get(None, {}))
            if alone := sorted(files.keys() ^ truths.keys()):
                raise UserError(
                    f"'{alone[0]}' of {inputs if level is None else inputs / f'level_{level:02d}'} "
                    f"and {targets} has no partner ({len(alone)} without): copy both again."
                )
            found += [
                Recording(
                    name=f"{what}_{stem}" + (f"_level_{level:02d}" if level else ""),
                    raw=file,
                    target=truths[stem],
                    source=f"{structure} {what} {stem}",
                    part=part,
                    level=level,
                )
                for stem, file in files.items()
            ]
    if not found:
        raise UserError(f"{folder} holds no .tif in training_wf, validate_wf or test_wf/level_01.")
    return found


def _called(name: str) -> str | None:
    return _FOLDERS.get(re.sub("[^a-z]", "", name.lower()))


def _part_of(cell: int) -> Split | None:
    """Return the part of a cell: what the literature validates with, trains on and tests on.

    To calibrate is what we use images for that choose the weights, and we call validation what
    serves for nothing but judgement.
    """
    if cell <= 5:
        return "calibration"
    if cell <= 35:
        return "train"
    return "validation" if cell <= 50 else None


def _of_cell(cell: Path) -> Iterator[tuple[int, Path, Path]]:
    nested = (cell / "RawSIMData").is_dir()
    raw = _level_files(cell / "RawSIMData" if nested else cell)
    if not raw:
        raise UserError(
            f"{cell} has no raw frames, RawSIMData_level_01.mrc or the like: copy the cell again "
            "or remove its folder."
        )
    targets = _level_files(cell / "GTSIM") if nested else _target_of_all(cell, raw)
    for level, file in sorted(raw.items()):
        if level not in targets:
            lacks = "GTSIM/GTSIM_level_{level:02d}.mrc" if nested else " or ".join(_TARGETS)
            raise UserError(
                f"{cell} has no SIM image, {lacks.format(level=level)}: copy the cell again or "
                "remove its folder."
            )
        yield level, file, targets[level]


def _level_files(folder: Path) -> dict[int, Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {int(m[1]): file for file in files if (m := _LEVEL_FILE.fullmatch(file.name))}


def _target_of_all(cell: Path, levels: Mapping[int, Path]) -> dict[int, Path]:
    there = [cell / name for name in _TARGETS if (cell / name).exists()]
    return dict.fromkeys(levels, there[0]) if there else {}


def _in_part(folder: Path, part: Split) -> tuple[Path, Path]:
    around, inputs, targets = _CUT[part]
    base = folder / around if (folder / around / inputs).is_dir() else folder
    return base / inputs, base / targets


def _levels_in(folder: Path) -> dict[int | None, dict[str, Path]]:
    """Return the files of each level by name; those of no level under None."""
    found: dict[int | None, dict[str, Path]] = {}
    for inner in sorted(folder.iterdir()):
        if (match := _LEVEL_FOLDER.fullmatch(inner.name)) and inner.is_dir():
            found[int(match[1])] = {file.stem: file for file in sorted(inner.glob("*.tif"))}
        elif inner.suffix == ".tif":
            found.setdefault(None, {})[inner.stem] = inner
    return found
