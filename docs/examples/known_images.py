"""How packages tell strange images: ``python -m docs.examples.known_images ZIP... --work DIR``.

Simulates images as the reference packages were trained on, with other seeds, and images of other
microscopes, structures and pixel sizes, and spoils some of the former. Prints, for each kind, how
many images each package finds strange. What is simulated stays in DIR and is not made again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from cyclopts import App
from numpy.typing import NDArray
from scipy import ndimage
from skimage.restoration import denoise_nl_means

from imaging import images
from imaging.cli import progress
from imaging.cli import run as run_app
from imaging.datasets import Item, open_dataset
from imaging.files import sha256, write_toml
from imaging.resample import linear
from packages.familiarity import familiarity
from packages.package import Package, open_package
from packages.resampling import grid
from packages.runner import Runner
from simulation.simulate import simulate

app = App(name="python -m docs.examples.known_images", result_action="return_value")

FRESH, CASES = 200, 20
STRUCTURES = ("granules", "points", "sheets", "nets", "tubes", "microtubes")
MICROSCOPES: dict[str, dict[str, object]] = {
    "PSF 1.5 times as wide": {"numerical_aperture": [0.467, 0.7]},
    "0.3 times the photons": {"photons": [6.0, 60.0]},
    "0.1 times the photons": {"photons": [2.0, 20.0]},
    "3 times the photons": {"photons": [60.0, 600.0]},
    "10 times the photons": {"photons": [200.0, 2000.0]},
    "lines jitter by 0.2 µm": {"line_jitter_um": [0.15, 0.25]},
    "read noise of 5 photons": {
        "read_noise_counts": [250.0, 250.0],
        "gain_counts_per_photon": [50.0, 50.0],
    },
    "bright background": {"background_photons": [10.0, 40.0]},
    "wide-field camera": {
        "modality": "wide-field",
        "wavelength_um": 0.52,
        "excess_noise_factor": [1.0, 1.0],
        "background_photons": [20.0, 100.0],
    },
    "confocal": {
        "modality": "confocal",
        "wavelength_um": 0.488,
        "excess_noise_factor": [1.0, 1.0],
    },
    "native pixels of 0.16 µm": {"pixel_size_um": 0.16},
    "native pixels of 0.48 µm": {"pixel_size_um": 0.48},
}

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """Images of one kind.

    Attributes
    ----------
    kind, name
        What is strange about them, and which they are.
    data
        Where the images are.
    change
        What is done to the microscope's own image before it is resampled; None for the input as it
        is.
    size_factor
        How many times too large a pixel size the user gives.
    """

    kind: str
    name: str
    data: Path
    change: Callable[[Plane], Plane] | None = None
    size_factor: float = 1.0


@dataclass
class Count:
    """How many images of a case were judged, and how many found strange, with what was said."""

    judged: int = 0
    strange: int = 0
    words: dict[str, int] = field(default_factory=dict[str, int])


@app.default
def known_images(*packages: Path, work: Path, seed: int = 900, restore: int = CASES) -> None:
    """Count the strange images that packages find.

    Parameters
    ----------
    packages
        That say which images they know.
    work
        Folder of what is simulated.
    seed
        Of all images; the reference packages were made with seeds below 100.
    restore
        How many images are restored, to be judged as already restored ones.
    """
    cases = [*_simulated(work, seed), *_spoiled(work / "strange")]
    print("| kind | images | package | found strange | said most often |")
    print("|---|---|---|---|---|")
    for path in packages:
        with open_package(path) as package:
            runner = Runner(package)
            own = Case("denoised", "by the package itself", work / "strange")
            for case in [*cases, own]:
                restoring = runner if case is own else None
                most = FRESH if case.name == "fresh" else restore if case is own else CASES
                _print(case, path.stem, _count(package, case, most, restoring))
    for path in packages:
        print(f"{path.name}: sha256 {sha256(path)}")


def _print(case: Case, package: str, count: Count) -> None:
    words = max(count.words, key=lambda said: count.words[said]) if count.words else ""
    found = f"{count.strange} of {count.judged}"
    print(f"| {case.kind} | {case.name} | {package} | {found} | {words} |", flush=True)


def _simulated(work: Path, seed: int) -> Iterator[Case]:
    """Simulate what has a microscope or a structure of its own."""
    yield Case("as in training", "fresh", _made(work / "fresh", seed, FRESH))
    for structure in STRUCTURES:
        data = _made(work / structure, seed + 1, CASES, structure=structure)
        kind = "as in training" if structure == "microtubes" else "other structure"
        yield Case(kind, structure, data)
    for name, entries in MICROSCOPES.items():
        file = work / f"{name.replace(' ', '-')}.toml"
        write_toml(file, entries)
        kind = "other pixel size" if "pixel_size_um" in entries else "other microscope"
        yield Case(kind, name, _made(file.with_suffix(""), seed + 2, CASES, microscope=file))
    _made(work / "strange", seed + 3, CASES)


def _made(
    out: Path,
    seed: int,
    count: int,
    *,
    structure: str = "cells",
    microscope: Path | None = None,
) -> Path:
    return simulate(out, images=count, seed=seed, structure=structure, microscope=microscope)


def _spoiled(data: Path) -> Iterator[Case]:
    """List what is done to images as trained on."""
    for factor in (0.5, 2.0):
        yield Case("wrong --pixel-size", f"{factor:g} times the true one", data, None, factor)
    for share in (0.01, 0.05):
        yield Case("saturated", f"{share:.0%} of the pixels", data, _clipping(share))
    yield Case("denoised", "Gaussian of 1 native pixel", data, _gaussian)
    yield Case("denoised", "median of 3 x 3", data, lambda p: _float(ndimage.median_filter(p, 3)))
    yield Case("denoised", "non-local means", data, _non_local_means)
    yield Case("other microscope", "columns of ±20 % gain", data, _striped)


def _float(plane: NDArray[np.floating]) -> Plane:
    return np.asarray(plane, np.float32)


def _gaussian(plane: Plane) -> Plane:
    return _float(ndimage.gaussian_filter(plane, 1.0))


def _clipping(share: float) -> Callable[[Plane], Plane]:
    return lambda plane: _float(np.minimum(plane, np.percentile(plane, 100 * (1 - share))))


def _non_local_means(plane: Plane) -> Plane:
    across = plane[1:, 1:] - plane[1:, :-1] - plane[:-1, 1:] + plane[:-1, :-1]
    sigma = float(np.median(np.abs(across))) / 0.6745 / 2
    return _float(
        denoise_nl_means(plane, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma)
    )


def _striped(plane: Plane) -> Plane:
    gain = np.random.default_rng(round(float(plane.sum()))).uniform(0.8, 1.2, plane.shape[1])
    return _float(plane * gain)


def _count(package: Package, case: Case, most: int, restoring: Runner | None) -> Count:
    found = Count()
    known = package.known_images
    if known is None:
        return found
    items = open_dataset(case.data).items[:most]
    with progress() as bars:
        for item in bars.track(items, description=f"Judging {case.name}"):
            image = _image(item, case, restoring)
            verdict = familiarity(known, image, grid(image, package.pixel_size_um, insisted=True))
            found.judged += verdict.is_known is not None
            found.strange += verdict.is_known is False
            if verdict.words:
                found.words[verdict.words] = found.words.get(verdict.words, 0) + 1
    return found


def _image(item: Item, case: Case, restoring: Runner | None) -> xr.DataArray:
    """Return an image as the user has it, with the pixel size that it is said to have."""
    image = item.read_input()
    if case.change is not None and item.native is not None:
        native = images.read(item.native).values.astype(np.float32)
        shape = image.sizes["y"], image.sizes["x"]
        image = image.copy(data=linear(case.change(native), shape))
    if restoring is not None:
        image = restoring(image).isel(c=0, drop=True)
        image.attrs["pixel_size_um"] = item.read_input().attrs["pixel_size_um"]
    own: dict[str, float] = image.attrs["pixel_size_um"]
    return image.assign_attrs(
        pixel_size_um={dimension: size * case.size_factor for dimension, size in own.items()}
    )


if __name__ == "__main__":
    run_app(app)
