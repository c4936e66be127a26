"""Batches of patches whose inputs are recorded anew each time: other microscopes, other noise."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional as F

from imaging.cli import UserError
from imaging.normalise import EPSILON
from simulation import formation, optics, specimen
from simulation.microscope import Microscope, stack
from training.counting import finer
from training.data import HIGH_PERCENTILES, LOW_PERCENTILES, Array, Batch, Pair, Patches, turned
from training.illumination import expected_photons, light_over
from training.percentiles import Sample, Sampler, area_px

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class _Field:
    """One target with its surroundings, and what its image is normalised by."""

    brightness: Array
    sample: Sample
    side_um: float


class FreshPatches(Patches):
    """Draws batches whose targets are those of `Patches`, and whose inputs are new each time.

    A patch is recorded with its surroundings at any place of the microscope's pixels, resampled to
    those of the pairs' inputs, and normalised by percentiles that the whole image would have.

    Parameters
    ----------
    pairs
        Images to draw from; their inputs are not looked at.
    microscope
        What records: each patch has an acquisition of its own.
    pixel_size_um
        Side of a pixel of the targets, µm.
    size_px
        Side of a patch.
    batch_size
        Patches in a batch.
    seed
        With the step and the kind of device, it determines a batch.
    device
        Where images are recorded. Batches lie in main memory, as those of `Patches` do.

    Raises
    ------
    UserError
        An image is smaller than a patch, or the microscope's pixels are no whole number of the
        target's or of the input's.
    """

    def __init__(
        self,
        pairs: list[Pair],
        microscope: Microscope,
        *,
        pixel_size_um: float,
        size_px: int,
        batch_size: int,
        seed: int,
        device: torch.device = _CPU,
    ) -> None:
        super().__init__(pairs, size_px=size_px, batch_size=batch_size, seed=seed)
        self._device = device
        self._microscope = microscope
        self._pixel_size_um = pixel_size_um
        self._sampling = sampling = sampling_of(microscope, pixel_size_um)
        if sampling % self.factor:
            raise UserError(
                f"{sampling} pixels of the targets lie along one of the microscope, which is no "
                f"whole number of the inputs' pixels, of {self.factor} each: simulate data with "
                "this microscope."
            )
        reach_px = formation.margin_px(microscope, pixel_size_um)
        self._reach_px = math.ceil(reach_px / sampling) * sampling
        # Interpolation looks at one native pixel beyond the patch.
        self._margin_px = self._reach_px + sampling
        self._region_px = _fast_side(size_px + sampling - 1 + 2 * self._margin_px, sampling)
        # A region begins up to a native pixel before its patch and its margin.
        self._before_px = self._margin_px + sampling
        self._behind_px = self._region_px - size_px
        self._sampler = Sampler(microscope, pixel_size_um, sampling, self._reach_px, device)
        rng = np.random.default_rng(seed)
        self._fields = [self._field(pair, rng) for pair in pairs]

    def _field(self, pair: Pair, rng: np.random.Generator) -> _Field:
        """Surround a target by its reflection, and sample its image."""
        height, width = pair.target.shape
        missing = (-height % self._sampling, -width % self._sampling)
        reach_px = self._reach_px
        whole = [(reach_px, reach_px + beyond) for beyond in missing]
        sample = self._sampler.sample(np.pad(pair.target, whole, mode="symmetric"), rng)
        around = (self._before_px, self._behind_px)
        return _Field(
            brightness=np.pad(pair.target, around, mode="symmetric"),
            sample=sample,
            side_um=math.sqrt(height * width) * self._pixel_size_um,
        )

    def batch(self, step: int) -> Batch:
        """Draw and degrade the batch of one step, of the shapes of `Patches.batch`."""
        rng = np.random.default_rng((self.seed, step))
        places = list(self._draw_places(rng))
        phases = rng.integers(self._sampling // self.factor, size=(self.batch_size, 2))
        phases *= self.factor
        counts, wanted = self._record(places, phases, rng)
        percentiles = wanted.numpy(force=True)
        fine = F.interpolate(
            counts[:, None],
            scale_factor=self._sampling // self.factor,
            mode="bilinear",
            align_corners=False,
        )[:, 0].numpy(force=True)
        inputs, targets = self._empty()
        for k, (index, i, j) in enumerate(places):
            first = (self._margin_px + phases[k]) // self.factor
            here = tuple(slice(start, start + self.input_px) for start in first)
            low, high = percentiles[k]
            degraded = (fine[k][here] - low) / (high - low + np.float32(EPSILON))
            window = np.s_[i : i + self.input_px, j : j + self.input_px]
            target = self.pairs[index].target[finer(window, self.factor)]
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            inputs[k, 0] = turned(degraded, turns, flip)
            targets[k, 0] = turned(target, turns, flip)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets))

    def _record(
        self,
        places: list[tuple[int, ...]],
        phases: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Record regions around patches.

        Patches are given by image and corner, `phases` (batch, 2) are pixels from the corner of a
        native pixel to that of its patch. Returns counts of native pixels (batch, y, x), and the
        low and high percentile of the images as recorded (batch, 2).
        """
        fields = [self._fields[index] for index, _, _ in places]
        beginnings = self.factor * np.array([corner for _, *corner in places])
        corners = beginnings - phases - self._margin_px
        brightness = self._regions(fields, corners)
        acquisition = stack([self._microscope.draw(rng) for _ in places], brightness)
        generator = torch.Generator(self._device).manual_seed(int(rng.integers(2**63)))
        blur = formation.kernel(self._pixel_size_um, acquisition, self._reach_px)
        labelled = specimen.labelled(
            brightness, acquisition.labels_per_um2, self._pixel_size_um, generator, normal=True
        )
        image = optics.focus(labelled, blur, periodic=True)
        native = formation.scan(
            image, self._pixel_size_um, acquisition, generator, sampling=self._sampling
        )
        bright = self._of_each([field.sample.bright_level for field in fields])
        sides_um = self._of_each([field.side_um for field in fields])
        light = light_over(acquisition, sides_um, generator)
        seen = self._places_in_images(places, corners)
        expected = expected_photons(native / bright, acquisition, light, seen)
        counts = formation.count(expected, acquisition, generator)
        wanted = np.stack(
            [
                rng.uniform(*LOW_PERCENTILES, len(places)),
                rng.uniform(*HIGH_PERCENTILES, len(places)),
            ],
            axis=-1,
        )
        percentiles = self._sampler.percentiles(
            [field.sample for field in fields],
            acquisition,
            area_px(blur),
            light,
            generator,
            torch.as_tensor(wanted, dtype=torch.float32, device=self._device),
        )
        return counts, percentiles

    def _regions(self, fields: list[_Field], corners: np.ndarray) -> Tensor:
        """Cut the regions (batch, y, x) that begin at some pixels of the targets."""
        side = self._region_px
        regions = np.empty((len(fields), side, side), np.float32)
        for region, field, (i, j) in zip(regions, fields, corners + self._before_px, strict=True):
            region[:] = field.brightness[i : i + side, j : j + side]
        return torch.as_tensor(regions, device=self._device).clamp(min=0)

    def _places_in_images(self, places: list[tuple[int, ...]], corners: np.ndarray) -> Tensor:
        """Return x and y, from -1 to 1, of the native pixels in their images: (batch, y, x, 2)."""
        shapes = np.array([self.pairs[index].target.shape for index, _, _ in places])
        centres = np.arange(0, self._region_px, self._sampling) + self._sampling / 2
        y, x = (
            (corners[:, axis, None] + centres) / shapes[:, axis, None] * 2 - 1 for axis in (0, 1)
        )
        grid = np.stack(np.broadcast_arrays(x[:, None, :], y[:, :, None]), axis=-1)
        return torch.as_tensor(grid, dtype=torch.float32, device=self._device)

    def _of_each(self, values: list[float]) -> Tensor:
        return torch.tensor(values, device=self._device).view(-1, 1, 1)


def _fast_side(least_px: int, sampling: int) -> int:
    """Return the next multiple of the sampling that a Fourier transform is fast for."""
    side = math.ceil(least_px / sampling) * sampling
    while next_fast_len(side, real=True) != side:  # pyright: ignore[reportUnnecessaryComparison]  # the stubs say None
        side += sampling
    return side


def sampling_of(microscope: Microscope, pixel_size_um: float) -> int:
    """Tell how many pixels of a target lie along one of a microscope.

    Parameters
    ----------
    microscope
        Whose pixels may be of a known size.
    pixel_size_um
        Side of a pixel of the target, µm.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    UserError
        It is no whole number, within 1 %.
    """
    native_um = microscope.pixel_size_um
    if native_um is None:
        return microscope.sampling
    sampling = max(1, round(native_um / pixel_size_um))
    if abs(native_um / sampling - pixel_size_um) > 0.01 * pixel_size_um:
        raise UserError(
            f"The microscope's pixels of {native_um:g} µm are no whole number of the data's "
            f"{pixel_size_um:.4g} µm: simulate data with this microscope."
        )
    return sampling
