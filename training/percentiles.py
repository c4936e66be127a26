"""The percentiles that an image would have, had the whole of it been recorded.

Normalisation looks at an image, training at patches. A sample of the image's pixels, without
noise, is kept, and goes through what happens to a patch: then its percentiles are the image's.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from simulation import formation, optics
from simulation.microscope import Acquisition, Microscope, stack
from training.illumination import expected_photons

_SIZE = 512
"""Neighbourhoods in a sample."""
_PHASES = 4
"""Places in each at which it is interpolated."""


def area_px(kernels: Tensor) -> Tensor:
    """Return over what area kernels (batch, K, K) of unit sum spread light.

    It is 1 / Σ kernel², (batch,), pixels.
    """
    return 1 / kernels.square().sum((-2, -1))


@dataclass(frozen=True)
class Sample:
    """Neighbourhoods of 2 x 2 native pixels of one image.

    Interpolation mixes such neighbours, which is why pixels alone would not do.

    Attributes
    ----------
    brightness
        (blurs, size, 4), without noise, for the blurs of `Sampler.areas_px`, relative to the
        image's bright level.
    bright_level
        See `formation.measure_bright_level`.
    places
        (size, 2), x and y in the image, from -1 to 1.
    shares
        (size * phases,), of the image's pixels for which each interpolated value stands; their
        sum is 1.
    """

    brightness: Tensor
    bright_level: float
    places: Tensor
    shares: Tensor


class Sampler:
    """Draws samples of images, and tells percentiles from them.

    Parameters
    ----------
    microscope
        What records.
    pixel_size_um, sampling, reach_px
        See `formation.record`.
    device
        Where samples lie.
    """

    def __init__(
        self,
        microscope: Microscope,
        pixel_size_um: float,
        sampling: int,
        reach_px: int,
        device: torch.device,
    ) -> None:
        self._device = device
        self._microscope = microscope
        self._pixel_size_um = pixel_size_um
        self._sampling = sampling
        self._reach_px = reach_px
        # Light that a blur spreads over an area is dimmed by it: what lies between three blurs
        # is interpolated along the area.
        like = torch.empty(0, device=device)
        three = [
            microscope.sharpest(),
            microscope.typical(),
            microscope.most_blurred(),
        ]
        kernels = formation.kernel(pixel_size_um, stack(three, like), reach_px)
        order = area_px(kernels).argsort()
        self._kernels = kernels[order]
        self.areas_px = area_px(self._kernels)
        # Where a pixel of the fine grid lies between two centres of the native one.
        fine = (np.arange(sampling) + 0.5) / sampling + 0.5
        rng = np.random.default_rng(0)
        offsets = rng.choice(fine % 1, (2, _SIZE, _PHASES))
        y, x = torch.as_tensor(offsets, dtype=like.dtype, device=device)
        self._weights = torch.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x], dim=1)

    def sample(self, brightness: NDArray[np.float32], rng: np.random.Generator) -> Sample:
        """Draw a sample of one image.

        Parameters
        ----------
        brightness
            (y, x) with its margin of `reach_px`; sides divisible by `sampling`.
        rng
            Source of randomness.

        Returns
        -------
        Sample
            Denser among bright pixels, for few of them make the high percentile.
        """
        field = torch.as_tensor(brightness, device=self._device).clamp(min=0)
        bright_level = formation.measure_bright_level(
            field,
            self._pixel_size_um,
            self._microscope,
            sampling=self._sampling,
            reach_px=self._reach_px,
        )
        image = optics.focus(field.expand(len(self._kernels), -1, -1), self._kernels, periodic=True)
        cut = self._reach_px // self._sampling
        native = optics.sample(image, self._sampling)
        native = native[:, cut : native.shape[1] - cut, cut : native.shape[2] - cut]
        corners = [
            native[:, i : native.shape[1] - 1 + i, j : native.shape[2] - 1 + j]
            for i in (0, 1)
            for j in (0, 1)
        ]
        blocks = torch.stack(corners, dim=-1)  # (blurs, y, x, 4)
        rows, columns = blocks.shape[1:3]
        flat = blocks.flatten(1, 2)
        from_bright = flat[1].mean(-1).argsort(descending=True).numpy(force=True)
        rank = (np.arange(_SIZE) + rng.random(_SIZE)) / _SIZE
        chosen = from_bright[(rank**3 * len(from_bright)).astype(np.intp)]
        shares = np.repeat(rank**2, _PHASES)
        y, x = np.divmod(chosen, columns)
        places = np.stack([(x + 1) / (columns + 1), (y + 1) / (rows + 1)], axis=-1) * 2 - 1
        return Sample(
            brightness=flat[:, torch.as_tensor(chosen, device=self._device)] / bright_level,
            bright_level=bright_level,
            places=torch.as_tensor(places, dtype=torch.float32, device=self._device),
            shares=torch.as_tensor(shares / shares.sum(), dtype=torch.float32, device=self._device),
        )

    def percentiles(
        self,
        samples: list[Sample],
        acquisition: Acquisition,
        blur_px: Tensor,
        light: Tensor,
        generator: Generator,
        wanted: Tensor,
    ) -> Tensor:
        """Tell percentiles of images as acquired.

        Parameters
        ----------
        samples
            One of each image.
        acquisition
            Tensors (batch, 1, 1).
        blur_px
            (batch,), area of each kernel; see `area_px`.
        light
            (batch, 2, rows, columns), over each image: what share of the light arrives where, and
            background, photons.
        generator
            Source of noise.
        wanted
            (batch, percentiles), 0 to 100.

        Returns
        -------
        Tensor
            (batch, percentiles), counts.
        """
        blurs = torch.stack([one.brightness for one in samples])
        below = (torch.searchsorted(self.areas_px, blur_px) - 1).clamp(0, len(self.areas_px) - 2)
        gap = self.areas_px[below + 1] - self.areas_px[below]
        share = ((blur_px - self.areas_px[below]) / gap.clamp(min=1e-6)).clamp(0, 1)
        image = torch.arange(len(samples), device=self._device)
        brightness = torch.lerp(blurs[image, below], blurs[image, below + 1], share[:, None, None])
        places = torch.stack([one.places for one in samples])[:, :, None].expand(-1, -1, 4, -1)
        expected = expected_photons(brightness, acquisition, light, places)
        counts = formation.count(expected, acquisition, generator)
        values = torch.einsum("bnc,ncp->bnp", counts, self._weights).flatten(1)
        values, order = values.sort(-1)
        shares = torch.stack([one.shares for one in samples]).gather(1, order).cumsum(-1)
        index = torch.searchsorted(shares, wanted / 100).clamp(max=values.shape[1] - 1)
        return values.gather(1, index)
