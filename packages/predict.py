"""Files in, restored files out: an image, a stack, or a folder of them."""

import hashlib
import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic.dataclasses import dataclass as checked_dataclass

from imaging import images
from imaging.cli import (
    STATUS_FAILED_CHECK,
    UserError,
    complain,
    console,
    counted,
    progress,
    sentence,
)
from imaging.cluster import Cluster, open_cluster
from imaging.datasets import Dataset, Item, open_dataset
from imaging.files import STRICT, file_of, read_toml, sha256, write_toml
from imaging.formats.header import OmeZarrVersion
from imaging.image_folders import of_scene
from imaging.remarks import Remarks
from imaging.source_files import source_sha256
from packages.image_job import ImageJob, Options, Told
from packages.package import Weights, open_package
from packages.restoration import Report
from packages.runner import Runner, Scale
from packages.workers import ImageTask, OpenedBy, restore_image, restore_with

# What the results hold needs floating-point pixels, named channels and, for large ones, regions.
OUTPUT_SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".ome.zarr", ".zarr")
DEFAULT_SUFFIX = ".ome.tif"
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
    shard: int | None = None,
    ome_zarr: OmeZarrVersion = "0.5",
    workers: int | None = None,
    scheduler: str | None = None,
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
    for name, side in (("tile", tile), ("shard", shard)):
        if side is not None and side < 1:
            raise UserError(f"A {name} of {side} pixels is impossible: give a positive number.")
    if workers is not None or scheduler is not None:  # workers may stand in another folder
        package_path, input_path, output_path = (
            path.absolute() for path in (package_path, input_path, output_path)
        )
        trust_mask = None if trust_mask is None else trust_mask.absolute()
    dataset, pairs = _pairs(of_scene(input_path, scene), output_path)
    for _, target in pairs if shard is not None else ():
        if not str(images.suffix_of(target)).lower().endswith(".zarr"):
            raise UserError(f"{target}: only OME-Zarr has shards: leave --shard out.")
    masks = {} if trust_mask is None else _masks(trust_mask, output_path, pairs)
    options = Options(
        package=package_path,
        weights=weights,
        device=device,
        scale=scale,
        trust=trust,
        pixel_size=pixel_size,
        z_step=z_step,
        tile=tile,
        channel=channel,
        shard=shard,
        ome_zarr=ome_zarr,
    )
    work = _Work()
    with (
        open_cluster(workers, scheduler) as cluster,
        open_package(package_path, trust=trust) as package,
    ):
        runner = Runner(package, weights=weights, device=device, scale=scale)
        job = ImageJob(runner, options, masked=trust_mask is not None)
        if output_path != pairs[0][1]:
            _predict_folder(work, cluster, job, pairs, masks, output_path)
        else:
            ((item, target),) = pairs
            work.told[0] = _predict_one(cluster, job, item, target, masks.get(target))
    _say(work, dataset, package.name, len(pairs), output_path)
    return STATUS_FAILED_CHECK if work.failures else 0


@dataclass
class _Work:
    """What became of images, by their number."""

    told: dict[int, Told] = field(default_factory=dict[int, Told])
    failures: dict[int, str] = field(default_factory=dict[int, str])
    skipped: int = 0


def _say(work: _Work, dataset: Dataset, name: str, count: int, output: Path) -> None:
    remarks = Remarks()
    for _, told in sorted(work.told.items()):
        for what, found in told.remarks:
            remarks.add(what, found)
    remarks.update(dataset.remarks)
    remarks.say()
    if familiar := sum(told.familiar for told in work.told.values()):
        console.print(f"{counted(familiar, 'image')} like those that the model was trained on.")
    if work.skipped:
        console.print(f"{work.skipped} already made from the same image and package: skipped.")
    for _, failure in sorted(work.failures.items()):
        complain(failure)
    made = count - work.skipped - len(work.failures)
    what = f"{made} image{'s' if made != 1 else ''} restored with {name}"
    failed = f", {len(work.failures)} failed" if work.failures else ""
    console.print(f"{what}{failed}: {output}", highlight=False, soft_wrap=True)


def _predict_one(
    cluster: Cluster | None, job: ImageJob, item: Item, target: Path, mask: Path | None
) -> Told:
    """Restore one file, with progress bars."""
    with progress() as bars:

        def report(channel: str) -> Report:
            bar = bars.add_task(f"Restoring {item.input.name} {channel}".strip(), total=None)
            return lambda done, total: bars.update(bar, completed=done, total=total)

        if cluster is None:
            return job.restore(item, target, mask, report)
        return restore_with(cluster, job, item, target, mask, report)


def _predict_folder(
    work: _Work,
    cluster: Cluster | None,
    job: ImageJob,
    pairs: Sequence[tuple[Item, Path]],
    masks: Mapping[Path, Path],
    folder: Path,
) -> None:
    """Restore what is not there yet, and note what became of it."""
    record_path = folder / RECORD
    record = read_toml(record_path, RestoredFiles) if record_path.exists() else RestoredFiles()
    by = OpenedBy(job.options, job.package.sha256, masked=bool(masks))
    tasks: dict[int, ImageTask] = {}
    made_from: dict[int, str] = {}
    code = source_sha256("packages.image_job")
    options = job.options
    asked = (options.weights, options.scale, options.channel, options.shard, options.ome_zarr)
    for number, (item, target) in enumerate(pairs):
        with _noting(work, number, item):
            stated = (options.given_um, item.pixel_size_um)
            facts = (job.package.sha256, sha256(item.input), stated, asked, code)
            made_from[number] = hashlib.sha256(repr(facts).encode()).hexdigest()
            is_there = target.exists() and masks.get(target, target).exists()
            if is_there and record.made_from.get(target.name) == made_from[number]:
                work.skipped += 1
                continue
            mask = masks.get(target)
            tasks[number] = ImageTask(by, item, target, mask)

    def keep(number: int, told: Told) -> None:
        work.told[number] = told
        record.made_from[tasks[number].target.name] = made_from[number]
        write_toml(record_path, {"made_from": record.made_from})

    if cluster is None:
        for number, task in tasks.items():
            with _noting(work, number, task.item):
                keep(number, _predict_one(None, job, task.item, task.target, task.mask))
        return
    number_of = {task.target: number for number, task in tasks.items()}
    with progress() as bars:
        bar = bars.add_task("Restoring", total=len(tasks))
        for task, told, error in cluster.each(restore_image, tasks.values()):
            number = number_of[task.target]
            with _noting(work, number, task.item):
                if error is not None:
                    raise error
                if told is not None:
                    keep(number, told)
            bars.advance(bar)


@contextmanager
def _noting(work: _Work, number: int, item: Item) -> Generator[None]:
    """Note why an image fails, which stops no other, unless no other would fare better."""
    try:
        yield
    except UserError as error:
        work.failures[number] = str(error)
    except OSError as error:
        if error.filename != str(item.input):
            raise
        work.failures[number] = sentence(error)


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
