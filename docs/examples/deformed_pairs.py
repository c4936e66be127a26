"""Plant what expansion does to a field, register it, and compare scores with exact ones.

python -m docs.examples.deformed_pairs SIMULATED OUT STRAIN, with a dataset of `training simulate`
and the root mean square slope of the bends, 0.03 for instance.

Each truth is turned, scaled, bent, cut, and loses labels along streaks; `benchmark register` is
told a factor of 4. Restorations of known error are then scored against the truth as it was recorded
(stretched over the input), as it was registered, and without what registration left.
"""

import math
import sys
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.comparison.displacement_cost import SCORES, measure_displacement
from benchmark.metrics import METRICS, normalise
from benchmark.registration.register import register
from benchmark.running.cell import CellFiles, CellKey
from imaging import images
from imaging.benchmark_run import DatasetEntry, ImageEntry, PackageEntry
from imaging.cli import console
from imaging.dataset_facts import Facts, write_facts
from imaging.datasets import Dataset, new_dataset, open_dataset
from imaging.files import sha256
from imaging.resample import linear

Plane = NDArray[np.float64]
FACTOR = 4.0
SCALE_ERROR = 1.03
TURN_DEG = 8.0
CUT = 0.9  # of each side that the expanded image shows
FINER = 0.8  # side of its pixels before expansion, in pixels of the input
BEND_PX = 60.0  # correlation length of bends
LOSS = 0.5  # of the label, in the middle of a streak
BLURS_PX = (1.0, 2.0)  # of planted restorations


def expanded(truth: Plane, strain: float, seed: int) -> tuple[Plane, Plane]:
    """Make the image after expansion, and where it has what belongs to each pixel of the truth.

    Of the second, (2, y, x), lengths are in pixels of the truth from its corner.
    """
    rng = np.random.default_rng(seed)
    side = round(truth.shape[0] * CUT / FINER)
    bends = np.stack([_smooth(side, (BEND_PX / FINER, BEND_PX / FINER), rng) for _ in "yx"])
    steepness = np.sqrt(np.mean([step**2 for part in bends for step in np.gradient(part)]))
    bends *= strain / steepness * FINER
    angle = math.radians(TURN_DEG)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turn /= SCALE_ERROR
    middle, own = truth.shape[0] / 2, side * FINER / 2

    def origin(at: Plane) -> Plane:
        straight = np.tensordot(turn, at - own, axes=1) + middle
        bent = [ndimage.map_coordinates(p, at / FINER - 0.5, mode="nearest") for p in bends]
        return straight + np.stack(bent)

    pixels = (np.indices((side, side)) + 0.5) * FINER
    seen = ndimage.map_coordinates(truth, origin(pixels) - 0.5, order=3, cval=float(truth.min()))
    streaks = np.clip(0.5 + _smooth(side, (40 / FINER, 6 / FINER), rng), 0, 1)
    wanted = np.indices(truth.shape) + 0.5
    back = np.linalg.inv(turn)
    found = np.tensordot(back, wanted - middle, axes=1) + own
    for _ in range(20):
        found -= np.tensordot(back, origin(found) - wanted, axes=1)
    return seen * (1 - LOSS * streaks), found - wanted


def plant(simulated: Dataset, out: Path, strain: float) -> dict[str, Plane]:
    """Write a dataset of inputs and expanded truths; return each planted map."""
    planted: dict[str, Plane] = {}
    with new_dataset(out) as folder:
        for seed, item in enumerate(simulated.items):
            input, truth = item.read_input(), item.read_target()
            assert truth is not None
            pixel_um = input.attrs["pixel_size_um"]["x"]
            target, planted[item.name] = expanded(truth.values.astype(np.float64), strain, seed)
            recorded = dict.fromkeys("yx", pixel_um * FINER * FACTOR)
            images.write(folder / "input" / f"{item.name}.tif", input)
            images.write(
                folder / "target" / f"{item.name}.tif",
                xr.DataArray(
                    target.astype(np.float32),
                    dims=("y", "x"),
                    attrs={"pixel_size_um": recorded},
                ),
            )
        write_facts(folder, Facts(expansion_factor=FACTOR, registration="approximate"))
    return planted


