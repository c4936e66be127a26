"""The trust tests on phantoms of known geometry, in the order in which they are reported."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from benchmark.trust import amplitudes, crossings, depth, empty, gaps, protrusions, separation
from benchmark.trust.plane import Geometry, Outcome, Plane
from benchmark.trust.values import TrustValue
from benchmark.trust.volume import Volume


@dataclass(frozen=True)
class TrustTest:
    """One test.

    Attributes
    ----------
    name
        Its entry in the table.
    structure
        Of the phantoms, as `training simulate` names it.
    look
        Judges what is in a restored image, of a microscope with a PSF of some width, µm.
    summarise
        Makes values of what was seen in all images, with the same width.
    """

    name: str
    structure: str
    look: Callable[[Plane, Geometry, float], list[Outcome]]
    summarise: Callable[[pd.DataFrame, float], list[TrustValue]]


@dataclass(frozen=True)
class VolumeTest:
    """One test on volumes: as `TrustTest`, but for what it looks at."""

    name: str
    structure: str
    look: Callable[[Volume, Geometry], list[Outcome]]
    summarise: Callable[[pd.DataFrame], list[TrustValue]]


TESTS = (
    TrustTest(
        "points",
        "point-pairs",
        lambda plane, geometry, _: separation.see_points(plane, geometry),
        lambda outcomes, _: separation.summarise(outcomes),
    ),
    TrustTest(
        "tubes",
        "tube-pairs",
        lambda plane, geometry, _: separation.see_tubes(plane, geometry),
        lambda outcomes, _: separation.summarise(outcomes),
    ),
    TrustTest(
        "gaps", "gaps", lambda plane, geometry, _: gaps.follow(plane, geometry), gaps.summarise
    ),
    TrustTest(
        "crossings", "crossings", crossings.count, lambda outcomes, _: crossings.summarise(outcomes)
    ),
    TrustTest(
        "spines",
        "spines",
        lambda plane, geometry, _: protrusions.look(plane, geometry),
        lambda outcomes, _: protrusions.summarise(outcomes),
    ),
    TrustTest("empty", "empty", empty.look, lambda outcomes, _: empty.summarise(outcomes)),
    TrustTest(
        "amplitudes",
        "point-pairs",
        amplitudes.compare,
        lambda outcomes, _: amplitudes.summarise(outcomes),
    ),
)
VOLUME_TESTS = (
    VolumeTest("axial points", "axial-pairs", depth.see, depth.summarise),
    VolumeTest("axial tubes", "depth-crossings", depth.see, depth.summarise),
)
