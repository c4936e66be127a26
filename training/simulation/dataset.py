"""A dataset of simulated pairs: planned from the seed, written image by image, resumable."""

import math
import shutil
from collections.abc import Collection
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
import xarray as xr

from packages import __version__, resample
from packages.cli import UserError, console, progress
from packages.datasets import Facts, ImageFacts, Split, open_dataset
from packages.files import read_toml, sha256, write_toml
from packages.images import write
from training.simulation.microscope import Microscope, MicroscopeRanges, record
from training.simulation.optics import blur_fwhm_um, reach_px
from training.simulation.targets import (
    Array,
    Expanded,
    Generated,
    Target,
    Targets,
    find_files,
    random_generator,
)

DEFAULT_IMAGES = 60
SMALLEST_SIZE_PX = 32

# The split of each ten sources in turn: 7, 1 and 2, and all three parts from three sources on.
_SPLITS: tuple[Split, ...] = (
    "train", "validation", "calibration", "train", "train",
    "train", "validation", "train", "train", "train",
)  # fmt: skip
_FOLDERS = ("target", "native", "input")


def simulate(
    out: Path,
    *,
    expanded: Path | None = None,
    images: int | None = None,
    size: int = 256,
    seed: int = 0,
    pixel_size: float | None = None,
    expansion: float = 1.0,
) -> Path:
    """Make a dataset of inputs as a two-photon microscope records them, with their truth.

    Without --expanded the truth is generated: membrane-labelled tumour cells and microtubes. The
    dataset is split by source image into train, calibration and validation, about 70, 10 and 20 %.
    The same arguments give the same bytes; an interrupted run goes on where it stopped.

    Parameters
    ----------
    out
        Folder to make: input/, target/, native/ (the microscope's own, four times coarser pixels)
        and dataset.toml, which records every parameter drawn.
    expanded
        Folder of at least three images of expanded specimens, to be used as truth. Each is cut in
        squares; planes of a stack are images of one source.
    images
        How many images to make; default 60 generated, or all squares of the expanded images that
        are not nearly empty. A limit takes evenly from all files.
    size
        Side of an image in pixels, a multiple of 4; 0 takes expanded images whole.
    seed
        Number from which all randomness follows.
    pixel_size
        Side of a pixel of the truth in micrometres before expansion; default what the files state,
        or 0.08.
    expansion
        Factor to divide the pixel sizes stated in the files by; 1 if they are stated as before
        expansion.

    Returns
    -------
    Path
        The dataset.

    Raises
    ------
    UserError
        The arguments or a file cannot be used, or `out` holds something else.
    """
    ranges = MicroscopeRanges()
    _refuse_arguments(expanded, images, size, seed, pixel_size, expansion, ranges.sampling)
    files = find_files(expanded) if expanded else {}
    if expanded and len(files) < 3:
        raise UserError(
            f"{expanded} holds {len(files)} image(s), but train, calibration and validation need "
            "one each: give at least 3, for instance by cutting a large image into files."
        )
    arguments: dict[str, str | int | float] = {
        "command": _command(expanded, images, size, seed, pixel_size, expansion),
        "seed": seed,
        **{f"sha256 of {path.name}": sha256(path) for path in files.values()},
    }
    if _is_there(out, arguments):
        console.print(f"{out} is already there, made by the same arguments.")
        return out

    targets: Targets
    if expanded:
        targets = Expanded(files, images, size, ranges.sampling, pixel_size, expansion, seed)
    else:
        targets = Generated(images or DEFAULT_IMAGES, size, pixel_size, seed)
    _refuse_targets(targets, images, ranges, expanded)
    _make(out, targets, ranges, seed, arguments)
    console.print(f"{_summary(targets)} in {out}", soft_wrap=True)
    return out


def split_of(sources: list[str]) -> dict[str, Split]:
    """Assign sources to parts, so that later sources do not move earlier ones.

    Parameters
    ----------
    sources
        Names, in the order in which they first appear; repeats are ignored.

    Returns
    -------
    dict
        The part of each source: 70 % train, 10 % calibration, 20 % validation of every ten.
    """
    return {name: _SPLITS[i % len(_SPLITS)] for i, name in enumerate(dict.fromkeys(sources))}


