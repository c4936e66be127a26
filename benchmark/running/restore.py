"""Restore image after image with a package or a control, and measure what it costs."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import torch
import xarray as xr

from benchmark.metrics import NotApplicable
from benchmark.running.controls import CONTROLS, DELIVERY, INPUT
from benchmark.running.delivery import delivery_of, interval_factors, trust_mask_of
from imaging import images
from imaging.cli import UserError
from imaging.datasets import Item
from imaging.known_images import KnownImages
from imaging.measure import Measure
from imaging.own_process import ProcessEndedError, own_process
from imaging.scores import Delivery
from imaging.trust_mask import TrustMask
from packages.package import open_package
from packages.resampling import grid
from packages.runner import Runner

SEED = 0
_WARM_UP_PX = 256
_T = TypeVar("_T")


class RestorationError(Exception):
    """An image could not be restored; the message is a sentence. The next image may do."""


class ProcessDiedError(RestorationError):
    """The package took its process with it; the next image needs a new one."""


class NotLoadedError(RestorationError):
    """The package could not be loaded, so that no image can be restored."""


@dataclass(frozen=True)
class Method:
    """A package, or a control that stands beside the packages.

    Attributes
    ----------
    name
        Its entry in the scores table.
    title
        What its author calls it.
    path
        The package; None for a control.
    sha256
        Of the package; empty for a control.
    pixel_size_um
        What the package was made for, by axis; empty when unknown, and for a control.
    weights
        Which of the package's weights run; empty for a control.
    trust
        Whether Python code of the package may run.
    interval_factors
        Half-widths of the package's own intervals, in its standard deviations, by nominal coverage;
        empty when it states none.
    delivery
        On which scale it delivers.
    trust_mask
        What it promises of structures; None where nothing, or nothing that can be understood.
    doubt
        Why its weights are hardly trained, where its training says so.
    known_images
        What it was trained on, where it says so.
    restores_volumes
        Whether it takes stacks as wholes, and no single planes.
    """

    name: str
    title: str
    path: Path | None = None
    sha256: str = ""
    pixel_size_um: dict[str, float] = field(default_factory=dict[str, float])
    weights: str = ""
    trust: bool = False
    interval_factors: dict[str, float] = field(default_factory=dict[str, float])
    delivery: Delivery = "planes"
    trust_mask: TrustMask | None = None
    doubt: str = ""
    known_images: KnownImages | None = None
    restores_volumes: bool = False

    @property
    def restores_repeats(self) -> bool:
        """Tell whether a second recording is restored, too: other controls need more than that."""
        return self.path is not None or self.name == INPUT


def control(name: str) -> Method:
    """Return a control by its name."""
    return Method(name, f"control: {name}", delivery=DELIVERY)


def method_of(path: Path, *, trust: bool) -> Method:
    """Read what tables and runs need to know of a package.

    Parameters
    ----------
    path
        The package; its file name without .zip becomes its name.
    trust
        Whether its Python code may run.

    Returns
    -------
    Method
        With the weights that would run.

    Raises
    ------
    UserError
        The package cannot be opened.
    """
    with open_package(path, trust=trust) as package:
        return Method(
            name=path.resolve().name.removesuffix(".zip"),
            title=package.name,
            path=path,
            sha256=package.sha256,
            pixel_size_um=package.pixel_size_um,
            weights=package.weights[0],
            interval_factors=interval_factors(package),
            delivery=delivery_of(package),
            trust_mask=trust_mask_of(package),
            doubt=str(package.own_entries.get("doubt", "")),
            known_images=package.known_images,
            restores_volumes=any(axis.id == "z" for axis in package.input.axes),
            trust=trust,
        )


@dataclass(frozen=True)
class Job:
    """One image to restore.

    Attributes
    ----------
    item
        The image and what is known of it.
    output
        Where the restored image goes.
    """

    item: Item
    output: Path


@dataclass(frozen=True)
class Cost:
    """What a restoration took.

    Time is told per megapixel of the restored image. Memory is not: windows bound it, whatever the
    size of the image. It is None for controls: they run in a process that does much else.
    """

    seconds_per_megapixel: float
    peak_mib: float | None


Restore = Callable[[Job], Cost]


def open_method(method: Method) -> AbstractContextManager[Restore]:
    """Load a method: controls here, each package in a process of its own.

    Parameters
    ----------
    method
        A package or control.

    Returns
    -------
    context manager of a function
        The function restores one image into its file and returns what it took. It raises
        `RestorationError` where it failed, and `NotApplicable` where a control has nothing to say.
        Entering raises `RestorationError` when the package cannot be loaded.
    """
    return in_this_process(method) if method.path is None else in_own_process(method)


def each(
    method: Method, tasks: Sequence[_T], do: Callable[[_T, Restore], object]
) -> Iterator[tuple[_T, Exception | None]]:
    """Do tasks one by one; a package that dies is loaded again for those left.

    Parameters
    ----------
    method
        A package or control; without tasks it is not loaded.
    tasks
        What is to be done with it.
    do
        Does one of them.

    Yields
    ------
    tuple
        Each task, in order, and the `RestorationError` or `UserError` on which it failed; a
        `NotLoadedError` for all that are left when the method cannot be loaded.
    """
    left = list(tasks)
    while left:
        try:
            with open_method(method) as restore:
                while left:
                    task = left.pop(0)
                    try:
                        do(task, restore)
                    except ProcessDiedError as error:
                        yield task, error
                        break
                    except (RestorationError, UserError) as error:
                        yield task, error
                    else:
                        yield task, None
        except (RestorationError, UserError) as error:
            yield from ((task, NotLoadedError(str(error))) for task in left)
            return


@contextmanager
def in_this_process(method: Method, device: str | None = None) -> Generator[Restore]:
    """Load a method in this process, on a device if one is given; see `open_method`.

    Memory is the largest resident size while an image is restored, minus the resident size after
    loading; on a GPU, the largest allocation there. Time excludes loading, a first restoration that
    warms up, and writing; controls read their files themselves.
    """
    warm = False

    def once(work: Callable[[], object]) -> None:
        nonlocal warm
        if not warm:
            work()
        warm = True

    if method.path is None:
        make = CONTROLS[method.name]

        def prepare_control(job: Job) -> Callable[[], xr.DataArray]:
            once(lambda: make(job.item))
            return lambda: make(job.item)

        yield _measuring(prepare_control, loaded=None, on_gpu=False)
        return
    with open_package(method.path, trust=method.trust) as package:
        on_gpu = torch.cuda.is_available()
        runner = Runner(package, device=device or ("cuda:0" if on_gpu else "cpu"))

        def prepare(job: Job) -> Callable[[], xr.DataArray]:
            image = job.item.read_input()
            shape = grid(image, package.pixel_size_um)
            once(lambda: runner(_warm_up_image(image)))
            return lambda: runner(image, grid=shape)

        yield _measuring(prepare, loaded=_resident_bytes(), on_gpu=on_gpu)


@contextmanager
def in_own_process(method: Method) -> Generator[Restore]:
    """Load a method in a process of its own; see `open_method`."""
    with _telling_how_it_ended(), own_process(_serve, method) as process:

        def ask(job: Job | None) -> Any:
            with _telling_how_it_ended():
                if job is not None:
                    process.send(job)
                answer: Cost | Exception | None = process.receive()
            if isinstance(answer, Exception):
                raise answer
            return answer

        ask(None)  # answers when it is loaded
        yield ask


@contextmanager
def _telling_how_it_ended() -> Generator[None]:
    try:
        yield
    except ProcessEndedError as error:
        raise ProcessDiedError(f"The package's process {error}.") from None


def _serve(connection: Connection, method: Method) -> None:
    """Restore images until the other side leaves."""
    try:
        with in_this_process(method) as restore:
            connection.send(None)
            while True:
                job: Job = connection.recv()
                try:
                    connection.send(restore(job))
                except RestorationError as error:
                    connection.send(error)
    except (EOFError, BrokenPipeError):
        raise  # the other side left
    except Exception as error:
        connection.send(RestorationError(sentence_of(error)))


def _measuring(
    prepare: Callable[[Job], Callable[[], xr.DataArray]], *, loaded: int | None, on_gpu: bool
) -> Restore:
    """Make the function that restores; `loaded` are the bytes resident before the first image."""

    def restore(job: Job) -> Cost:
        try:
            work = prepare(job)
            torch.manual_seed(SEED)  # so that a random model does not depend on the order
            before = _resident_bytes()
            with Measure("cuda" if on_gpu else "cpu") as measure:
                restored = work()
            if not np.isfinite(restored.values).all():
                raise RestorationError("The restored image holds NaN or infinite values.")
            images.write(job.output, restored)
        except (NotApplicable, RestorationError):
            raise
        except Exception as error:
            raise RestorationError(sentence_of(error)) from error
        megapixels = restored.size / restored.sizes.get("c", 1) / 1e6
        seconds = measure.seconds / megapixels
        if loaded is None:
            return Cost(seconds, None)
        grown_mib = 0 if on_gpu else max(0, before - loaded) / 2**20
        return Cost(seconds, measure.peak_mib + grown_mib)

    return restore


def _warm_up_image(image: xr.DataArray) -> xr.DataArray:
    """Return noise like a corner of an image, which itself may be empty."""
    corner = image.isel(y=slice(_WARM_UP_PX), x=slice(_WARM_UP_PX))
    return corner.copy(data=np.random.default_rng(SEED).random(corner.shape, np.float32))


def _resident_bytes() -> int:
    return psutil.Process().memory_info().rss


def sentence_of(error: Exception) -> str:
    """Say what went wrong, in one line."""
    if isinstance(error, UserError | RestorationError | NotApplicable):
        return str(error)
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else f"{type(error).__name__}."