def entry_of(dataset: Dataset) -> DatasetEntry:
    """Describe a dataset as `benchmark run` does."""
    entries = [
        ImageEntry(
            name=item.name,
            source=item.source,
            input=str(item.input),
            input_sha256=sha256(item.input),
            target=str(item.target),
            target_sha256="",
            repeat="",
            repeat_sha256="",
            displaced=str(item.displaced),
        )
        for item in dataset.items
    ]
    return DatasetEntry(
        name=dataset.name,
        path=str(dataset.path),
        description="",
        licence="",
        pixel_size_um=None,
        target_pixel_size_um=None,
        registration="registered",
        registered={},
        provenance={},
        part="all",
        images=entries,
    )


def package(name: str) -> PackageEntry:
    """Describe a planted restoration as a package that delivers planes."""
    return PackageEntry(name, name, False, "", "", "", {}, "planes", {})


def restorations(truth: Plane, input: Plane) -> dict[str, Plane]:
    """Restore as well as is known: the truth under a blur, and the input as it is."""
    blurred = {f"σ = {sigma:g} px": ndimage.gaussian_filter(truth, sigma) for sigma in BLURS_PX}
    return {**blurred, "input": input}


def judge(simulated: Dataset, out: Path, strain: float) -> None:
    """Plant, register, score and print."""
    planted = plant(simulated, out / "planted", strain)
    register(out / "planted", out=out / "registered")
    dataset = open_dataset(out / "registered")
    results = CellFiles(out / "results")
    exact: dict[tuple[str, str], list[float]] = {}
    plain: dict[tuple[str, str], list[float]] = {}
    for item, whole in zip(dataset.items, simulated.items, strict=True):
        full, recorded = whole.read_target(), open_dataset(out / "planted").items
        assert full is not None
        assert dataset.facts.registered is not None
        pixel_um = full.attrs["pixel_size_um"]["x"]
        facts, cut = dataset.facts.registered[item.name], images.read(item.input)
        part = tuple(
            slice(start := round(float(facts[f"scored_from_{axis}_um"]) / pixel_um), start + length)
            for axis, length in zip("yx", cut.shape, strict=True)
        )
        field = images.read(out / "registered" / "deformation" / f"{item.name}.tif").values
        error_um = (field - planted[item.name][:, *part] * pixel_um).astype(np.float64)
        rms = float(np.sqrt((error_um**2).sum(axis=0).mean()))
        said = f"strain {strain:g}, {item.name}: {facts['kept']}, found factor "
        said += f"{facts['expansion_factor_found']:.3f}, registration error {rms:.3f} µm"
        console.print(f"{said}, as estimated {facts['error_um']:.3f} µm", soft_wrap=True)
        truth = full.values.astype(np.float64)
        target = next(one for one in recorded if one.name == item.name).read_target()
        assert target is not None
        beside = linear(target.values, full.shape).astype(np.float64)[part]
        made = restorations(truth, whole.read_input().values.astype(np.float64))
        for name, whole_plane in made.items():
            plane = whole_plane[part]
            for metric in SCORES:
                of = METRICS[metric]
                exact.setdefault((name, metric), []).append(of(normalise(truth[part]), plane))
                plain.setdefault((name, metric), []).append(of(normalise(beside), plane))
            file = results.prediction_file(CellKey(name, dataset.name, item.name))
            images.write(file, cut.copy(data=normalise(plane).astype(np.float32)))
    names = list(dict.fromkeys(name for name, _ in exact))
    packages = [package(name) for name in names]
    for one in measure_displacement(entry_of(dataset), packages, results):
        for metric in SCORES:
            known, unregistered = (np.mean(of[one.name, metric]) for of in (exact, plain))
            freed, low, high = one.freed[metric]
            said = f"strain {strain:g}, {one.name}, {metric}: exact {known:.3f}; not registered "
            said += (
                f"{unregistered:.3f}; registered {one.scored[metric]:.3f}; without displacement "
            )
            said += f"{freed:.3f} ({low:.3f} to {high:.3f})"
            console.print(f"{said}{'' if low <= known <= high else ', MISSED'}", soft_wrap=True)


def _smooth(side: int, length: tuple[float, float], rng: np.random.Generator) -> Plane:
    pad = math.ceil(3 * max(length))
    noise = rng.normal(size=(side + 2 * pad, side + 2 * pad))
    inner = ndimage.gaussian_filter(noise, length)[pad:-pad, pad:-pad]
    return inner / inner.std()


def main() -> None:
    """Do so for one strain."""
    judge(open_dataset(Path(sys.argv[1])), Path(sys.argv[2]), float(sys.argv[3]))


if __name__ == "__main__":
    main()