def _refuse_arguments(
    expanded: Path | None,
    count: int | None,
    size: int,
    seed: int,
    pixel_size: float | None,
    expansion: float,
    sampling: int,
) -> None:
    if size % sampling or 0 < size < SMALLEST_SIZE_PX or size < 0:
        raise UserError(
            f"--size {size} cannot be used: give a multiple of {sampling}, at least "
            f"{SMALLEST_SIZE_PX}, or 0 for whole expanded images."
        )
    if size == 0 and expanded is None:
        raise UserError("--size 0 means whole images, which needs --expanded: give a size.")
    if count is not None and count < 3:
        raise UserError(
            f"--images {count} is too few: train, calibration and validation need one each, "
            "give at least 3."
        )
    if seed < 0:
        raise UserError(f"--seed {seed} is negative: give a whole number from 0.")
    if pixel_size is not None and not 0 < pixel_size < math.inf:
        raise UserError(f"--pixel-size {pixel_size} is no length: give micrometres above 0.")
    if not 0 < expansion < math.inf:
        raise UserError(f"--expansion {expansion} is no factor: give a number above 0.")
    if expansion != 1 and (expanded is None or pixel_size is not None):
        raise UserError(
            "--expansion divides the pixel sizes stated in expanded files: give it with "
            "--expanded and without --pixel-size, which is the size before expansion."
        )


def _refuse_targets(
    targets: Targets, count: int | None, ranges: MicroscopeRanges, expanded: Path | None
) -> None:
    coarsest_um = ranges.psf_fwhm_um[0] / 2
    if targets.pixel_size_um > coarsest_um:
        raise UserError(
            f"Pixels of {targets.pixel_size_um:g} µm are too coarse for a PSF of "
            f"{ranges.psf_fwhm_um[0]:g} µm (at most {coarsest_um:g} µm): if the files state sizes "
            "after expansion give --expansion 4, if they state wrong ones --pixel-size."
        )
    if len(set(targets.sources)) < 3:
        raise UserError(
            f"Only {len(set(targets.sources))} image(s) of {expanded} show enough structure, but "
            "train, calibration and validation need one each: give more images or a larger --size."
        )
    if count is not None and len(targets.sources) < count:
        console.print(
            f"There are {len(targets.sources)} squares only, fewer than --images {count}."
        )


def _command(
    expanded: Path | None,
    count: int | None,
    size: int,
    seed: int,
    pixel_size: float | None,
    expansion: float,
) -> str:
    """Return the command without the place of its files: what is said where they lie is theirs."""
    count = DEFAULT_IMAGES if count is None and expanded is None else count
    flags = {
        "expanded": expanded.resolve().name if expanded else None,
        "images": count,
        "size": size,
        "seed": seed,
        "pixel-size": pixel_size,
        "expansion": expansion if expansion != 1 else None,
    }
    given = [f"--{name} {value}" for name, value in flags.items() if value is not None]
    return " ".join(["python -m training simulate", *given])


def _versions() -> dict[str, str]:
    """Return the versions that may change a bit of the result."""
    libraries = {name: version(name) for name in ("numpy", "scipy", "torch")}
    return {"project": __version__, **libraries}


