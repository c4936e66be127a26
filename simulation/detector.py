"""From photons to the counts that a two-photon microscope writes, one step per function.

The steps take and return float tensors of any shape; a parameter is a number, or a tensor that
broadcasts against them: (batch, 1, 1) for one number per image. All randomness comes from a
generator on the tensor's device.

A microscope may scan each line several times and write the mean: `averaged_lines` scans keep the
mean and divide the variance of every noise by their number.
"""

import torch
from torch import Generator, Tensor

_LEAST_EXCESS = 1e-4


def detect(expected: Tensor, generator: Generator, averaged_lines: float | Tensor = 1) -> Tensor:
    """Draw the number of detected photons (Poisson).

    Parameters
    ----------
    expected
        Mean number of photons per pixel and scan.
    generator
        Source of randomness.
    averaged_lines
        Scans of each line.

    Returns
    -------
    Tensor
        Same shape; photons per scan, whole numbers divided by `averaged_lines`.
    """
    return torch.poisson(expected * averaged_lines, generator=generator) / averaged_lines


def multiply(
    detected: Tensor,
    excess_noise_factor: float | Tensor,
    generator: Generator,
    averaged_lines: float | Tensor = 1,
) -> Tensor:
    """Amplify in a photomultiplier, in units of its mean response to one photon.

    Each photon frees Poisson(δ) electrons from a first dynode, each of these as many from a
    second; what follows adds hardly any noise. The variance of the signal is 1 + 1/δ + 1/δ² times
    that of the photons, from which δ follows.

    Parameters
    ----------
    detected
        Photons per pixel and scan.
    excess_noise_factor
        F, at least 1; 1 is noiseless multiplication.
    generator
        Source of randomness.
    averaged_lines
        Scans of each line.

    Returns
    -------
    Tensor
        Same shape and mean as `detected`, variance (F − 1) / averaged_lines per photon.
    """
    excess = torch.as_tensor(excess_noise_factor, dtype=detected.dtype, device=detected.device) - 1
    # Without excess noise δ is infinite: a large one stands in, and its result is not used.
    yield_ = 2 / ((1 + 4 * excess.clamp(min=_LEAST_EXCESS)).sqrt() - 1)
    first = torch.poisson(detected * averaged_lines * yield_, generator=generator)
    second = torch.poisson(first * yield_, generator=generator)
    return torch.where(excess > 0, second / (yield_**2 * averaged_lines), detected)


def read_out(
    signal: Tensor,
    gain_counts_per_photon: float | Tensor,
    offset_counts: float | Tensor,
    read_noise_counts: float | Tensor,
    generator: Generator,
    averaged_lines: float | Tensor = 1,
) -> Tensor:
    """Turn the signal into counts and add Gaussian read noise.

    Parameters
    ----------
    signal
        In units of the mean response to one photon.
    gain_counts_per_photon, offset_counts, read_noise_counts
        Counts per photon, counts without light, and standard deviation of one scan's noise.
    generator
        Source of randomness.
    averaged_lines
        Scans of each line.

    Returns
    -------
    Tensor
        Same shape.
    """
    noise = torch.empty_like(signal).normal_(generator=generator)
    noise_counts = noise * (read_noise_counts / averaged_lines**0.5)
    return signal * gain_counts_per_photon + offset_counts + noise_counts


def digitise(counts: Tensor, saturation_counts: float | Tensor) -> Tensor:
    """Round to whole counts and clip to the range of the converter.

    Parameters
    ----------
    counts
        Counts, any real number.
    saturation_counts
        The largest that is written, a whole number.

    Returns
    -------
    Tensor
        Same shape and type, whole numbers.
    """
    return counts.round().clamp(min=0).clamp(max=saturation_counts)
