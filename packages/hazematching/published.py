"""HazeMatching as published: the U-Net of the velocity, Euler's method, a grid of times.

Ray, Ashesh and Jug 2025, https://arxiv.org/abs/2506.22397. Group normalisation and attention look
at the whole tile, so tiles do not agree where they overlap; 19 calls of the whole network make one
sample.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.hazematching.flow import embed_times, euler, euler_times, refuse_steps
from packages.posterior import Calibration, FieldChoice, NoiseBank, refuse_samples, summarise

_GROUPS = 32


class ResidualBlock(nn.Module):
    """Two convolutions with group normalisation; the time is added between them.

    Parameters
    ----------
    channels_in, channels_out
        Channels before and after.
    time_size
        Of the embedded time.
    """

    def __init__(self, channels_in: int, channels_out: int, time_size: int) -> None:
        super().__init__()
        self.before = nn.Sequential(
            nn.GroupNorm(_GROUPS, channels_in),
            nn.SiLU(),
            nn.Conv2d(channels_in, channels_out, 3, padding=1),
        )
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(time_size, channels_out))
        self.after = nn.Sequential(
            nn.GroupNorm(_GROUPS, channels_out),
            nn.SiLU(),
            zeroed(nn.Conv2d(channels_out, channels_out, 3, padding=1)),
        )
        self.skip = (
            nn.Identity()
            if channels_in == channels_out
            else nn.Conv2d(channels_in, channels_out, 1)
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return shape (batch, channels_out, y, x) from (batch, channels_in, y, x)."""
        h = self.before(x) + self.time(time)[:, :, None, None]
        return self.skip(x) + self.after(h)


class Attention(nn.Module):
    """Every pixel looks at every other, with one head.

    Parameters
    ----------
    channels
        Of the image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.query_key_value = nn.Conv1d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape, (batch, channels, y, x)."""
        query, key, value = self.query_key_value(self.norm(x).flatten(2)).chunk(3, dim=1)
        # Over keys, for each query; shape (batch, query, key).
        weights = (query.transpose(1, 2) @ key / query.shape[1] ** 0.5).softmax(dim=2)
        return x + self.out(value @ weights.transpose(1, 2)).reshape(x.shape)


class VelocityUNet(nn.Module):
    """U-Net of the velocity, one residual block per level on the way down, two on the way up.

    Parameters
    ----------
    base
        Channels that the multipliers multiply.
    multipliers
        One per level; each level after the first halves the resolution.
    attention_level
        Level with attention, beside the bottom.
    """

    def __init__(self, *, base: int, multipliers: Sequence[int], attention_level: int) -> None:
        super().__init__()
        time_size = 4 * base
        widths = [base * m for m in multipliers]
        self.base = base
        self.attention_level = attention_level
        self.time = nn.Sequential(
            nn.Linear(base, time_size), nn.SiLU(), nn.Linear(time_size, time_size)
        )
        self.stem = nn.Conv2d(2, widths[0], 3, padding=1)
        skips = [widths[0]]
        self.down = nn.ModuleList()
        self.downsample = nn.ModuleList()
        before = widths[0]
        for level, width in enumerate(widths):
            self.down.append(ResidualBlock(before, width, time_size))
            skips.append(width)
            if level < len(widths) - 1:
                self.downsample.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                skips.append(width)
            before = width
        self.down_attention = Attention(widths[attention_level])
        self.bottom = nn.ModuleList(
            [ResidualBlock(before, before, time_size), ResidualBlock(before, before, time_size)]
        )
        self.bottom_attention = Attention(before)
        self.up = nn.ModuleList()
        self.upsample = nn.ModuleList()
        for level in reversed(range(len(widths))):
            for _ in range(2):
                self.up.append(ResidualBlock(before + skips.pop(), widths[level], time_size))
                before = widths[level]
            if level:
                self.upsample.append(nn.Conv2d(before, before, 3, padding=1))
        self.up_attention = nn.ModuleList([Attention(widths[attention_level]) for _ in range(2)])
        self.out = nn.Sequential(
            nn.GroupNorm(_GROUPS, before), nn.SiLU(), zeroed(nn.Conv2d(before, 1, 3, padding=1))
        )

    def forward(self, state: Tensor, time: Tensor, image: Tensor) -> Tensor:
        """Return the velocity.

        Parameters
        ----------
        state
            x_t, shape (batch, 1, y, x).
        time
            t, shape (batch,) or (1,); it is embedded as it is, from 0 to 1.
        image
            Degraded image, shape (batch, 1, y, x).

        Returns
        -------
        Tensor
            Shape (batch, 1, y, x).
        """
        embedded = self.time(embed_times(time, self.base))
        x = self.stem(torch.cat([state, image], dim=1))
        skips = [x]
        for level, block in enumerate(self.down):
            x = block(x, embedded)
            if level == self.attention_level:
                x = self.down_attention(x)
            skips.append(x)
            if level < len(self.downsample):
                x = self.downsample[level](x)
                skips.append(x)
        x = self.bottom[0](x, embedded)
        x = self.bottom[1](self.bottom_attention(x), embedded)
        for i, block in enumerate(self.up):
            level = len(self.down) - 1 - i // 2
            x = block(torch.cat([x, skips.pop()], dim=1), embedded)
            if level == self.attention_level:
                x = self.up_attention[i % 2](x)
            if level and i % 2:
                x = self.upsample[i // 2](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.out(x)


class PublishedHazeMatching(nn.Module):
    """Guided conditional flow matching on the image itself, as published.

    Parameters
    ----------
    base, multipliers, attention_level
        Of the U-Net; the published ones are for patches of 128² pixels, where attention is at
        16². For 64² they are (1, 2, 3, 4) with attention at level 2.
    samples
        Draws of the posterior, even.
    steps
        Of Euler's method, and calls of the network for each draw: 20 points of a grid of times.
    """

    published: ClassVar[bool] = True

    def __init__(
        self,
        *,
        base: int = 32,
        multipliers: Sequence[int] = (1, 1, 2, 3, 4),
        attention_level: int = 3,
        samples: int = 16,
        steps: int = 19,
    ) -> None:
        super().__init__()
        refuse_samples(samples)
        refuse_steps(steps)
        self.samples = samples
        self.steps = steps
        self.divisor = 64
        self.factor = 1
        self.velocity = VelocityUNet(
            base=base, multipliers=multipliers, attention_level=attention_level
        )
        self.register_buffer("times", torch.tensor(euler_times(steps)), persistent=False)
        self.times: Tensor
        self.choose = FieldChoice(self.divisor)
        self.noise = NoiseBank(1, self.divisor)
        self.calibration = Calibration()

    def draw(self, image: Tensor, noise: Tensor) -> Tensor:
        """Carry noise to a sample of the posterior; both of shape (batch, 1, y, x)."""

        def velocity(state: Tensor, i: int) -> Tensor:
            return self.velocity(state, self.times[i : i + 1], image)

        return euler(velocity, noise, self.steps)

    def forward(self, image: Tensor) -> Tensor:
        """Return mean, standard deviation and a sample of the posterior.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`.

        Returns
        -------
        Tensor
            Shape (batch, 3, y, x).
        """
        chosen = self.choose(image)
        samples = [self.draw(image, self.noise(k, chosen)) for k in range(self.samples)]
        return summarise(samples, [], self.calibration)


def zeroed(layer: nn.Module) -> nn.Module:
    """Set all parameters of a layer to 0: a branch that ends in it starts as nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
