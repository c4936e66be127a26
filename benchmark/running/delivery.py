"""What a package states of what it delivers: scale of intensities, intervals, trust mask."""

import math
from typing import Any

from bioimageio.spec.model import v0_5
from pydantic import TypeAdapter, ValidationError

from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from imaging.scores import Delivery
from imaging.trust_mask import TrustMask
from packages.package import Package

_KEEPS_SCALE = ("ensure_dtype", "clip")


def delivery_of(package: Package) -> Delivery:
    """Read on which scale a package delivers.

    A network that was trained on normalised pairs gives what it was given: the last step that
    changes the scale decides, before the network or behind it. Percentiles of the image itself can
    be taken of the truth as well, so that both are on one scale. With other percentiles than
    everybody's they could, too, but scores without a fit would then compare choices of percentiles:
    of packages that do nothing, one would be ahead.

    Parameters
    ----------
    package
        An open package.

    Returns
    -------
    str
        "image" for the percentiles that all planes of an image share; "own" for other percentiles,
        those of several channels together, any other step, or none.
    """
    steps = (*package.input.preprocessing, *package.output.postprocessing)
    scaling = [step for step in steps if step.id not in _KEEPS_SCALE]
    last = scaling[-1] if scaling else None
    if not isinstance(last, v0_5.ScaleRangeDescr) or last.kwargs.reference_tensor is not None:
        return "own"
    if (last.kwargs.min_percentile, last.kwargs.max_percentile) != (
        LOW_PERCENTILE,
        HIGH_PERCENTILE,
    ):
        return "own"
    over = last.kwargs.axes
    channels = [axis for axis in package.input.axes if isinstance(axis, v0_5.ChannelAxis)]
    if any(len(c.channel_names) > 1 and (over is None or c.id in over) for c in channels):
        return "own"
    return "image"


def interval_factors(package: Package) -> dict[str, float]:
    """Read how wide a package's own intervals are.

    Parameters
    ----------
    package
        An open package.

    Returns
    -------
    dict
        Half-widths in its standard deviations by nominal coverage, "0.9" for instance, as
        ``config.restoration_zoo.calibration`` of its rdf.yaml says; empty when it does not.
    """
    stated: Any = package.own_entries
    for entry in ("calibration", "interval_factors"):
        stated = stated.get(entry, {}) if isinstance(stated, dict) else {}
    try:
        factors = {str(level): float(factor) for level, factor in stated.items()}
        usable = [0 < float(level) < 1 and 0 < f < math.inf for level, f in factors.items()]
    except (AttributeError, TypeError, ValueError):
        return {}
    return factors if all(usable) else {}


def trust_mask_of(package: Package) -> TrustMask | None:
    """Read what a package promises of structures; None where nothing that can be understood."""
    try:
        return TypeAdapter(TrustMask).validate_python(package.own_entries.get("trust_mask"))
    except ValidationError:
        return None
