"""Find from which height on restored structures are believed, and measure what that brings."""

from collections.abc import Sequence

import numpy as np

from imaging.risk_control import Judged, false_share, fewest_images, lowest_threshold
from imaging.structures import (
    FAINTEST,
    SCALE_PX,
    are_shown,
    covered_share,
    find_structures,
    paint,
)
from imaging.trust_mask import PROMISED, TrustMask
from training.restored import Restored

FEWEST_IMAGES = fewest_images(1 - float(PROMISED[0]))
"""Calibration images below which nothing can be promised."""


def fit_trust(
    calibration: Sequence[Restored],
    validation: Sequence[Restored],
    *,
    data: str,
    data_sha256: str,
) -> TrustMask | None:
    """Find the heights above which restored structures are believed.

    Parameters
    ----------
    calibration
        Images to find them on; of volumes the middle planes, for planes of one are alike.
    validation
        Others, to measure what they bring.
    data, data_sha256
        Name and hash of their dataset.

    Returns
    -------
    TrustMask or None
        None where the calibration images are too few for any promise.
    """
    judged = [_judge(image.middle_plane) for image in calibration]
    found = {share: lowest_threshold(judged, 1 - float(share), FAINTEST) for share in PROMISED}
    heights = {share: height for share, height in found.items() if height is not None}
    if not heights:
        return None
    validation = [image.middle_plane for image in validation]
    unseen = [_judge(image) for image in validation]
    return TrustMask(
        heights=heights,
        scale_px=SCALE_PX,
        false={
            share: float(np.mean([false_share(image, height) for image in unseen]))
            for share, height in heights.items()
        },
        found={
            share: _mean([_found(image, height) for image in validation])
            for share, height in heights.items()
        },
        calibration_images=len(calibration),
        validation_images=len(validation),
        data=data,
        data_sha256=data_sha256,
    )


def _judge(image: Restored) -> Judged:
    structures = find_structures(image.mean)
    return Judged(structures.heights, are_shown(structures, image.truth))


def _found(image: Restored, height: float) -> float | None:
    """Return the share of the truth's structures that a mask covers, where it has any."""
    mask = paint(image.mean, [height])
    return covered_share(image.truth, mask)


def _mean(shares: Sequence[float | None]) -> float:
    known = [share for share in shares if share is not None]
    return float(np.mean(known)) if known else 0.0
