"""From photons to the counts that a two-photon microscope writes, one step per function.

The steps take and return float tensors of any shape; all randomness comes from a generator on the
tensor's device.
"""

import torch
from torch import Generator, Tensor

MAX_COUNT = 2**16 - 1


def expected_photons(brightness: Tensor, photons: float, background_photons: float) -> Tensor:
    """Mean number of photons per pixel.

    Parameters
    ----------
    brightness
        Relative brightness: 0 is background, 1 bright structure; not negative.
    photons, background_photons
        Photons per pixel at brightness 1, and those added everywhere.

    Returns
    -------
    Tensor
        Same shape.
    """
    return brightness * photons + background_photons


def detect(expected: Tensor, generator: Generator) -> Tensor:
    """Draw the number of detected photons (Poisson).

    Parameters
    ----------
    expected
        Mean number of photons per pixel.
    generator
        Source of randomness.

    Returns
    -------
    Tensor
        Same shape, whole numbers.
    """
    return torch.poisson(expected, generator=generator)


def multiply(detected: Tensor, excess_noise_factor: float, generator: Generator) -> Tensor:
    """Amplify in a photomultiplier, in units of its mean response to one photon.

    The first dynode rules the noise: each photon frees Poisson(δ) electrons, which makes the
    variance of the signal 1 + 1/δ times that of the photons, so δ = 1/(F − 1).

    Parameters
    ----------
    detected
        Photons per pixel.
    excess_noise_factor
        F, at least 1; 1 is noiseless multiplication.
    generator
        Source of randomness.

    Returns
    -------
    Tensor
        Same shape and mean as `detected`, variance (F − 1) per photon.
    """
    if excess_noise_factor == 1:
        return detected
    electrons_per_photon = 1 / (excess_noise_factor - 1)
    electrons = torch.poisson(detected * electrons_per_photon, generator=generator)
    return electrons / electrons_per_photon


def read_out(
    signal: Tensor,
    gain_counts_per_photon: float,
    offset_counts: float,
    read_noise_counts: float,
    generator: Generator,
) -> Tensor:
    """Turn the signal into counts and add Gaussian read noise.

    Parameters
    ----------
    signal
        In units of the mean response to one photon.
    gain_counts_per_photon, offset_counts, read_noise_counts
        Counts per photon, counts without light, and standard deviation of the noise.
    generator
        Source of randomness.

    Returns
    -------
    Tensor
        Same shape.
    """
    noise = torch.empty_like(signal).normal_(generator=generator)
    return signal * gain_counts_per_photon + offset_counts + noise * read_noise_counts


def digitise(counts: Tensor) -> Tensor:
    """Clip to the range of the converter and round to whole counts.

    Parameters
    ----------
    counts
        Counts, any real number.

    Returns
    -------
    Tensor
        Same shape, uint16.
    """
    return counts.round().clamp(0, MAX_COUNT).to(torch.uint16)
