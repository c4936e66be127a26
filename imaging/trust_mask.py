"""What a package promises of the structures that it restores, and from which height on."""

import math
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from imaging.files import FINITE, Sha256

PROMISED = ("0.9", "0.95")
"""Shares of real structures that are promised, where images suffice; the first one always is."""


def _of_shares(values: dict[str, float]) -> dict[str, float]:
    if list(values) != list(PROMISED[: len(values)]) or not values:
        raise ValueError(f"it has entries for {', '.join(PROMISED)}, in this order")
    if any(not 0 <= value < math.inf for value in values.values()):
        raise ValueError("its numbers are from 0")
    return values


def _rising(values: dict[str, float]) -> dict[str, float]:
    if list(values.values()) != sorted(values.values()):
        raise ValueError("its numbers do not rise")
    return values


ByShare = Annotated[dict[str, float], AfterValidator(_of_shares)]


@dataclass(frozen=True, config=FINITE)
class TrustMask:
    """From which height on restored structures are believed.

    Attributes
    ----------
    heights
        By promised share of real structures: those that stand out further than this are believed.
    scale_px
        Radius of a piece of structure, in pixels of the restored image; see `imaging.structures`.
    false, found
        On validation images, by promised share: the share of false structures among those
        believed, and the share of the truth's structures that the mask covers; means over images.
    calibration_images, validation_images
        How many the heights were found on, and how many they were judged on.
    data, data_sha256
        Name and hash of their dataset.
    """

    heights: Annotated[ByShare, AfterValidator(_rising)]
    scale_px: Annotated[int, Field(ge=1, le=64)]
    false: ByShare
    found: ByShare
    calibration_images: Annotated[int, Field(ge=1)]
    validation_images: Annotated[int, Field(ge=1)]
    data: str
    data_sha256: Sha256

    @property
    def levels(self) -> list[float]:
        """Return the heights in rising order: a pixel of a mask counts how many are exceeded."""
        return list(self.heights.values())

    @property
    def sentence(self) -> str:
        """Say what is promised, of what, and where it ends."""
        shares = ", and ".join(
            f"where it is at least {number}, {1 - float(share):.0%}"
            for number, share in enumerate(self.heights, start=1)
        )
        return (
            "Of the structures of a restored image that the trust mask covers, at most so many are "
            f"expected to be false: {shares}. This is the mean over images like the "
            f"{self.calibration_images} calibration images of '{self.data}', of the same "
            "microscope and kind of structures; nothing is promised of a single image, of other "
            "microscopes or structures, of detail finer than a structure, and of what was lost."
        )
