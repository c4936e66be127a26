"""What the scripts share: the images, the comparison with our own runner, and the table."""

import datetime
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from bioimageio.spec.utils import load_array
from numpy.typing import NDArray

from imaging import images
from imaging.cli import UserError, console
from imaging.tiles import AxisGeometry
from packages.geometry import geometry
from packages.package import Package, open_package
from packages.runner import Runner

Values = NDArray[np.float32]
SIZES = ((512, 512), (700, 500))
"""Of what is cut from the image, beside the package's own test input."""
_LONGEST_ERROR = 160


class ConsumerError(Exception):
    """What the consumer said when it could not do it."""


def complaint(stderr: str) -> list[str]:
    """Return the lines in which a program that failed says why, one at least."""
    return stderr.strip().splitlines() or ["no reason given"]


@dataclass(frozen=True)
class Difference:
    """The largest one of a channel, as a fraction of the range that `packages predict` gives.

    Attributes
    ----------
    inside
        Farther from the image's edge than the package's halo; None where no pixel is.
    border
        In the rest; None where there is none.
    """

    inside: float | None
    border: float | None


@dataclass(frozen=True)
class Row:
    """A line of the table; `found` is empty where the consumer failed with `error`."""

    consumer: str
    package: str
    size: str
    found: dict[str, Difference]
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Case:
    """An image at the package's pixel size, and what `packages predict` makes of it.

    Attributes
    ----------
    halo
        Of the package, in pixels of the result.
    """

    name: str
    image: Values
    expected: Values
    channels: list[str]
    halo: int


MakeCase = Callable[[str, Values], Case]


def compare(
    given: Values, expected: Values, channels: Sequence[str], halo: int
) -> dict[str, Difference]:
    """Compare two results channel by channel.

    Parameters
    ----------
    given, expected
        Channels, rows, columns.
    channels
        Names of the channels.
    halo
        Width of the border in pixels of the result.

    Returns
    -------
    dict
        By channel.

    Raises
    ------
    ConsumerError
        The shapes differ, or a value is no number.
    """
    if given.shape != expected.shape:
        raise ConsumerError(f"gives {given.shape} instead of {expected.shape}")
    if not np.isfinite(given).all():
        raise ConsumerError("gives values that are no numbers")
    inside = np.zeros(expected.shape[1:], bool)
    inside[halo : -halo or None, halo : -halo or None] = True
    found: dict[str, Difference] = {}
    for name, ours, theirs in zip(channels, expected, given, strict=True):
        off = np.abs(theirs - ours) / np.ptp(ours)
        found[name] = Difference(_largest(off[inside]), _largest(off[~inside]))
    return found


def _largest(values: Values) -> float | None:
    return float(values.max()) if values.size else None


def allowed(length: int, axis: AxisGeometry) -> int:
    """Return the longest size a package allows that an image of `length` can be cropped to.

    Parameters
    ----------
    length
        Pixels of the image.
    axis
        What the package allows.

    Returns
    -------
    int
        The package's minimum where the image is smaller than that.
    """
    if axis.fixed or length < axis.minimum:
        return axis.minimum
    return axis.minimum + (length - axis.minimum) // axis.step * axis.step


def read_plane(path: Path) -> Values:
    """Read the image that the cases are cut from.

    Parameters
    ----------
    path
        Of one plane, rows and columns.

    Returns
    -------
    ndarray

    Raises
    ------
    UserError
        It is no single plane, or too small.
    """
    plane = images.read(path)
    if plane.dims != ("y", "x") or any(
        side < max(sides) for side, sides in zip(plane.shape, zip(*SIZES, strict=True), strict=True)
    ):
        raise UserError(f"{path} has {dict(plane.sizes)}: give one plane of at least 700 x 512.")
    return np.asarray(plane.values, np.float32)


@contextmanager
def opened(path: Path) -> Generator[tuple[Package, MakeCase]]:
    """Open a package, and yield it with what makes a case of an image.

    Parameters
    ----------
    path
        A zip, or a folder with rdf.yaml.

    Yields
    ------
    tuple
        The package, and a function of a case's name and image.
    """
    with open_package(path) as package:
        runner = Runner(package)
        halo = max(int(axis.halo * axis.scale) for axis in geometry(package).values())

        def case(name: str, image: Values) -> Case:
            expected = runner(xr.DataArray(image, dims=("y", "x")))
            return Case(
                name=f"{name} {image.shape[0]}x{image.shape[1]}".strip(),
                image=image,
                expected=expected.transpose("c", "y", "x").values,
                channels=package.channels,
                halo=halo,
            )

        yield package, case


def test_input(package: Package) -> Values:
    """Return the image that a package brings along for tests.

    Parameters
    ----------
    package
        An open package.

    Returns
    -------
    ndarray
        Rows and columns.
    """
    assert package.input.test_tensor is not None
    return np.asarray(load_array(package.input.test_tensor), np.float32)[0, 0]


def cases(package: Package, case: MakeCase, plane: Values) -> Iterator[Case]:
    """Yield the test input, and the sizes cropped to what the package allows.

    Parameters
    ----------
    package, case
        As `opened` gave them.
    plane
        As `read_plane` gave it.

    Yields
    ------
    Case
        One image each.
    """
    axes = geometry(package)
    yield case("test input", test_input(package))
    for height, width in SIZES:
        yield case("", plane[: allowed(height, axes["y"]), : allowed(width, axes["x"])])


def attempt(consumer: str, package: Path, case: Case, run: Callable[[Values], Values]) -> Row:
    """Let a consumer restore a case, and compare.

    Parameters
    ----------
    consumer
        Its name, version and mode.
    package
        What it runs.
    case
        The image.
    run
        Restores rows and columns into channels, rows and columns, or raises `ConsumerError`.

    Returns
    -------
    Row
        With the consumer's error, where it raised one.
    """
    found, error, start = dict[str, Difference](), "", time.monotonic()
    try:
        found = compare(run(case.image), case.expected, case.channels, case.halo)
    except ConsumerError as failure:
        error = str(failure)
    row = Row(consumer, package.stem, case.name, found, time.monotonic() - start, error)
    console.print(table([row]).splitlines()[-1], soft_wrap=True)
    return row


def table(rows: Sequence[Row]) -> str:
    """Write rows as a Markdown table.

    Parameters
    ----------
    rows
        In the order they appear in.

    Returns
    -------
    str
        Differences of all channels in one cell, in the channels' order.
    """
    today = datetime.date.today().isoformat()
    lines = [
        "| consumer | date | package | size | channels | inside | border | s | error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.consumer, today, row.package, row.size, ", ".join(row.found)]
        cells += [
            ", ".join(_written(number) for number in numbers)
            for numbers in (
                [found.inside for found in row.found.values()],
                [found.border for found in row.found.values()],
            )
        ]
        error = " ".join(row.error.replace("|", "/").split())[:_LONGEST_ERROR]
        lines.append("| " + " | ".join([*cells, f"{row.seconds:.0f}", error]) + " |")
    return "\n".join(lines)


def _written(number: float | None) -> str:
    return "–" if number is None else f"{number:.1g}"
