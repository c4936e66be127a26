"""Files in, restored files out: an image, a stack, or a folder of them."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path

import xarray as xr
from pydantic.dataclasses import dataclass as checked_dataclass
from rich.progress import Progress, TaskID

from imaging import images
from imaging.channels import Chosen, choose
from imaging.cli import (
    STATUS_FAILED_CHECK,
    UserError,
    complain,
    console,
    counted,
    progress,
    sentence,
)
from imaging.datasets import Dataset, Item, open_dataset
from imaging.files import STRICT, file_of, read_toml, sha256, write_toml
from imaging.image_folders import of_scene
from imaging.inspection import inspect
from imaging.remarks import Remark, Remarks
from imaging.source_files import source_sha256
from packages.channel_choice import Place, together
from packages.familiarity import familiarity
from packages.package import Package, Weights, open_package
from packages.processing import IntensityScale
from packages.resampling import grid
from packages.runner import Runner, Scale
from packages.trust_mask import read_trust_mask, write_mask

# What the results hold needs floating-point pixels, named channels and, for large ones, regions.
OUTPUT_SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".ome.zarr", ".zarr")
DEFAULT_SUFFIX = ".ome.tif"
# Steps between planes that differ by less are the same: stages are no better.
_SAME_STEP = 0.1
_OTHER_STEP = (
    "the planes are another step apart than those the package was trained with; along z nothing is "
    "resampled (interpolate the stack to that step if it matters)."
)
# Remembers what a folder's results were made from, so that a second run skips them.
RECORD = "predict.toml"


@checked_dataclass(frozen=True, config=STRICT)
class RestoredFiles:
    """What the results of a folder were made from: by file name, a hash of image and package."""

    made_from: dict[str, str] = field(default_factory=dict[str, str])


def predict_file(
    package_path: Path,
    input_path: Path,
    output_path: Path,
    *,
    pixel_size: float | None = None,
    z_step: float | None = None,
    tile: int | None = None,
    weights: Weights | None = None,
    device: str | None = None,
    scale: Scale = "stack",
    channel: str | None = None,
    scene: str | None = None,
    trust: bool = False,
    trust_mask: Path | None = None,
) -> int:
    """Restore an image, a stack, or every image of a folder.

    Parameters are those of `python -m packages predict`, described in its help.

    Returns
    -------
    int
        0, or 1 when some images of a folder could not be restored, which stops no other image.

    Raises
    ------
    UserError
        Of whatever kind, before anything is restored or while a single image is; no part of its
        result is left.
    """
    for what, size in (("A pixel size", pixel_size), ("A distance of planes", z_step)):
        if size is not None and not 0 < size < math.inf:
            raise UserError(f"{what} of {size} µm is impossible: give a positive number.")
    if tile is not None and tile < 1:
        raise UserError(f"A tile of {tile} pixels is impossible: give a positive number.")
    dataset, pairs = _pairs(of_scene(input_path, scene), output_path)
    masks = None if trust_mask is None else _masks(trust_mask, output_path, pairs)
    skipped, failures = 0, list[str]()
    with open_package(package_path, trust=trust) as package:
        runner = Runner(package, weights=weights, device=device, scale=scale)
        job = _Job(runner, _given(pixel_size, z_step), tile, channel, masks)
        if output_path != pairs[0][1]:
            skipped, failures = _predict_folder(job, pairs, output_path, (weights, scale, channel))
        else:
            job.restore(*pairs[0])
    job.remarks.update(dataset.remarks)
    job.remarks.say()
    if job.familiar:
        console.print(f"{counted(job.familiar, 'image')} like those that the model was trained on.")
    if skipped:
        console.print(f"{skipped} already made from the same image and package: skipped.")
    for failure in failures:
        complain(failure)
    made = len(pairs) - skipped - len(failures)
    what = f"{made} image{'s' if made != 1 else ''} restored with {package.name}"
    failed = f", {len(failures)} failed" if failures else ""
    console.print(f"{what}{failed}: {output_path}", highlight=False, soft_wrap=True)
    return STATUS_FAILED_CHECK if failures else 0


def _given(pixel_size: float | None, z_step: float | None) -> dict[str, float]:
    """Return what the user states of the pixels, by axis, µm."""
    stated = {"z": z_step, "y": pixel_size, "x": pixel_size}
    return {axis: size for axis, size in stated.items() if size is not None}


class _Job:
    """One package at work on one file after the other."""

    def __init__(
        self,
        runner: Runner,
        given_um: dict[str, float],
        tile: int | None,
        channel: str | None,
        masks: dict[Path, Path] | None,
    ) -> None:
        self.package: Package = runner.package
        self.given_um = given_um
        self.remarks = Remarks()
        self.familiar = 0
        self._known = runner.package.known_images
        self._runner = runner
        self._tile = tile
        self._channel = channel
        self._masks = masks or {}
        self._promised = None if masks is None else read_trust_mask(runner.package)

    def is_made(self, target: Path) -> bool:
        """Tell whether the result of a file is there, and its mask where one is wanted."""
        return target.exists() and self._masks.get(target, target).exists()

    def restore(self, item: Item, target: Path) -> None:
        """Restore one file, with a progress bar."""
        source = item.input
        image = item.read_input(lazy=True)
        if self.given_um:
            sizes = image.attrs["pixel_size_um"] | self.given_um
            image = image.assign_attrs(pixel_size_um=sizes)
        try:
            insisted = "x" in self.given_um
            shape = grid(image, self.package.pixel_size_um, insisted=insisted)
            chosen = choose(image, self._channel)
            restorations = [self._runner.prepare(one.image, shape) for one in chosen]
            self._compare(source.name, chosen, shape)
            layout = together([one.layout for one in restorations], [one.name for one in chosen])
            with (
                progress() as bars,
                images.create(
                    target,
                    dims=layout.dims,
                    shape=layout.shape,
                    dtype="float32",
                    pixel_size_um=layout.pixel_size_um,
                    channels=layout.channels,
                    interval_s=image.attrs.get("interval_s"),
                    annotations=_annotations(
                        {
                            one.name: restoration.intensity_scales
                            for one, restoration in zip(chosen, restorations, strict=True)
                        }
                    )
                    | _scenes(image),
                ) as out,
            ):
                for i, (one, restoration) in enumerate(zip(chosen, restorations, strict=True)):
                    bar = bars.add_task(f"Restoring {source.name} {one.name}".strip(), total=None)
                    restoration.write(
                        Place(out, restoration.layout, i),
                        tile=self._tile,
                        progress=partial(_advance, bars, bar),
                    )
        except UserError as error:
            message = str(error)
            if str(source) in message or str(target) in message:
                raise
            raise UserError(f"{source}: {message}") from error
        if self._promised is not None:
            count = len(self.package.channels)
            firsts = {one.name: i * count for i, one in enumerate(chosen)}
            write_mask(target, self._masks[target], self._promised, firsts)
        self.remarks.add(source.name, [*inspect(image), *self._on_pixel_size(image, layout.grid)])

    def _compare(self, name: str, chosen: list[Chosen], shape: tuple[int, int]) -> None:
        """Compare an image with those that the model was trained on, channel by channel."""
        if self._known is None:
            return
        for one in chosen:
            found = familiarity(self._known, one.image, shape)
            self.remarks.add(f"{name} {one.name}".strip(), found.remarks)
            self.familiar += found.is_known is True

    def _on_pixel_size(self, image: xr.DataArray, shape: tuple[int, int]) -> list[Remark]:
        expected = self.package.pixel_size_um
        own: dict[str, float] = image.attrs["pixel_size_um"]
        found: list[Remark] = []
        if any(d in expected and d not in own for d in "yx"):
            found.append(
                Remark(
                    f"pixel size unknown, taken for the package's {_written(expected)} µm "
                    "(give --pixel-size if it is not)."
                )
            )
        elif shape != (image.sizes["y"], image.sizes["x"]):
            to = f"{_written(own)} to {_written(expected)}"
            found.append(Remark(f"resampled from {to} µm per pixel."))
        if "z" in expected.keys() & own.keys() and abs(own["z"] / expected["z"] - 1) > _SAME_STEP:
            found.append(Remark(_OTHER_STEP, f"{own['z']:g} µm, not {expected['z']:g} µm"))
        return found


def _scenes(image: xr.DataArray) -> dict[str, str]:
    """Name the images of the input's file that the result is of, where it held several."""
    names: tuple[str, ...] = image.attrs.get("scenes", ())
    return {"scenes": "; ".join(names)} if names else {}


