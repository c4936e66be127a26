"""How far packages agree with each other: what can be said of them where there is no truth.

Agreement is no proof. Packages trained on the same images invent the same detail, and all of them
agree where they leave the input as it is: so the input stands beside them, and two packages that
agree with each other no better than each does with the input have agreed on nothing but that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmark.metrics.fidelity import pearson
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.grids import mean_channel, onto_grid
from imaging import images
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.scores import INPUT

Plane = NDArray[np.floating]


@dataclass(frozen=True)
class Agreement:
    """How far restorations of the same images agree, two by two.

    Attributes
    ----------
    names
        Of n packages, and of the input, last, where it was run as a control.
    values
        (n, n): mean over images of the Pearson correlation of two restored images; 1 on the
        diagonal, never NaN.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]


def measure_agreement(
    dataset: DatasetEntry, packages: Sequence[PackageEntry], results: CellFiles
) -> Agreement | None:
    """Read what packages restored and correlate it, two by two.

    A pair of different pixel sizes is compared on the coarser grid. A package without any restored
    image of some contrast is left out, and then every image that one of the others lacks.

    Parameters
    ----------
    dataset, packages
        Of the run; of the controls only the input is looked at.
    results
        Where the restored images are.

    Returns
    -------
    Agreement or None
        None with fewer than two packages, or without an image that all of them restored.
    """
    names = [package.name for package in packages if not package.control]
    judged = set(names)
    names += [INPUT] if any(package.name == INPUT for package in packages) else []
    of_images: list[dict[tuple[str, str], float]] = []
    for image in dataset.images:
        files = {
            name: results.prediction_file(CellKey(name, dataset.name, image.name)) for name in names
        }
        of_images.append(_correlations({n: images.read(f) for n, f in files.items() if f.exists()}))
    names = [name for name in names if any((name, name) in of_image for of_image in of_images)]
    pairs = set(product(names, repeat=2))
    complete = [of_image for of_image in of_images if pairs <= of_image.keys()]
    if len(judged.intersection(names)) < 2 or not complete:
        return None
    values = [[[of_image[one, two] for two in names] for one in names] for of_image in complete]
    return Agreement(tuple(names), np.array(values).mean(axis=0))


def _correlations(restored: Mapping[str, xr.DataArray]) -> dict[tuple[str, str], float]:
    """Return the correlation of each two images that have some contrast."""
    means = {name: mean_channel(image) for name, image in restored.items()}
    seen = {name: image for name, image in means.items() if image.min() < image.max()}
    found = {(name, name): 1.0 for name in seen}
    for one, other in combinations(seen, 2):
        if seen[one].shape[:-2] != seen[other].shape[:-2]:
            continue  # a stack and an image
        found[one, other] = found[other, one] = pearson(*_alike(seen[one], seen[other]))
    return found


def _alike(one: xr.DataArray, other: xr.DataArray) -> tuple[Plane, Plane]:
    """Return two stacks as (planes · y, x) on the coarser of their grids."""
    shape = min(one.shape[-2:], other.shape[-2:])
    first, second = (onto_grid(image, (shape[0], shape[1])) for image in (one, other))
    return first.reshape(-1, shape[1]), second.reshape(-1, shape[1])
