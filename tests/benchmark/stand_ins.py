"""Small datasets and stand-in packages for the tests of the benchmark.

A stand-in package is a text file that names what it does; its bytes are its hash, as a zip's.
"""

import hashlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import xarray as xr
from bioimageio.spec.model import v0_5
from scipy import ndimage

from benchmark.metrics import METRICS, normalise
from benchmark.running import restore
from imaging import images
from imaging.files import write_toml

PIXEL_UM = 0.08
SIDE = 64
NORMALISED = v0_5.ScaleRangeDescr(
    kwargs=v0_5.ScaleRangeKwargs(min_percentile=2, max_percentile=99.8)
)
CALIBRATED = {"restoration_zoo": {"calibration": {"interval_factors": {"0.9": 1.5}}}}


def save(path: Path, values: np.ndarray, pixel_um: float = PIXEL_UM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = xr.DataArray(values, dims=("z", "y", "x")[-values.ndim :])
    image.attrs["pixel_size_um"] = {"y": pixel_um, "x": pixel_um}
    images.write(path, image)
    return path


def dataset(
    path: Path, count: int = 3, *, truth: bool = True, name: str | None = None, side: int = SIDE
) -> Path:
    """Blurred, noisy blobs with their truth; image i is reproducible by itself."""
    for i in range(count):
        rng = np.random.default_rng(i)
        target = np.abs(ndimage.gaussian_filter(rng.normal(size=(side, side)), 2)) ** 2
        target = (1000 * target / target.max()).astype(np.float32)
        blurred = ndimage.gaussian_filter(target, 3) + rng.normal(0, 5, target.shape)
        save(path / "input" / f"{i:04}.tif", blurred.astype(np.float32))
        if truth:
            save(path / "target" / f"{i:04}.tif", target)
    facts = {"images": {f"{i:04}": {"source": f"specimen {i}"} for i in range(count)}}
    write_toml(path / "dataset.toml", {**facts, **({"name": name} if name else {})})
    return path


def package(path: Path, does: str = "sharpen") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(does)
    return path


@contextmanager
def open_package(path: Path, *, trust: bool = False) -> Generator[SimpleNamespace]:
    yield SimpleNamespace(
        name=f"Stand-in that does {path.read_text()}",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        pixel_size_um={"y": PIXEL_UM, "x": PIXEL_UM},
        weights=("torchscript",),
        own_entries=CALIBRATED["restoration_zoo"],
        known_images=None,
        input=SimpleNamespace(axes=[], preprocessing=[NORMALISED]),
        output=SimpleNamespace(axes=[], postprocessing=[]),
    )


class StandIns:
    """Takes the place of packages in `benchmark.running.run`; remembers the images it restored."""

    def __init__(self) -> None:
        self.restored: list[tuple[str, str]] = []
        self.started = 0
        self.interrupt_on: str | None = None

    @contextmanager
    def open_method(self, method: restore.Method) -> Generator[restore.Restore]:
        if method.path is None:
            with restore.in_this_process(method) as control:
                yield control
            return
        does = method.path.read_text()
        self.started += 1
        if does == "not load":
            raise restore.RestorationError("Its weights cannot be loaded.")

        def restore_one(job: restore.Job) -> restore.Cost:
            self.restored.append((method.name, job.item.name))
            if job.item.name == self.interrupt_on:
                raise KeyboardInterrupt
            BEHAVIOURS[does](job)
            return restore.Cost(0.5, 100.0)

        yield restore_one


def _sharpen(job: restore.Job) -> None:
    image = images.read(job.item.input).astype(np.float32)
    image.values = image.values - 0.5 * ndimage.gaussian_filter(image.values, 4)
    images.write(job.output, image)


def _blur(job: restore.Job) -> None:
    image = images.read(job.item.input).astype(np.float32)
    image.values = ndimage.gaussian_filter(image.values, 4)
    images.write(job.output, image)


def _crop(job: restore.Job) -> None:
    images.write(job.output, images.read(job.item.input).isel(y=slice(32)))


def _fail_on_one(job: restore.Job) -> None:
    if job.item.name == "0001":
        raise restore.RestorationError("It broke on this one.")
    _sharpen(job)


def _die_on_one(job: restore.Job) -> None:
    if job.item.name == "0001":
        raise restore.ProcessDiedError("The package's process was ended by SIGSEGV.")
    _sharpen(job)


def _be_uncertain(job: restore.Job) -> None:
    """Blur, with a standard deviation and a sample that is the blurred image with noise."""
    image = images.read(job.item.input).astype(np.float32)
    mean = normalise(ndimage.gaussian_filter(image.values, 2))
    noise = np.random.default_rng(0).normal(0, 0.1, mean.shape)
    channels = np.stack([mean, np.full_like(mean, 0.1), mean + noise]).astype(np.float32)
    answer = xr.DataArray(
        channels, dims=("c", "y", "x"), coords={"c": ["mean", "std", "sample"]}, attrs=image.attrs
    )
    images.write(job.output, answer)


BEHAVIOURS: dict[str, Callable[[restore.Job], None]] = {
    "sharpen": _sharpen,
    "blur": _blur,
    "crop": _crop,
    "fail on one": _fail_on_one,
    "die on one": _die_on_one,
    "be uncertain": _be_uncertain,
}
FEW_METRICS = {name: METRICS[name] for name in ("si_psnr_a", "ssim", "ms_ssim")}