def _advance(bars: Progress, bar: TaskID, done: int, total: int) -> None:
    bars.update(bar, completed=done, total=total)


def _annotations(scales_of: Mapping[str, Sequence[IntensityScale]]) -> dict[str, str]:
    """Write how intensities of the input come back from those of the result, channel by channel."""
    found: dict[str, str] = {}
    for channel, scales in scales_of.items():
        of = f" of {channel}" if channel else ""
        for name in ("offset", "factor") if scales else ():
            numbers = (f"{getattr(scale, name):.9g}" for scale in scales)
            found[f"intensity_{name}{of}"] = " ".join(numbers)
    if not found:
        return {}
    several = any(len(scales) > 1 for scales in scales_of.values())
    said = (
        "on the input's scale: intensity_offset + intensity_factor * result, standard deviations "
        "times the factor alone"
    )
    order = "; one number for each plane or volume, in the order of t and z"
    return {"intensities": said + order * several} | found


def _written(pixel_size_um: dict[str, float]) -> str:
    """Write one length for square pixels, and both for oblong ones."""
    lengths = [f"{pixel_size_um[d]:g}" for d in "yx" if d in pixel_size_um]
    return lengths[0] if len(set(lengths)) == 1 else " x ".join(lengths) + " (y x x)"


def _predict_folder(
    job: _Job, pairs: list[tuple[Item, Path]], folder: Path, asked: tuple[str | None, ...]
) -> tuple[int, list[str]]:
    """Restore what is not there yet; return how many were, and why some could not be restored."""
    record_path = folder / RECORD
    record = read_toml(record_path, RestoredFiles) if record_path.exists() else RestoredFiles()
    skipped = 0
    failures: list[str] = []
    code = source_sha256("packages.runner")
    for item, target in pairs:
        try:
            stated = (job.given_um, item.pixel_size_um)
            facts = (job.package.sha256, sha256(item.input), stated, asked, code)
            made_from = hashlib.sha256(repr(facts).encode()).hexdigest()
            if job.is_made(target) and record.made_from.get(target.name) == made_from:
                skipped += 1
                continue
            job.restore(item, target)
        except UserError as error:
            failures.append(str(error))
            continue
        except OSError as error:
            if error.filename != str(item.input):
                raise  # no other image would fare better
            failures.append(sentence(error))
            continue
        record.made_from[target.name] = made_from
        write_toml(record_path, {"made_from": record.made_from})
    return skipped, failures