def _is_there(out: Path, arguments: dict[str, str | int | float]) -> bool:
    """Tell whether the dataset is made already; refuse a place taken by anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / "dataset.toml").exists():
        raise UserError(f"{out} exists and is no dataset: give another folder.")
    provenance = open_dataset(out).facts.provenance
    if arguments.items() <= provenance.items():
        return True
    raise UserError(
        f"{out} holds a dataset of other arguments or files "
        f"({provenance.get('command', 'unknown')}): remove it or give another folder."
    )


def _make(
    out: Path,
    targets: Targets,
    ranges: MicroscopeRanges,
    seed: int,
    arguments: dict[str, str | int | float],
) -> None:
    """Write the images into a folder beside, then its facts, then give it its name.

    Until then nothing can be taken for a dataset.
    """
    partial = out.resolve().with_name(f"{out.name}.partial")
    provenance = {**arguments, **_versions()}
    _begin(partial, provenance)
    names = [f"{index:04d}" for index in range(len(targets.sources))]
    microscopes = [ranges.draw(random_generator(seed, i, 1)) for i in range(len(names))]

    missing = {i for i, name in enumerate(names) if not _is_written(partial, name)}
    if 0 < len(missing) < len(names):
        console.print(f"Going on: {len(names) - len(missing)} of {len(names)} images are made.")
    try:
        _write_images(partial, targets, names, microscopes, missing, ranges, seed)
    except Exception:  # an interrupt can be gone on from, an error leaves nothing
        shutil.rmtree(partial, ignore_errors=True)
        raise

    splits = split_of(targets.sources)
    facts = Facts(
        pixel_size_um=targets.pixel_size_um,
        native_pixel_size_um=targets.pixel_size_um * ranges.sampling,
        interpolation="linear",
        registration="exact",
        provenance={
            **provenance,
            **{f"origin of {n}": o for n, o in zip(names, targets.origins, strict=True) if o},
        },
        images={
            name: ImageFacts(source, splits[source], asdict(microscope))
            for name, source, microscope in zip(names, targets.sources, microscopes, strict=True)
        },
    )
    stated = {entry: value for entry, value in asdict(facts).items() if value is not None}
    write_toml(partial / "dataset.toml", stated)
    (partial / _BEGUN).unlink()
    if out.exists():
        out.rmdir()  # empty, or it would have been refused
    partial.rename(out)


_BEGUN = "begun.toml"


def _begin(partial: Path, provenance: dict[str, str | int | float]) -> None:
    """Note what is being made, or check that it is what was begun."""
    begun = partial / _BEGUN
    if not begun.exists():
        if partial.exists() and any(partial.iterdir()):
            raise UserError(f"{partial} is in the way: remove it.")
        write_toml(begun, dict(provenance))
    elif read_toml(begun, dict[str, str | int | float]) != provenance:
        raise UserError(
            f"{partial} was begun with other arguments, files or versions: remove it, or go on "
            "with those."
        )


def _is_written(folder: Path, name: str) -> bool:
    return all((folder / part / f"{name}.tif").exists() for part in _FOLDERS)


def _write_images(
    folder: Path,
    targets: Targets,
    names: list[str],
    microscopes: list[Microscope],
    wanted: Collection[int],
    ranges: MicroscopeRanges,
    seed: int,
) -> None:
    margin_px = _margin_px(ranges, targets.pixel_size_um)
    made = targets.make(wanted, margin_px)
    with progress() as bars:
        for index, target in bars.track(made, len(wanted), description="Simulating"):
            # torch has a generator of its own: its seed comes from the image's stream
            torch_seed = int(random_generator(seed, index, 2).integers(2**63))
            generator = torch.Generator().manual_seed(torch_seed)
            native = _native(
                target, microscopes[index], targets.pixel_size_um, margin_px, generator
            )
            native_pixel_size_um = targets.pixel_size_um * ranges.sampling
            rows, columns = target.image.shape
            input = resample.linear(native, (rows, columns))
            _write(folder / "target" / f"{names[index]}.tif", target.image, targets.pixel_size_um)
            _write(folder / "native" / f"{names[index]}.tif", native, native_pixel_size_um)
            _write(folder / "input" / f"{names[index]}.tif", input, targets.pixel_size_um)


def _margin_px(ranges: MicroscopeRanges, pixel_size_um: float) -> int:
    """Return the surroundings that the widest PSF looks at, in whole native pixels."""
    widest_um = blur_fwhm_um(ranges.psf_fwhm_um[1], ranges.target_fwhm_um)
    return math.ceil(reach_px(widest_um / pixel_size_um) / ranges.sampling) * ranges.sampling


def _native(
    target: Target,
    microscope: Microscope,
    pixel_size_um: float,
    margin_px: int,
    generator: torch.Generator,
) -> Array:
    """Record a target with its surroundings and cut these off: (y, x) / sampling, uint16."""
    # float64, so that the order in which a processor adds up cannot tip a Poisson draw
    brightness = torch.from_numpy(target.brightness)
    counts = record(brightness, pixel_size_um, microscope, generator).numpy()
    cut = margin_px // microscope.sampling
    return counts[cut : counts.shape[0] - cut, cut : counts.shape[1] - cut]


def _write(path: Path, pixels: Array, pixel_size_um: float) -> None:
    attributes = {"pixel_size_um": {"y": pixel_size_um, "x": pixel_size_um}}
    write(path, xr.DataArray(pixels, dims=("y", "x"), attrs=attributes))


def _summary(targets: Targets) -> str:
    splits = split_of(targets.sources)
    parts = [splits[source] for source in targets.sources]
    counts = ", ".join(f"{parts.count(part)} {part}" for part in dict.fromkeys(_SPLITS))
    return f"{len(parts)} pairs of {targets.pixel_size_um:.4g} µm pixels ({counts}) are"
