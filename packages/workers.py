"""Images restored by the workers of a cluster: what they are asked, and what they do.

Of one image each task is a region, which is a file of the result where that is OME-Zarr; of a
folder it is an image. What is measured of the whole image is sent along, so that it matters neither
who restores a region nor when. Files are written whole or not at all into a folder beside the
result, and what is there is not restored again; the folder becomes the result when none is missing.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imaging import images
from imaging.cli import UserError
from imaging.cluster import ONE_AT_A_TIME, Cluster, fingerprint, worker_device
from imaging.datasets import Item
from imaging.files import read_stamp, write_json
from imaging.formats import ome_zarr_writing as store
from packages.channel_choice import Place
from packages.image_job import ImageJob, Opened, Options, Told, naming
from packages.package import open_package
from packages.restoration import Index, Known, Region, Report
from packages.runner import Runner

T = TypeVar("T")


@dataclass(frozen=True)
class OpenedBy:
    """What a worker needs to open a package as the caller has it.

    Attributes
    ----------
    options
        Of the command.
    sha256
        Of the package.
    masked
        Whether trust masks are drawn.
    """

    options: Options
    sha256: str
    masked: bool = False


@dataclass(frozen=True)
class RegionTask:
    """A region to be restored.

    Attributes
    ----------
    by
        Which package, and how.
    item, known
        The image, and what was measured of its channels.
    image
        A hash of both.
    channel
        Number of the channel.
    region
        Of the channel's result.
    index
        Where that lies in the result of all channels.
    target
        The OME-Zarr to write to; None where the caller writes.
    """

    by: OpenedBy
    item: Item
    known: tuple[Known, ...]
    image: str
    channel: int
    region: Region
    index: Index
    target: Path | None


@dataclass(frozen=True)
class ImageTask:
    """An image to be restored: by which package, which one, into which files."""

    by: OpenedBy
    item: Item
    target: Path
    mask: Path | None


@dataclass(frozen=True)
class LevelTask:
    """A file of a coarser level of an OME-Zarr, to be made from the finer one."""

    target: Path
    level: int
    part: store.Region


def restore_region(task: RegionTask) -> NDArray[np.float32] | None:
    """Restore a region, in a worker.

    Returns
    -------
    ndarray or None
        None where it is in its files, now or since before.
    """
    with ONE_AT_A_TIME:
        restoration = _held.image(task).restorations[task.channel]
        if task.target is None:
            return restoration.restore(task.region)
        place = _slices(task.index)
        if not store.is_written(task.target, 0, place):
            block = restoration.restore(task.region)
            store.write_region(task.target, place, block.reshape([p.stop - p.start for p in place]))
        return None


def restore_image(task: ImageTask) -> Told:
    """Restore an image into its file, in a worker."""
    with ONE_AT_A_TIME:
        return _held.job(task.by).restore(task.item, task.target, task.mask)


def coarsen_part(task: LevelTask) -> None:
    """Make a file of a coarser level, in a worker."""
    if not store.is_written(task.target, task.level, task.part):
        store.coarsen(task.target, task.level, task.part)


def restore_with(
    cluster: Cluster,
    job: ImageJob,
    item: Item,
    target: Path,
    mask: Path | None,
    report: Callable[[str], Report],
) -> Told:
    """Restore one image with workers; parameters, result and errors are those of `ImageJob`.

    As OME-Zarr it goes on from what an earlier command, which was killed, left.
    """
    with naming(item.input, target):
        opened = job.open(item)
        by = OpenedBy(job.options, job.package.sha256)
        is_zarr = str(images.suffix_of(target)).lower().endswith(".zarr")
        if is_zarr and not any(one.awaits_result for one in opened.restorations):
            try:
                _write_together(cluster, by, item, opened, target, report)
            except OSError as error:
                error.filename = str(target)  # the user knows the file by its final name
                raise
        else:
            with images.create(target, **opened.result(job.options)) as out:
                for i, restoration in enumerate(opened.restorations):
                    tasks = list(_tasks(by, item, opened, i, None))
                    arriving = cluster.all(restore_region, tasks)
                    parts = ((task.region, block) for task, block in arriving if block is not None)
                    told = _reporting(parts, len(tasks), report(opened.chosen[i].name))
                    restoration.collect(Place(out, restoration.layout, i), told)
    return job.tell(item, opened, target, mask)


def _write_together(
    cluster: Cluster,
    by: OpenedBy,
    item: Item,
    opened: Opened,
    target: Path,
    report: Callable[[str], Report],
) -> None:
    """Let workers write a result as OME-Zarr, beside its place until it is complete."""
    header = images.header_of(target, **opened.result(by.options))
    begun = target.with_name(f".begun.{target.name}").absolute()
    says = begun.with_name(f"{begun.name}.json")  # what it is made from
    facts = (by, header, fingerprint(), _hash_of(item, opened.known))
    stamp = {"made_from": hashlib.sha256(repr(facts).encode()).hexdigest()}
    if read_stamp(says) != stamp or not begun.is_dir():
        says.unlink(missing_ok=True)
        shutil.rmtree(begun, ignore_errors=True)
        begun.parent.mkdir(parents=True, exist_ok=True)
        store.begin(begun, header)
        write_json(says, stamp)
    for i, one in enumerate(opened.chosen):
        tasks = list(_tasks(by, item, opened, i, begun))
        left = [task for task in tasks if not store.is_written(begun, 0, _slices(task.index))]
        _do(cluster, restore_region, left, len(tasks), report(one.name))
    for level in range(1, store.levels(begun)):
        parts = [LevelTask(begun, level, part) for part in store.files(begun, level)]
        _do(cluster, coarsen_part, parts, len(parts), report(f"level {level}"))
    store.finish(begun)
    if target.is_dir():
        shutil.rmtree(target)
    begun.rename(target)
    says.unlink()


def _tasks(
    by: OpenedBy, item: Item, opened: Opened, channel: int, target: Path | None
) -> Iterator[RegionTask]:
    restoration = opened.restorations[channel]
    count = len(restoration.layout.channels)
    axis = restoration.layout.dims.index("c")
    image = _hash_of(item, opened.known)
    for region in restoration.regions(by.options.tile, by.options.shard):
        index = list(restoration.index(region))
        index[axis] = slice(channel * count, (channel + 1) * count)
        known = opened.known
        yield RegionTask(by, item, known, image, channel, region, tuple(index), target)


def _hash_of(item: Item, known: Sequence[Known]) -> str:
    """Return a hash of an image by what was measured of it."""
    facts = [(one.levels, [measured.facts for measured in one.measured]) for one in known]
    return hashlib.sha256(repr((item, facts)).encode()).hexdigest()


def _do(
    cluster: Cluster, function: Callable[[T], object], left: Sequence[T], total: int, report: Report
) -> None:
    done = total - len(left)
    for _ in cluster.all(function, left):
        done += 1
        report(done, total)


def _reporting(parts: Iterable[T], total: int, report: Report) -> Iterator[T]:
    for done, part in enumerate(parts, start=1):
        yield part
        report(done, total)


def _slices(index: Index) -> store.Region:
    """Return the same part of an array as slices alone."""
    return tuple(at if isinstance(at, slice) else slice(at, at + 1) for at in index)


class _Held:
    """What a worker keeps from one task to the next: a package, and an image of it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._job: tuple[OpenedBy, ImageJob] | None = None
        self._image: tuple[str, Opened] | None = None

    def job(self, by: OpenedBy) -> ImageJob:
        """Return the package at work, loaded once."""
        if self._job is None or self._job[0] != by:
            self._stack.close()
            self._job = self._image = None
            options = by.options
            package = self._stack.enter_context(open_package(options.package, trust=options.trust))
            if package.sha256 != by.sha256:
                raise UserError(
                    f"{options.package} is another file for a worker than here: give a path under "
                    "which all machines see the same."
                )
            device = options.device or worker_device()
            runner = Runner(package, weights=options.weights, device=device, scale=options.scale)
            self._job = by, ImageJob(runner, options, masked=by.masked)
        return self._job[1]

    def image(self, task: RegionTask) -> Opened:
        """Return the image of a task, opened once."""
        job = self.job(task.by)
        if self._image is None or self._image[0] != task.image:
            self._image = task.image, job.open(task.item, task.known)
        return self._image[1]


_held = _Held()
