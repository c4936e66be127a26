"""Image formation of stacks: what a microscope records of a volume, plane by plane.

The steps are those of `simulation.formation`. What differs: every recorded plane gets light from
the planes above and below; each lies deeper than the last; motion and autofluorescence go on from
plane to plane.
"""

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Generator, Tensor

from simulation import formation, motion, optics, psf, specimen
from simulation.microscope import Acquisition, Microscope
from simulation.stack import Stack
from simulation.structures import PLANE_DISTANCE_UM

__all__ = ["measure_bright_level", "record"]

_MEASURED_PLANES = 8
"""So many recorded planes, spread evenly, tell how bright a stack is."""


def record(
    brightness: Tensor,
    pixel_size_um: float,
    acquisition: Acquisition,
    generator: Generator,
    *,
    sampling: int,
    reach_px: int,
    stack: Stack,
    bright_level: float = 1.0,
) -> Tensor:
    """Record a stack as a microscope does.

    Parameters
    ----------
    brightness
        (stack.drawn, y, x), on the target's grid, floating point: 0 is background, 1 bright
        structure. Sides divisible by `sampling`, with a margin of `reach_px` to be cut off.
    pixel_size_um
        Side of a pixel of the target, µm before expansion.
    acquisition
        What happens in the stack, in numbers.
    generator
        Source of randomness, on the tensor's device.
    sampling
        Pixels of the target along one of the microscope.
    reach_px
        Of the PSF: `formation.margin_px` of a volume twice as thick as `stack.reach_um`.
    stack
        Which planes are recorded.
    bright_level
        What structure is to give `Acquisition.photons`; see `measure_bright_level`.

    Returns
    -------
    Tensor
        (stack.planes, y / sampling, x / sampling), whole counts, of the type of `brightness`.
    """
    # as many fluorophores per volume, however finely it is drawn
    labels_per_um2 = acquisition.labels_per_um2 * stack.plane_distance_um / PLANE_DISTANCE_UM
    labelled = specimen.labelled(brightness.clamp(min=0), labels_per_um2, pixel_size_um, generator)
    image = collect(labelled, pixel_size_um, acquisition, reach_px, stack)
    native = _scan(image, pixel_size_um, acquisition, generator, sampling) / bright_level
    native_um = pixel_size_um * sampling
    background = specimen.background(
        (native.shape[0], native.shape[1], native.shape[2]),
        acquisition.background_photons,
        acquisition.background_variation,
        acquisition.background_length_um / native_um,
        generator,
        z_step_px=stack.z_step_um / native_um,
    )
    share = share_of_light(acquisition, stack).to(native)
    return formation.expose(native, share, background, acquisition, generator)


def share_of_light(acquisition: Acquisition, stack: Stack) -> Tensor:
    """Return what tissue and bleaching leave of the light of each plane, (planes, 1, 1), 0 to 1."""
    below_um = torch.arange(stack.planes, dtype=torch.float64).view(-1, 1, 1) * stack.z_step_um
    depth_um = acquisition.depth_um + below_um
    attenuation = specimen.attenuation(depth_um, acquisition.scattering_length_um)
    return attenuation * (1 - acquisition.bleaching)


def measure_bright_level(
    brightness: Tensor,
    pixel_size_um: float,
    microscope: Microscope,
    *,
    sampling: int,
    reach_px: int,
    stack: Stack,
) -> float:
    """Measure what bright structure becomes in the stack of a typical acquisition.

    As `formation.measure_bright_level`, over planes that are spread evenly.
    """
    if float(brightness.max()) < formation.FAINTEST:
        return 1.0
    every = -(-stack.planes // _MEASURED_PLANES)
    image = collect(
        brightness.clamp(min=0), pixel_size_um, microscope.typical(), reach_px, stack, every
    )
    native = optics.sample(image, sampling)
    cut = reach_px // sampling
    inner = native[:, cut : native.shape[1] - cut, cut : native.shape[2] - cut]
    return float(np.percentile(inner.numpy(), formation.BRIGHT_PERCENTILE))


def collect(
    fluorescence: Tensor,
    pixel_size_um: float,
    acquisition: Acquisition,
    reach_px: int,
    stack: Stack,
    every: int = 1,
) -> Tensor:
    """Apply the optics: `blur`, and evenly the light from farther away than is drawn.

    Beyond the stack's reach a point is a disc several times as wide as the PSF is long, and what
    lies there is taken to be as bright as the volume is on average. Parameters and shapes are those
    of `blur`.
    """
    near = psf.share_within(acquisition.optics, stack.reach_um)
    image = blur(fluorescence, pixel_size_um, acquisition, reach_px, stack, every)
    return near * image + (1 - near) * fluorescence.mean()


def blur(
    fluorescence: Tensor,
    pixel_size_um: float,
    acquisition: Acquisition,
    reach_px: int,
    stack: Stack,
    every: int = 1,
) -> Tensor:
    """Convolve the volume with the PSF within reach where planes are recorded.

    Parameters
    ----------
    fluorescence
        (stack.drawn, y, x) on the target's grid. Light that leaves it enters at the other side,
        which reaches no farther than the margin.
    pixel_size_um, acquisition, reach_px, stack
        See `record`.
    every
        Only one of so many recorded planes.

    Returns
    -------
    Tensor
        (planes, y, x).
    """
    reach, recorded = stack.reach, stack.recorded[::every]
    z_um = (torch.arange(2 * reach + 1, dtype=torch.float64) - reach) * stack.plane_distance_um
    kernel = psf.kernel_3d(
        acquisition.optics,
        float(formation.true_pixel_um(pixel_size_um, acquisition)),
        z_um,
        acquisition.target_fwhm_um,
        reach_px,
    )
    rows, columns = fluorescence.shape[-2:]
    shape = [next_fast_len(side, real=True) for side in (rows, columns)]
    # turned over: the farther below a plane lies, the farther above it the light is collected
    transfer = torch.fft.rfft2(kernel.to(fluorescence).flip(0), s=shape)
    seen = transfer.new_zeros(len(recorded), *transfer.shape[1:])
    for plane, structure in enumerate(fluorescence):
        near = [i for i, focus in enumerate(recorded) if abs(focus - plane) <= reach]
        if near:
            part = slice(near[0], near[-1] + 1)
            first, last = (reach + recorded[i] - plane for i in (near[0], near[-1]))
            planes_of_psf = transfer[first : last + 1 : recorded.step]
            seen[part].addcmul_(planes_of_psf, torch.fft.rfft2(structure, s=shape))
    image = torch.fft.irfft2(seen, s=shape).roll((-reach_px, -reach_px), (-2, -1))
    return image[..., :rows, :columns]


def _scan(
    image: Tensor,
    pixel_size_um: float,
    acquisition: Acquisition,
    generator: Generator,
    sampling: int,
) -> Tensor:
    """Let the sample move under the lines of all planes, one after the other, and sample it.

    What is taken out is the mean over the stack: a plane may lie beside its neighbours.
    """
    planes, rows, _ = image.shape
    lines = rows // sampling
    displacement_um = motion.line_displacement_um(
        (1, planes * lines),
        acquisition.line_jitter_um,
        acquisition.breathing_um,
        acquisition.breathing_period_lines,
        acquisition.drift_um,
        generator,
    ).view(planes, lines, 2)
    moved = motion.displace(image, displacement_um.to(image.dtype) / pixel_size_um)
    return optics.sample(moved, sampling)
