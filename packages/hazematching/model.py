"""HazeMatching, guided conditional flow matching, for tiles and few calls of the network.

The published form (`published.py`) lets its whole network run at every step from noise to sample.
Here a U-Net sees the degraded image once. It gives features, the mean μ of what the image may have
been, and how far a pixel may be from it, σ. What flows from noise is the rest, r = (x₁ − μ) / σ, as
in posterior-mean rectified flow (Ohayon et al. 2024, https://arxiv.org/abs/2410.00418): of zero
mean and unit variance at each pixel, so that the flow only has to learn how neighbours vary
together, and a small network of few steps does it. All of it works on a grid of cells, each of
several pixels of the restored image, as `packages.care` does.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.care.model import (
    PlaneShuffle,
    UNet,
    along,
    as_planes,
    gathered,
    lay_out,
    layers_of,
    stacked,
)
from packages.hazematching.flow import embed_times, midpoint, midpoint_times, refuse_steps
from packages.hazematching.published import PublishedHazeMatching
from packages.posterior import Calibration, FieldChoice, NoiseBank, refuse_samples, summarise

SMALLEST_SCALE = 0.01
"""Of the deviation from the mean, in normalised intensity."""
TIME_SIZE = 32
"""Of the embedding of the time."""


class Encoding(NamedTuple):
    """What the degraded image says.

    Attributes
    ----------
    guides
        What guides the flow, for its stem and each of its blocks, on the grid of cells, shape
        (batch, width, rows, columns).
    mean
        μ, of the restored image's shape, (batch, 1, y, x).
    scale
        σ, of the same shape, positive.
    """

    guides: list[Tensor]
    mean: Tensor
    scale: Tensor


class LocalVelocity(nn.Module):
    """Velocity of the flow: residual blocks that look at a few cells around each.

    What is ambiguous is about as wide as the microscope's point spread function, so the reach need
    not be larger; what lies farther is in the condition.

    Parameters
    ----------
    pixels
        Of the restored image in a cell.
    width
        Channels of the blocks.
    blocks
        How many; each widens the reach by 2 cells, and in volumes by a plane.
    dimensions
        2 for planes, 3 for volumes.
    """

    def __init__(self, pixels: int, width: int, blocks: int, dimensions: int) -> None:
        super().__init__()
        convolution, _ = layers_of(dimensions)

        def in_plane(channels_out: int) -> nn.Module:
            kernel, padding = (along(dimensions, z=z, plane=p) for z, p in ((1, 3), (0, 1)))
            return convolution(width, channels_out, kernel, padding=padding)

        self.time = nn.Sequential(
            nn.Linear(TIME_SIZE, 2 * width), nn.SiLU(), nn.Linear(2 * width, blocks * 2 * width)
        )
        self.stem = convolution(pixels, width, 3, padding=1)
        self.before = nn.ModuleList(
            [convolution(width, width, 3, padding=1) for _ in range(blocks)]
        )
        self.after = nn.ModuleList([in_plane(width) for _ in range(blocks)])
        self.out = in_plane(pixels)
        nn.init.zeros_(cast(Tensor, self.out.weight))

    def modulation(self, times: Tensor) -> Tensor:
        """Return what times do to the blocks, shape (n, blocks · 2 · width), from shape (n,)."""
        return self.time(embed_times(1000 * times, TIME_SIZE))

    def forward(self, state: Tensor, modulation: Tensor, guides: Sequence[Tensor]) -> Tensor:
        """Return the velocity.

        Parameters
        ----------
        state
            r_t, the pixels of a cell as channels, shape (batch, pixels, rows, columns), or of
            volumes (batch, pixels, z, rows, columns), as everything here.
        modulation
            Of the time t, shape (batch, ...) or (1, ...).
        guides
            Of the image, one for the stem and one for each block, shape (batch, width, rows,
            columns).

        Returns
        -------
        Tensor
            Of the state's shape.
        """
        of_all = modulation[:, :, *(None,) * (state.ndim - 2)]
        scales_and_shifts = of_all.chunk(2 * len(self.before), dim=1)
        x = self.stem(state).add_(guides[0])
        for i, (before, after) in enumerate(zip(self.before, self.after, strict=True)):
            scale, shift = scales_and_shifts[2 * i : 2 * i + 2]
            h = modulated(cast(nn.Conv2d, before), F.relu(x), 1 + scale, shift).add_(guides[1 + i])
            x = after(h.relu_()).add_(x)
        return self.out(x.relu_())


def modulated(convolution: nn.Conv2d, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return a convolution times a scale plus a shift, those of one time or of each image.

    Those of one time the weights take up, so that nothing is left to do at each pixel; but not for
    ONNX, whose exporter takes no kernels but those that are stored.
    """
    if len(scale) > 1 or torch.onnx.is_in_onnx_export():
        return convolution(x) * scale + shift
    weight = convolution.weight * scale.transpose(0, 1)
    bias = cast(Tensor, convolution.bias) * scale.flatten() + shift.flatten()
    convolve = F.conv2d if x.ndim == 4 else F.conv3d
    return convolve(x, weight, bias, padding=cast(Any, convolution.padding))