def _pairs(source: Path, target: Path) -> tuple[Dataset, list[tuple[Item, Path]]]:
    """Return what is to be restored, and which image becomes which file."""
    file = file_of(source)
    if not file.exists():
        raise images.absent(source)
    single = file.is_file() or images.suffix_of(source) is not None
    suffix = images.suffix_of(target)
    if single:
        if suffix is None or suffix.lower() not in OUTPUT_SUFFIXES:
            raise UserError(
                f"{target}: results are written as OME-TIFF or OME-Zarr: "
                f"end the name in {DEFAULT_SUFFIX} or .ome.zarr."
            )
        if target.resolve() == file.resolve():
            raise UserError(f"{target} is the input itself: choose another name for the output.")
        dataset = open_dataset(source)
        return dataset, [(item, target) for item in dataset.items]
    if suffix is not None or target.is_file():
        raise UserError(f"{source} is a folder of images: give a folder for the output.")
    dataset = open_dataset(source)
    if target.resolve() in {source.resolve(), dataset.items[0].input.parent.resolve()}:
        raise UserError(f"{target} holds the input: choose another folder for the output.")
    return dataset, [(item, target / _result_name(item.input)) for item in dataset.items]


def _masks(asked: Path, output: Path, pairs: Sequence[tuple[Item, Path]]) -> dict[Path, Path]:
    """Return which mask belongs to which result: a file to a file, a folder to a folder."""
    suffix = images.suffix_of(asked)
    if output == pairs[0][1]:
        if suffix is None or suffix.lower() not in OUTPUT_SUFFIXES:
            raise UserError(
                f"{asked}: masks are written as OME-TIFF or OME-Zarr: end the name in "
                f"{DEFAULT_SUFFIX} or .ome.zarr."
            )
    elif suffix is not None or asked.is_file():
        raise UserError(f"{output} is a folder of results: give a folder for the masks.")
    if asked.resolve() in {path.resolve() for path in (output, *(p[0].input for p in pairs))}:
        raise UserError(f"{asked} is input or output itself: choose another name for the mask.")
    return {target: asked if output == target else asked / target.name for _, target in pairs}


def _result_name(file: Path) -> str:
    suffix = images.suffix_of(file) or ""
    if suffix.lower() in OUTPUT_SUFFIXES:
        return file.name
    return file.name.removesuffix(suffix) + DEFAULT_SUFFIX
