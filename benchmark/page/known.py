"""What the page says of images unlike those that packages were trained on."""

from benchmark.page.text import TextTable
from imaging.benchmark_run import BenchmarkRun


def unknown_images(run: BenchmarkRun) -> TextTable:
    """List the images that some package does not know, with what is strange about each.

    Parameters
    ----------
    run
        With verdicts.

    Returns
    -------
    TextTable
        An image a row, a package a column, of those that say which images they know.
    """
    packages = [package.name for package in run.packages if package.knows_images]
    rows = [
        (
            f"{dataset.name}/{image.name}",
            *(image.unlike.get(name, "like its training images") for name in packages),
        )
        for dataset in run.datasets
        for image in dataset.images
        if image.unlike
    ]
    return TextTable(["Image", *packages], rows)
