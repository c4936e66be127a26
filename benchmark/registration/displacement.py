"""How far two images of one field are apart, block by block, whatever brought them there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.registration import phase_cross_correlation

from benchmark.metrics.metric import Image, NotApplicable

BLOCK_PX = 64
_UPSAMPLING = 10  # of the correlation's peak: a tenth of a pixel
_RICHEST = 0.5  # the share of blocks that have structure enough to be compared


@dataclass(frozen=True)
class Residual:
    """Displacements of blocks.

    Attributes
    ----------
    at_px
        (n, 2): centres of the blocks, y and x.
    shift_px
        (n, 2): how far along y and x from there the second image has what belongs there.
    """

    at_px: NDArray[np.float64]
    shift_px: NDArray[np.float64]

    @property
    def median_px(self) -> float:
        """Return the median length."""
        return float(np.median(np.linalg.norm(self.shift_px, axis=1)))

    @property
    def percentile_95_px(self) -> float:
        """Return the length that 95 % of the blocks stay below."""
        return float(np.percentile(np.linalg.norm(self.shift_px, axis=1), 95))


def measure_residual(first: Image, second: Image) -> Residual:
    """Find the shift of each block of an image against another one, by cross-correlation.

    Blocks of 64 x 64 pixels (of a third of the shorter side where that is less) that overlap by
    half, without their mean, under a Hann window; the peak of their circular correlation to a tenth
    of a pixel (Guizar-Sicairos et al. 2008, doi:10.1364/OL.33.000156). Only the half of the blocks
    with the most structure in the second image is looked at. The window holds what does not move,
    so long shifts come out a few percent too short. Noise alone gives shifts of a third of
    a block, so what is larger than a quarter says no more than "nothing in common".

    Parameters
    ----------
    first, second
        One shape (y, x), at least 24 x 24; blocks where the second has NaN are left out.

    Returns
    -------
    Residual
        With one block at least.

    Raises
    ------
    NotApplicable
        NaN everywhere.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((96, 96))
    >>> measure_residual(image, np.roll(image, (2, -3), (0, 1))).shift_px[0].tolist()
    [2.0, -3.0]
    """
    side = min(BLOCK_PX, min(first.shape) // 3)
    rows, columns = (range(0, length - side + 1, side // 2) for length in first.shape)
    corners = np.array([(y, x) for y in rows for x in columns])
    seen = [np.isfinite(second[y : y + side, x : x + side]).all() for y, x in corners]
    corners = corners[np.array(seen)]
    if not len(corners):
        raise NotApplicable("Not one block of the images overlaps.")
    structure = [second[y : y + side, x : x + side].std() for y, x in corners]
    richest = np.argsort(structure)[::-1][: max(1, round(_RICHEST * len(corners)))]
    corners = corners[richest]
    shifts = [
        phase_cross_correlation(
            _windowed(second[y : y + side, x : x + side]),
            _windowed(first[y : y + side, x : x + side]),
            upsample_factor=_UPSAMPLING,
            normalization=None,  # pyright: ignore[reportArgumentType]
        )[0]
        for y, x in corners
    ]
    return Residual(corners + (side - 1) / 2, np.array(shifts, dtype=np.float64))


def shared(one: Residual, other: Residual) -> tuple[Residual, Residual]:
    """Take the blocks that both have, as medians over other blocks do not compare.

    Parameters
    ----------
    one, other
        Of one image, with targets under different maps.

    Returns
    -------
    tuple of Residual
        With the same blocks in the same order; as given where no block is shared.
    """
    places = [{tuple(at): i for i, at in enumerate(of.at_px.tolist())} for of in (one, other)]
    both = [at for at in places[0] if at in places[1]]
    if not both:
        return one, other
    rows = [[of[at] for at in both] for of in places]
    return (
        Residual(one.at_px[rows[0]], one.shift_px[rows[0]]),
        Residual(other.at_px[rows[1]], other.shift_px[rows[1]]),
    )


def _windowed(block: Image) -> Image:
    window = np.hanning(block.shape[0])
    return (block - block.mean()) * window[:, None] * window
