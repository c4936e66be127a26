"""A dataset of simulated pairs, written image by image from a plan; resumable."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from imaging import __version__, resample
from imaging.begun import BEGUN, begun_dataset
from imaging.cli import console
from imaging.cluster import Cluster
from imaging.dataset_facts import Facts, ImageFacts, Split, write_facts
from imaging.files import read_toml, write_json, write_toml
from imaging.images import write
from simulation import formation, volumes
from simulation.microscope import Acquisition, Microscope
from simulation.stack import Stack
from simulation.structures import PLANE_DISTANCE_UM
from simulation.targets import Array, Target, Targets, random_generator

# The split of each ten sources in turn: 7, 1 and 2, and all three parts from three sources on.
SPLITS: tuple[Split, ...] = (
    "train", "validation", "calibration", "train", "train",
    "train", "validation", "train", "train", "train",
)  # fmt: skip
# Of volumes 5, 3 and 2: few are made, and what is found for each of them needs 9 to calibrate on.
SPLITS_OF_VOLUMES: tuple[Split, ...] = (
    "train", "validation", "calibration", "train", "calibration",
    "train", "validation", "train", "calibration", "train",
)  # fmt: skip
_FOLDERS = ("target", "native", "input")


@dataclass(frozen=True)
class Plan:
    """Everything that the bytes of a dataset follow from, but for the versions of libraries.

    Attributes
    ----------
    targets
        What is recorded.
    microscope
        What records.
    sampling
        Pixels of a target along a native pixel.
    thickness_um
        Of the targets; 0 for planes.
    seed
        Of the acquisitions and their noise; image i depends on it and on i alone.
    arguments
        What was asked for, for the record.
    factor
        Pixels of a target along one of its input.
    stack
        Planes to record of volumes; none where single planes are recorded.
    """

    targets: Targets
    microscope: Microscope
    sampling: int
    thickness_um: float
    seed: int
    arguments: dict[str, str | int | float]
    factor: int = 1
    stack: Stack | None = None

    @property
    def margin_px(self) -> int:
        """Surroundings that a target needs on each side, in whole native pixels."""
        thickness_um = 2 * self.stack.reach_um if self.stack else self.thickness_um
        least = formation.margin_px(self.microscope, self.targets.pixel_size_um, thickness_um)
        return math.ceil(least / self.sampling) * self.sampling

    def acquisition(self, index: int) -> Acquisition:
        """Draw what happens in one image."""
        return self.microscope.draw(random_generator(self.seed, index, 1))


def split_of(sources: list[str], *, volumes: bool = False) -> dict[str, Split]:
    """Assign sources to parts, so that later sources do not move earlier ones.

    Of every ten in the order in which they first appear, 7 are for training, 1 for calibration and
    2 for validation, of volumes 5, 3 and 2; repeats are ignored.
    """
    parts = SPLITS_OF_VOLUMES if volumes else SPLITS
    return {name: parts[i % len(parts)] for i, name in enumerate(dict.fromkeys(sources))}


@dataclass(frozen=True)
class _Part:
    """Images of one source, to be written into a folder by a worker."""

    folder: Path
    plan: Plan
    wanted: tuple[int, ...]


def make(
    out: Path,
    plan: Plan,
    done: Callable[[], object] = lambda: None,
    cluster: Cluster | None = None,
) -> None:
    """Write the images into a folder beside, then their metadata, then give it its name.

    Until then nothing can be taken for a dataset.

    Parameters
    ----------
    out
        The dataset: not there, or an empty folder.
    plan
        What to write. What an interrupted run of the same plan has written is kept.
    done
        Called for every image that is there.
    cluster
        Workers that make the images, each source by one of them; this process without it.

    Raises
    ------
    UserError
        The folder beside holds what another plan began.
    WorkersGoneError
        The workers ended; what they wrote is kept.
    """
    provenance = {**plan.arguments, **_versions()}
    with begun_dataset(out, provenance) as partial:
        _make(partial, plan, provenance, done, cluster)


def _make(
    partial: Path,
    plan: Plan,
    provenance: dict[str, str | int | float],
    done: Callable[[], object],
    cluster: Cluster | None,
) -> None:
    targets = plan.targets
    names = [_name(index) for index in range(len(targets.sources))]
    missing = {i for i, name in enumerate(names) if not _is_written(partial, name)}
    if 0 < len(missing) < len(names):
        console.print(f"Going on: {len(names) - len(missing)} of {len(names)} images are made.")
    for _ in range(len(names) - len(missing)):
        done()
    if cluster is None:
        _write_images(partial, plan, missing, done)
    else:
        _write_with(cluster, partial, plan, missing, done)
    splits = split_of(targets.sources, volumes=plan.stack is not None)
    facts = Facts(
        pixel_size_um=targets.pixel_size_um * plan.factor,
        target_pixel_size_um=targets.pixel_size_um if plan.factor > 1 else None,
        native_pixel_size_um=targets.pixel_size_um * plan.sampling,
        z_step_um=plan.stack.z_step_um if plan.stack else None,
        interpolation="linear" if plan.factor < plan.sampling else None,
        registration="exact",
        provenance={
            **provenance,
            **{f"origin of {n}": o for n, o in zip(names, targets.origins, strict=True) if o},
        },
        images={
            name: ImageFacts(source, splits[source], _read_metadata(partial, name))
            for name, source in zip(names, targets.sources, strict=True)
        },
    )
    write_facts(partial, facts)


def _versions() -> dict[str, str]:
    """Return the versions that may change a bit of the result."""
    libraries = {name: version(name) for name in ("numpy", "scipy", "torch")}
    return {"project": __version__, **libraries}


def _is_written(folder: Path, name: str) -> bool:
    return all((folder / part / f"{name}.tif").exists() for part in _FOLDERS)


def _read_metadata(folder: Path, name: str) -> dict[str, float | int | str]:
    return read_toml(folder / BEGUN / f"{name}.toml", dict[str, float | int | str])


def _name(index: int) -> str:
    return f"{index:04d}"


def _write_with(
    cluster: Cluster,
    folder: Path,
    plan: Plan,
    wanted: Collection[int],
    done: Callable[[], object],
) -> None:
    """Let workers write images, those of a source together, as its file is read once."""
    of_source: dict[str, list[int]] = {}
    for index in sorted(wanted):
        of_source.setdefault(plan.targets.sources[index], []).append(index)
    parts = (_Part(folder, plan, tuple(indices)) for indices in of_source.values())
    for part, _ in cluster.all(_write_part, parts):
        for _ in part.wanted:
            done()


def _write_part(part: _Part) -> None:
    _write_images(part.folder, part.plan, part.wanted)


def _write_images(
    folder: Path,
    plan: Plan,
    wanted: Collection[int],
    done: Callable[[], object] = lambda: None,
) -> None:
    margin_px = plan.margin_px
    pixel_size_um = plan.targets.pixel_size_um
    z_step_um = plan.stack.z_step_um if plan.stack else None
    for index, target in plan.targets.make(wanted, margin_px):
        name = _name(index)
        native, metadata = _record(target, index, plan, margin_px)
        rows, columns = target.image.shape[-2:]
        input = native
        if plan.factor < plan.sampling:
            input = resample.linear(native, (rows // plan.factor, columns // plan.factor))
        write_toml(folder / BEGUN / f"{name}.toml", dict(metadata))
        if target.geometry is not None:
            write_json(folder / "geometry" / f"{name}.json", target.geometry)
        _write(folder / "target" / f"{name}.tif", target.image, pixel_size_um, z_step_um)
        _write(folder / "native" / f"{name}.tif", native, pixel_size_um * plan.sampling, z_step_um)
        _write(folder / "input" / f"{name}.tif", input, pixel_size_um * plan.factor, z_step_um)
        done()


def _record(
    target: Target, index: int, plan: Plan, margin_px: int
) -> tuple[Array, dict[str, float | int | str]]:
    """Record a target with its surroundings and cut these off.

    Returns whole counts (y, x) / sampling, with planes before of a stack, and what happened in the
    image.
    """
    acquisition = plan.acquisition(index)
    # torch has a generator of its own: its seed comes from the image's stream
    torch_seed = int(random_generator(plan.seed, index, 2).integers(2**63))
    # float64, so that the order in which a processor adds up cannot tip a Poisson draw
    brightness = torch.from_numpy(target.brightness.astype(np.float64, copy=False))
    pixel_size_um = plan.targets.pixel_size_um
    generator = torch.Generator().manual_seed(torch_seed)
    if plan.stack:
        on_grid = {"sampling": plan.sampling, "reach_px": margin_px}
        bright_level = volumes.measure_bright_level(
            brightness, pixel_size_um, plan.microscope, stack=plan.stack, **on_grid
        )
        counts = volumes.record(
            brightness,
            pixel_size_um,
            acquisition,
            generator,
            stack=plan.stack,
            bright_level=bright_level,
            **on_grid,
        )
    else:
        z_step_um = PLANE_DISTANCE_UM if brightness.ndim == 3 else 0.0
        bright_level = formation.measure_bright_level(
            brightness,
            pixel_size_um,
            plan.microscope,
            sampling=plan.sampling,
            reach_px=margin_px,
            z_step_um=z_step_um,
        )
        counts = formation.record(
            brightness[None],
            pixel_size_um,
            acquisition,
            generator,
            sampling=plan.sampling,
            reach_px=margin_px,
            z_step_um=z_step_um,
            bright_level=bright_level,
        )[0]
    cut = margin_px // plan.sampling
    inner = counts[..., cut : counts.shape[-2] - cut, cut : counts.shape[-1] - cut].numpy()
    counted = np.uint16 if acquisition.saturation_counts <= np.iinfo(np.uint16).max else np.uint32
    metadata = {
        **formation.describe(acquisition),
        "sampling": plan.sampling,
        "bright_level": bright_level,
    }
    return inner.astype(counted), metadata


def _write(path: Path, pixels: Array, pixel_size_um: float, z_step_um: float | None) -> None:
    sizes_um = {"y": pixel_size_um, "x": pixel_size_um}
    if z_step_um is not None:
        sizes_um = {"z": z_step_um, **sizes_um}
    write(path, xr.DataArray(pixels, dims=tuple(sizes_um), attrs={"pixel_size_um": sizes_um}))
