"""On which scale a package delivers intensities, as its description states it."""

from collections.abc import Iterator
from dataclasses import dataclass

from bioimageio.spec.model import v0_5

from packages.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from packages.package import Package, spatial_axes

_KEEPS_SCALE = ("ensure_dtype", "clip")


@dataclass(frozen=True)
class Delivery:
    """What truth is to be normalised like, so that it can be compared without any fit.

    Attributes
    ----------
    percentiles
        Of the image that become 0 and 1; None where the package delivers on a scale of its own.
    of_volume
        Whether they are taken over a whole stack instead of each of its planes.
    """

    percentiles: tuple[float, float] | None = (LOW_PERCENTILE, HIGH_PERCENTILE)
    of_volume: bool = False


def delivery_of(package: Package) -> Delivery:
    """Read on which scale a package delivers.

    A network that was trained on normalised pairs gives what it was given: the last step that
    changes the scale decides, before the network or behind it. Only percentiles of the image itself
    can be taken of the truth as well.

    Parameters
    ----------
    package
        An open package.

    Returns
    -------
    Delivery
        Percentiles are None without such a step, and after any other one.
    """
    z = spatial_axes(package.input).get("z")
    deciding = list(_scaling(package))
    last = deciding[-1] if deciding else None
    if not isinstance(last, v0_5.ScaleRangeDescr) or last.kwargs.reference_tensor is not None:
        return Delivery(None, z is not None)
    over = last.kwargs.axes
    return Delivery(
        (float(last.kwargs.min_percentile), float(last.kwargs.max_percentile)),
        z is not None and (over is None or z.id in over),
    )


def _scaling(package: Package) -> Iterator[object]:
    """Yield the steps that change intensities in the order in which they do."""
    for step in (*package.input.preprocessing, *package.output.postprocessing):
        if step.id not in _KEEPS_SCALE:
            yield step
