"""Files in, restored files out: an image, a stack, or a folder of them."""

import hashlib
import math
from collections import Counter
from dataclasses import field
from pathlib import Path

import xarray as xr
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from packages import images
from packages.cli import UserError, console, progress
from packages.datasets import open_dataset
from packages.files import read_toml, sha256, write_toml
from packages.package import Package, Weights, open_package
from packages.runner import Runner, grid

# What the results hold needs floating-point pixels, named channels and, for large ones, regions.
OUTPUT_SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".ome.zarr", ".zarr")
DEFAULT_SUFFIX = ".ome.tif"
# Remembers what a folder's results were made from, so that a second run skips them.
RECORD = "predict.toml"


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Record:
    """What the results of a folder were made from: by file name, a hash of image and package."""

    made_from: dict[str, str] = field(default_factory=dict[str, str])


def predict_file(
    package_path: Path,
    input_path: Path,
    output_path: Path,
    *,
    pixel_size: float | None = None,
    tile: int | None = None,
    weights: Weights | None = None,
    device: str | None = None,
    trust: bool = False,
) -> None:
    """Restore an image, a stack, or every image of a folder.

    Parameters
    ----------
    package_path
        A package: a zip, or a folder with rdf.yaml.
    input_path
        An image, or a folder of images; they are read region by region.
    output_path
        OME-TIFF or OME-Zarr by its suffix; for a folder a folder, where results made from the
        same image and package are kept.
    pixel_size
        Of the input in µm; what its file says when omitted. Where it differs from the package's
        by more than 2 % the image is resampled, where it is unknown the image is used as it is.
    tile
        Side of the windows in pixels, about.
    weights
        Which of the package's weights to run; the first that may run when omitted.
    device
        For example cpu or cuda:0; a GPU where there is one when omitted.
    trust
        Let Python code of the package run.

    Raises
    ------
    UserError
        Of whatever kind, before or while an image is restored; no part of its result is left.
    """
    if pixel_size is not None and not 0 < pixel_size < math.inf:
        raise UserError(f"A pixel size of {pixel_size} µm is impossible: give a positive number.")
    if tile is not None and tile < 1:
        raise UserError(f"A tile of {tile} pixels is impossible: give a positive number.")
    pairs = _pairs(input_path, output_path)
    with open_package(package_path, trust=trust) as package:
        job = _Job(Runner(package, weights=weights, device=device), pixel_size, tile)
        is_folder = output_path != pairs[0][1]
        if is_folder:
            skipped = _predict_folder(job, pairs, output_path, weights)
        else:
            skipped = 0
            job.restore(*pairs[0])
    for sentence, count in job.remarks.items():
        console.print(
            f"{count} image{'s' if count > 1 else ''}: {sentence}.", highlight=False, soft_wrap=True
        )
    if skipped:
        console.print(f"{skipped} already made from the same image and package: skipped.")
    made = len(pairs) - skipped
    what = f"{made} image{'s' if made != 1 else ''} restored with {package.name}"
    console.print(f"{what}: {output_path}", highlight=False, soft_wrap=True)


class _Job:
    """One package at work on one file after the other."""

    def __init__(self, runner: Runner, pixel_size: float | None, tile: int | None) -> None:
        self.package: Package = runner.package
        self.pixel_size = pixel_size
        self.remarks: Counter[str] = Counter()
        self._runner = runner
        self._tile = tile

    def restore(self, source: Path, target: Path) -> None:
        """Restore one file, with a progress bar."""
        image = images.read(source, lazy=True)
        if self.pixel_size is not None:
            given = {"y": self.pixel_size, "x": self.pixel_size}
            image = image.assign_attrs(pixel_size_um=image.attrs.get("pixel_size_um", {}) | given)
        try:
            layout = self._runner.layout(image, grid(image, self.package.pixel_size_um))
            with (
                progress() as bars,
                images.create(
                    target,
                    dims=layout.dims,
                    shape=layout.shape,
                    dtype="float32",
                    pixel_size_um=layout.pixel_size_um,
                    channels=layout.channels,
                ) as out,
            ):
                bar = bars.add_task(source.name, total=None)
                self._runner.restore(
                    image,
                    layout,
                    out,
                    tile=self._tile,
                    progress=lambda done, total: bars.update(bar, completed=done, total=total),
                )
        except UserError as error:
            sentence = str(error)
            if str(source) in sentence or str(target) in sentence:
                raise
            raise UserError(f"{source}: {sentence}") from error
        self._remark(image, layout.grid)

    def _remark(self, image: xr.DataArray, shape: tuple[int, int]) -> None:
        expected = self.package.pixel_size_um.get("x")
        own = image.attrs.get("pixel_size_um", {}).get("x")
        if expected is not None and own is None:
            self.remarks[
                f"pixel size unknown, taken for the package's {expected:g} µm "
                "(give --pixel-size if it is not)"
            ] += 1
        elif shape != (image.sizes["y"], image.sizes["x"]):
            self.remarks[f"resampled from {own:g} to {expected:g} µm per pixel"] += 1


def _predict_folder(
    job: _Job, pairs: list[tuple[Path, Path]], folder: Path, weights: str | None
) -> int:
    """Restore what is not there yet and return how many were."""
    record_path = folder / RECORD
    record = read_toml(record_path, Record) if record_path.exists() else Record()
    skipped = 0
    for source, target in pairs:
        facts = (job.package.sha256, sha256(source), job.pixel_size, weights)
        made_from = hashlib.sha256(repr(facts).encode()).hexdigest()
        if target.exists() and record.made_from.get(target.name) == made_from:
            skipped += 1
            continue
        job.restore(source, target)
        record.made_from[target.name] = made_from
        write_toml(record_path, {"made_from": record.made_from})
    return skipped


def _pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Return which file becomes which."""
    if not source.exists():
        raise UserError(f"{source} does not exist: give an image or a folder of images.")
    single = source.is_file() or images.suffix_of(source) is not None
    suffix = images.suffix_of(target)
    if single:
        if suffix is None or suffix.lower() not in OUTPUT_SUFFIXES:
            raise UserError(
                f"{target}: results are written as OME-TIFF or OME-Zarr: "
                f"end the name in {DEFAULT_SUFFIX} or .ome.zarr."
            )
        if target.resolve() == source.resolve():
            raise UserError(f"{target} is the input itself: choose another name for the output.")
        return [(source, target)]
    if suffix is not None or target.is_file():
        raise UserError(f"{source} is a folder of images: give a folder for the output.")
    found = [item.input for item in open_dataset(source).items]
    if target.resolve() in {source.resolve(), found[0].parent.resolve()}:
        raise UserError(f"{target} holds the input: choose another folder for the output.")
    return [(file, target / _result_name(file)) for file in found]


def _result_name(file: Path) -> str:
    suffix = images.suffix_of(file) or ""
    if suffix.lower() in OUTPUT_SUFFIXES:
        return file.name
    return file.name.removesuffix(suffix) + DEFAULT_SUFFIX
