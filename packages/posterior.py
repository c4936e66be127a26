"""What the networks share that answer with samples: stored noise, calibration, the summary.

`python -m packages build` copies this file into the packages of the models that import it, so it
knows torch and the standard library only.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

PAIRS = 32
"""Antithetic pairs of noise fields in a bank: at most twice as many samples can be drawn."""
KNOTS = 33
"""Points between which the calibration of a standard deviation is linear."""


def refuse_samples(samples: int) -> None:
    """Make sure that a number of samples can be drawn from a noise bank and summarised.

    Parameters
    ----------
    samples
        Draws of the posterior for each image.

    Raises
    ------
    ValueError
        Fewer than two, odd, or more than the bank holds.
    """
    if samples < 2:
        raise ValueError(f"{samples} sample(s) have no standard deviation: ask for at least 2")
    if samples % 2:
        raise ValueError(
            f"{samples} samples cannot be drawn in antithetic pairs: ask for an even number"
        )
    if samples > 2 * PAIRS:
        raise ValueError(f"the noise bank holds {2 * PAIRS} samples: {samples} are too many")


class NoiseBank(nn.Module):
    """Standard normal noise that is the same for the same place, whatever the tile.

    The fields repeat with the side of the bank, so tiles that start at multiples of it agree where
    they overlap. They are stored, for no two libraries draw the same random numbers. Samples come
    in antithetic pairs, z and −z: what is linear in the noise cancels in their mean.

    Parameters
    ----------
    channels
        Of a field.
    side
        Pixels after which the fields repeat, on the grid on which they are used.
    seed
        Of the fields.
    """

    def __init__(self, channels: int, side: int, *, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        fields = torch.randn(PAIRS, channels, side, side, generator=generator)
        self.register_buffer("fields", fields)
        self.fields: Tensor
        self.side = side

    def forward(self, draw: int, like: Tensor) -> Tensor:
        """Return the noise of one sample.

        Parameters
        ----------
        draw
            Number of the sample, from 0; an odd one is the mirror image of the one before it.
        like
            Shape (batch, any, y, x); y and x are multiples of the bank's side.

        Returns
        -------
        Tensor
            Shape (1, channels, y, x): every image of a batch gets the same.
        """
        field = self.fields[draw // 2 : draw // 2 + 1]
        rows, columns = like.shape[-2] // self.side, like.shape[-1] // self.side
        return field.repeat(1, 1, rows, columns) * (-1.0 if draw % 2 else 1.0)


class Calibration(nn.Module):
    """A monotone, piecewise linear map of standard deviations; the identity until it is fitted.

    Attributes
    ----------
    knots, values
        Shape (KNOTS,), increasing: `knots[i]` becomes `values[i]`. Beyond the last one the ratio
        of the last one holds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("knots", torch.linspace(0, 1, KNOTS))
        self.register_buffer("values", torch.linspace(0, 1, KNOTS))
        self.knots: Tensor
        self.values: Tensor

    def forward(self, std: Tensor) -> Tensor:
        """Calibrate.

        Parameters
        ----------
        std
            Any shape, not negative.

        Returns
        -------
        Tensor
            Of the same shape.
        """
        # A sum of ramps instead of a search: every format and engine has its operators.
        calibrated = self.values[0] + torch.zeros_like(std)
        for i in range(KNOTS - 1):
            width = self.knots[i + 1] - self.knots[i]
            slope = (self.values[i + 1] - self.values[i]) / width
            calibrated = calibrated + slope * torch.minimum((std - self.knots[i]).relu(), width)
        beyond = (std - self.knots[-1]).relu()
        return calibrated + beyond * self.values[-1] / self.knots[-1]


def summarise(
    samples: Sequence[Tensor], variances: Sequence[Tensor], calibration: Calibration
) -> Tensor:
    """Return mean, calibrated standard deviation and one sample of a posterior.

    With m the mean of an antithetic pair and h half its difference, the variance of a sample is
    ⟨h²⟩ + Var m, and the mean of P pairs adds Var m / P to its error; what is linear in the noise
    has Var m = 0. By the law of total variance, the mean of the variances that the samples state
    themselves is added.

    Parameters
    ----------
    samples
        In antithetic pairs as `NoiseBank` gives them, shape (batch, 1, y, x) each.
    variances
        What is left uncertain given a sample, same shapes; empty when nothing is.
    calibration
        Of the standard deviation.

    Returns
    -------
    Tensor
        Shape (batch, 3, y, x): mean, std, sample.
    """
    drawn = torch.stack(list(samples))
    pairs = drawn.shape[0] // 2
    middles, halves = (drawn[0::2] + drawn[1::2]) / 2, (drawn[0::2] - drawn[1::2]) / 2
    mean = middles.mean(dim=0)
    variance = (halves**2).mean(dim=0)
    if pairs > 1:
        scatter = ((middles - mean) ** 2).sum(dim=0) / (pairs - 1)
        variance = variance + scatter * (1 + 1 / pairs)
    if variances:
        variance = variance + torch.stack(list(variances)).mean(dim=0)
    # Its gradient at 0 would be infinite, and some engines give NaN for a tiny negative.
    std = variance.clamp(min=1e-12).sqrt()
    return torch.cat([mean, calibration(std), samples[0]], dim=1)
