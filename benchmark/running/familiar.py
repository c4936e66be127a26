"""Whether packages know the images they are to be scored on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from benchmark.running.restore import Method
from imaging.benchmark_run import BenchmarkRun
from imaging.cli import UserError
from imaging.datasets import Dataset, Item
from imaging.remarks import Remark, Remarks
from packages.familiarity import Familiarity, familiarity
from packages.resampling import grid

Verdicts = Mapping[tuple[str, str], Mapping[str, Familiarity]]
"""By dataset and image what each package that says what it knows finds, by its name."""


def compare_with_known(methods: Sequence[Method], datasets: Sequence[Dataset]) -> Verdicts:
    """Compare each image with those that the packages were trained on.

    Parameters
    ----------
    methods
        Packages that say which images they know, and others.
    datasets
        Whose images are to be restored.

    Returns
    -------
    Verdicts
        Of all images that can be read; what cannot fails where it is restored.
    """
    knowing = [method for method in methods if method.known_images is not None]
    found: dict[tuple[str, str], dict[str, Familiarity]] = {}
    for dataset in datasets if knowing else ():
        for item in dataset.evaluation_items:
            try:
                found[dataset.name, item.name] = _of_item(knowing, item)
            except (UserError, OSError):
                continue
    return found


def _of_item(methods: Sequence[Method], item: Item) -> dict[str, Familiarity]:
    image = item.read_input(lazy=True)
    found: dict[str, Familiarity] = {}
    alike: list[tuple[Method, Familiarity]] = []  # packages of one training know the same
    for method in methods:
        same = [
            one
            for other, one in alike
            if other.known_images == method.known_images
            and other.pixel_size_um == method.pixel_size_um
        ]
        found[method.name] = same[0] if same else _familiarity(method, image)
        alike.append((method, found[method.name]))
    return found


def _familiarity(method: Method, image: xr.DataArray) -> Familiarity:
    assert method.known_images is not None
    return familiarity(method.known_images, image, grid(image, method.pixel_size_um))


def remark_on(verdicts: Verdicts) -> Remarks:
    """Say of each image what packages do not know of it; those that say the same, together."""
    remarks = Remarks()
    for (dataset, image), of_packages in verdicts.items():
        said: dict[Remark, list[str]] = {}
        for package, found in of_packages.items():
            for remark in found.remarks:
                said.setdefault(remark, []).append(package)
        for remark, packages in said.items():
            detail = f"{', '.join(packages)}: {remark.detail}" if remark.detail else ""
            remarks.add(f"{dataset}/{image}", [Remark(remark.sentence, detail)])
    return remarks


def with_verdicts(run: BenchmarkRun, verdicts: Verdicts) -> BenchmarkRun:
    """Return the description of a run with what is strange about its images, by package."""
    datasets = [
        replace(
            dataset,
            images=[
                replace(
                    image,
                    unlike={
                        package: found.words
                        for package, found in verdicts.get((dataset.name, image.name), {}).items()
                        if found.is_known is False
                    },
                )
                for image in dataset.images
            ],
        )
        for dataset in run.datasets
    ]
    return replace(run, datasets=datasets)