class HazeMatching(nn.Module):
    """Draw from the posterior of an image.

    Parameters
    ----------
    filters, depth
        Of the U-Net that sees the degraded image.
    width, blocks
        Of the velocity, which runs twice a step for each sample.
    samples
        Draws of the posterior, even.
    steps
        From noise to sample, by the midpoint method.
    coarsen
        Pixels of the input along a cell.
    factor
        Pixels of the restored image along one of the input's.
    dimensions
        2 restores planes, 3 volumes, whose planes keep their distance.
    through_planes
        Of volumes, see `UNet`.
    """

    published: ClassVar[bool] = False

    def __init__(
        self,
        *,
        filters: int = 45,
        depth: int = 2,
        width: int = 48,
        blocks: int = 2,
        samples: int = 16,
        steps: int = 2,
        coarsen: int = 4,
        factor: int = 1,
        dimensions: int = 2,
        through_planes: int | None = None,
    ) -> None:
        super().__init__()
        convolution, _ = layers_of(dimensions)
        refuse_samples(samples)
        refuse_steps(steps)
        self.samples = samples
        self.steps = steps
        self.blocks = blocks
        self.factor = factor
        self.coarsen = coarsen
        self.cell = coarsen * factor  # pixels of the restored image along a cell
        self.divisor = coarsen * 2**depth  # sides of the input must be multiples of this
        self.divisor_z = None if dimensions == 2 else 1
        self.encoder = UNet(
            channels_in=coarsen**2,
            channels_out=filters,
            depth=depth,
            filters=filters,
            residual=False,
            dimensions=dimensions,
            through_planes=through_planes,
        )
        self.guide = convolution(filters, (1 + blocks) * width, 1)
        fine = 12  # as many as CARE's
        self.expand = nn.Sequential(
            convolution(filters, fine * self.cell**2, 1),
            PlaneShuffle(self.cell),
            nn.ReLU(),
            convolution(fine, 2, 3, padding=1),
        )
        self.shuffle = PlaneShuffle(self.cell)
        self.velocity = LocalVelocity(self.cell**2, width, blocks, dimensions)
        self.register_buffer("times", torch.tensor(midpoint_times(steps)), persistent=False)
        self.times: Tensor
        self.choose = FieldChoice(self.divisor)
        self.noise = NoiseBank(self.cell**2, 2**depth)
        self.calibration = Calibration()
        if dimensions == 2:
            lay_out(self)

    def encode(self, image: Tensor) -> Encoding:
        """Look at the degraded image, shape (batch, 1, y, x): once, whatever is drawn then."""
        features = F.relu(self.encoder(gathered(image, self.coarsen)))
        mean, scale = self.expand(features).split(1, dim=1)
        # Each by itself in memory, for every sample goes through them.
        guides = [part.clone() for part in self.guide(features).chunk(1 + self.blocks, dim=1)]
        return Encoding(guides, mean, F.softplus(scale) + SMALLEST_SCALE)

    def draw(self, noise: Tensor, encoding: Encoding, modulations: Tensor) -> Tensor:
        """Carry noise to a sample of the posterior.

        Parameters
        ----------
        noise
            Shape (batch, pixels of a cell, rows, columns).
        encoding
            Of the degraded image.
        modulations
            Of the times of the solver, shape (2 · steps, ...).

        Returns
        -------
        Tensor
            Shape (batch, 1, factor · y, factor · x).
        """

        def velocity(state: Tensor, i: int) -> Tensor:
            return self.velocity(state, modulations[i : i + 1], encoding.guides)

        rest = midpoint(velocity, noise, self.steps)
        return torch.addcmul(encoding.mean, encoding.scale, self.shuffle(rest))

    def forward(self, image: Tensor) -> Tensor:
        """Return mean, standard deviation and a sample of the posterior.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`. Of volumes
            (batch, 1, z, y, x).

        Returns
        -------
        Tensor
            Shape (batch, 3, factor · y, factor · x), or with z before y.
        """
        encoding = self.encode(image)
        modulations = self.velocity.modulation(self.times)
        # Each plane of a volume has noise of its own.
        chosen = self.choose(as_planes(image))
        samples: list[Tensor] = []
        for k in range(self.samples):
            noise = stacked(cast(Tensor, self.noise(k, chosen)), image)
            samples.append(self.draw(noise, encoding, modulations))
        return summarise(samples, [], self.calibration)


def hazematching(*, published: bool = False, **arguments: Any) -> nn.Module:
    """Build either form of the network.

    Parameters
    ----------
    published
        The published form, to compare with.
    **arguments
        Of `HazeMatching` or `PublishedHazeMatching`.

    Returns
    -------
    Module
        Untrained.
    """
    return PublishedHazeMatching(**arguments) if published else HazeMatching(**arguments)
