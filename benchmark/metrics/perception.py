"""How different two images look to a network trained on photographs: LPIPS."""

import numpy as np
import torch

from benchmark.metrics.intensity import affine_fit, value_range
from benchmark.metrics.lpips import BACKBONE, HEADS, load
from benchmark.metrics.metric import Image, NotApplicable, metric
from benchmark.metrics.weights import find_weights

_SMALLEST_SIDE = 31  # below, AlexNet's second pooling has nothing left to pool


@metric(label="LPIPS (AlexNet)", direction="lower")
def lpips_alex(truth: Image, prediction: Image) -> float:
    """Learned perceptual distance, v0.1 with AlexNet, after the best affine intensity fit.

    The prediction is fitted to the truth by least squares, then percentiles 0.1 and 99.9 of the
    truth are mapped to −1 and 1, both images are clipped there and repeated in three channels. See
    `benchmark.metrics.lpips` for the formula and its source. The network knows photographs, not
    microscopy; differences of 0.01 have no established meaning there. 0 for equal images, seldom
    above 1; not applicable to images below 31 x 31 pixels or constant ones, and where the weights
    are not there.

    Examples
    --------
    >>> lpips_alex(np.eye(30), np.eye(30))
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: LPIPS needs at least 31 x 31 pixels, not 30 x 30.
    """
    if min(truth.shape) < _SMALLEST_SIDE:
        raise NotApplicable(
            f"LPIPS needs at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels, "
            f"not {truth.shape[0]} x {truth.shape[1]}."
        )
    value_range(truth)
    fitted = affine_fit(truth, prediction)
    low, high = np.percentile(truth, [0.1, 99.9])
    if high <= low:
        raise NotApplicable("The truth is almost empty: its percentiles 0.1 and 99.9 are equal.")
    backbone, heads = find_weights(BACKBONE), find_weights(HEADS)
    pair = (np.stack([truth, fitted]) - low) / (high - low) * 2 - 1
    pictures = torch.from_numpy(pair.clip(-1, 1).astype(np.float32))
    pictures = pictures[:, None, None].expand(-1, 1, 3, -1, -1)
    with torch.inference_mode():
        return float(load(backbone, heads)(pictures[0], pictures[1]))
