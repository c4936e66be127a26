"""Fidelity to a truth that may lie a little beside: the best over all shifts within a tolerance.

Where the truth was recorded apart and registered, metrics pixel by pixel measure what registration
left as much as restoration. These take the best of all whole-pixel shifts of the whole image that
are no longer than the tolerance that dataset.toml states. So does the cPSNR of Märtens et al. 2019
(doi:10.1007/s42064-019-0059-8), with ± 3 pixels. One shift for all: blocks with a shift each would
forgive a method that puts structures in wrong places.

Without tolerance they are the plain metrics, and with more they never get worse. The best of many
shifts is a little higher by chance alone, for every method: compare methods with each other, not
tolerant with plain values. Not applicable where truth or prediction is constant, or smaller than
twice the tolerance.
"""

from collections.abc import Callable

import numpy as np

from benchmark.metrics import fidelity
from benchmark.metrics.metric import Image, NotApplicable, metric


@metric(label="SI-PSNR A, tolerant", direction="higher", unit="dB")
def si_psnr_tolerant(
    truth: Image, prediction: Image, pixel_um: float, tolerance_um: float
) -> float:
    """Scale-invariant PSNR at the best shift within the stated tolerance.

    The largest `si_psnr_a` of truth and shifted prediction over what both show. Infinite where a
    shifted fit is perfect.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((16, 16))
    >>> si_psnr_tolerant(truth, np.roll(truth, 1, axis=0), 0.1, 0.1)
    inf
    """
    return _best(fidelity.si_psnr_a, truth, prediction, tolerance_um / pixel_um)


@metric(label="Pearson, tolerant", direction="higher")
def pearson_tolerant(
    truth: Image, prediction: Image, pixel_um: float, tolerance_um: float
) -> float:
    """Pearson correlation at the best shift within the stated tolerance.

    The largest `pearson` of truth and shifted prediction over what both show. −1 to 1.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((16, 16))
    >>> round(pearson_tolerant(truth, np.roll(truth, -2, axis=1), 0.1, 0.2), 6)
    1.0
    """
    return _best(fidelity.pearson, truth, prediction, tolerance_um / pixel_um)


def _best(
    score: Callable[[Image, Image], float], truth: Image, prediction: Image, tolerance_px: float
) -> float:
    """Return the highest score over shifts whose length is at most the tolerance."""
    tolerance_px *= 1 + 1e-9  # 0.3 µm are 3 pixels of 0.1 µm, also in floating point
    reach = int(tolerance_px)
    if 2 * reach >= min(truth.shape):
        raise NotApplicable("The tolerance is as long as half the image.")
    best = score(truth, prediction)  # whole images: what the plain metric sees
    for y, x in np.ndindex(2 * reach + 1, 2 * reach + 1):
        dy, dx = y - reach, x - reach
        if 0 < dy**2 + dx**2 <= tolerance_px**2:
            try:
                best = max(best, score(_part(truth, dy, dx), _part(prediction, -dy, -dx)))
            except NotApplicable:  # all that varies lies outside what both show
                continue
    return best


def _part(image: Image, dy: int, dx: int) -> Image:
    """Return what of an image another one shows that is shifted so far."""
    rows, columns = (
        slice(max(0, step), length + min(0, step))
        for step, length in zip((dy, dx), image.shape, strict=True)
    )
    return image[rows, columns]
