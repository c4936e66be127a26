"""What the networks share that answer with samples: stored noise, calibration, the summary.

`python -m packages build` copies this file into the packages of the models that import it, so it
knows torch and the standard library only.
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAIRS = 32
"""Noise fields in a bank, each for two samples of opposite noise: as many pairs can be drawn."""
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


class FieldChoice(nn.Module):
    """Which field of a noise bank each cell of an image gets: by what the cell shows.

    A tile does not know where in the image it lies, and fields that simply repeat are seen as a
    grid. What a cell shows goes along with it, so it gets the same noise in every tile that begins
    at a multiple of the cell's side. Of as many fixed patterns as there are fields, the one that is
    most like the cell says which; patterns of mean 0, so that neither an offset nor a gain of the
    image changes that.

    Parameters
    ----------
    side
        Of a cell, in pixels.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        # Of Python's generator, which promises the same numbers in all versions.
        generator = random.Random(0)
        patterns = torch.tensor(
            [[generator.random() for _ in range(PAIRS)] for _ in range(side**2)]
        )
        self.register_buffer("patterns", patterns - patterns.mean(dim=0), persistent=False)
        self.patterns: Tensor
        # Rounding must not choose where all pixels are equal.
        self.register_buffer(
            "handicap", torch.tensor([0.0] + [1e-3] * (PAIRS - 1)), persistent=False
        )
        self.handicap: Tensor
        self.side = side

    def forward(self, image: Tensor) -> Tensor:
        """Choose.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `side`.

        Returns
        -------
        Tensor
            Numbers from 0 to `PAIRS` - 1, shape (batch, y / side, x / side).
        """
        cells = F.pixel_unshuffle(image, self.side).permute(0, 2, 3, 1)
        return (cells @ self.patterns - self.handicap).argmax(dim=-1)


class NoiseBank(nn.Module):
    """Standard normal noise for the cells of an image, chosen by `FieldChoice`.

    The fields are stored, for no two libraries draw the same random numbers. Samples come in
    antithetic pairs, z and −z: what is linear in the noise cancels in their mean.

    Parameters
    ----------
    channels
        Of a field.
    side
        Of a field, on the grid on which it is used.
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

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *others: Any, **named: Any
    ) -> None:
        """Load fields, or the corner of larger ones, which weights of before have.

        Nothing was trained on them, and a part of normal noise is normal noise.
        """
        stored = state_dict.get(f"{prefix}fields")
        if stored is not None:
            state_dict[f"{prefix}fields"] = stored[..., : self.side, : self.side]
        super()._load_from_state_dict(state_dict, prefix, *others, **named)

    def forward(self, draw: int, chosen: Tensor) -> Tensor:
        """Return the noise of one sample.

        Parameters
        ----------
        draw
            Number of the sample, from 0; an odd one is the mirror image of the one before it.
        chosen
            By `FieldChoice`, shape (batch, rows, columns).

        Returns
        -------
        Tensor
            Shape (batch, channels, rows · side, columns · side).
        """
        batch, rows, columns = chosen.shape
        # Channels of a cell together, as convolutions like them.
        fields = self.fields[(chosen + draw // 2) % PAIRS].permute(0, 1, 4, 2, 5, 3)
        field = fields.reshape(batch, rows * self.side, columns * self.side, -1).permute(0, 3, 1, 2)
        return field * (-1.0 if draw % 2 else 1.0)


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
            ramp = torch.clamp(std - self.knots[i], torch.zeros_like(width), width)
            calibrated = torch.addcmul(calibrated, ramp, slope)
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
