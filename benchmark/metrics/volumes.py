"""How well volumes are restored as wholes, and along z.

All are asked of volumes, images with a z axis; planes of a stack have the metrics of planes beside.
Those along z need the distance of planes.
"""

import numpy as np

from benchmark.metrics.fidelity import si_psnr_a
from benchmark.metrics.metric import Volume, metric
from benchmark.metrics.perception import lpips_alex
from benchmark.metrics.sections import axial_sections
from benchmark.metrics.shell_correlation import Direction, sector_correlation
from benchmark.metrics.structure import ssim_affine


@metric(label="SI-PSNR, volume", direction="higher", unit="dB")
def si_psnr_volume(truth_volume: Volume, prediction_volume: Volume) -> float:
    """Scale-invariant PSNR of a volume: one gain and one offset for all its planes.

    `si_psnr_a` over the voxels of the volume instead of the pixels of each plane: planes that are
    brighter or darker than they should be beside others cost score here, and not there. Its traps
    are those of `si_psnr_a`.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((4, 8, 8))
    >>> uneven = truth * np.array([1, 2, 1, 2])[:, None, None]
    >>> si_psnr_volume(truth, 3 * truth + 1), si_psnr_volume(truth, uneven) < 20
    (inf, True)
    """
    planes = len(truth_volume)
    return si_psnr_a(truth_volume.reshape(planes, -1), prediction_volume.reshape(planes, -1))


@metric(label="SI-PSNR, axial", direction="higher", unit="dB")
def si_psnr_axial(
    truth_volume: Volume, prediction_volume: Volume, pixel_um: float, step_um: float
) -> float:
    """Scale-invariant PSNR of xz and yz sections, mean over up to 32.

    `si_psnr_a` of each of `benchmark.metrics.sections.axial_sections`, with square pixels.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((8, 16, 16))
    >>> si_psnr_axial(truth, 3 * truth + 1, 0.1, 0.4) > 200
    True
    """
    sections = axial_sections(truth_volume, prediction_volume, pixel_um, step_um)
    return float(np.mean([si_psnr_a(*pair) for pair in sections]))


@metric(label="SSIM, axial", direction="higher")
def ssim_axial(
    truth_volume: Volume, prediction_volume: Volume, pixel_um: float, step_um: float
) -> float:
    """Structural similarity of xz and yz sections, each after its best affine fit.

    `ssim_affine` of each of `benchmark.metrics.sections.axial_sections`, with square pixels. Not
    applicable to stacks thinner than 11 such pixels.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((8, 16, 16))
    >>> round(ssim_axial(truth, 3 * truth + 1, 0.1, 0.4), 6)
    1.0
    """
    sections = axial_sections(truth_volume, prediction_volume, pixel_um, step_um)
    return float(np.mean([ssim_affine(*pair) for pair in sections]))


@metric(label="LPIPS, axial", direction="lower")
def lpips_axial(
    truth_volume: Volume, prediction_volume: Volume, pixel_um: float, step_um: float
) -> float:
    """Learned perceptual distance of xz and yz sections, mean over up to 32.

    `lpips_alex` of each of `benchmark.metrics.sections.axial_sections`, with square pixels. Not
    applicable to stacks thinner than 31 such pixels, nor without the weights.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((4, 40, 40))
    >>> lpips_axial(truth, truth, 0.1, 0.4)
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: LPIPS needs at least 31 x 31 pixels, not 16 x 40.
    """
    sections = axial_sections(truth_volume, prediction_volume, pixel_um, step_um)
    return float(np.mean([lpips_alex(*pair) for pair in sections]))


@metric(label="FSC to the truth, lateral", direction="lower", unit="µm")
def fsc_lateral_to_truth(
    truth_volume: Volume, prediction_volume: Volume, pixel_um: float, step_um: float
) -> float:
    """Period across z down to which a volume agrees with the truth, by Fourier shell correlation.

    The crossing of 1/2 in the frequencies within 20° of the plane. See `fsc_axial_to_truth`.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((16, 32, 32))
    >>> fsc_lateral_to_truth(truth, truth, 0.1, 0.1)
    0.2
    """
    return _period_to_truth(truth_volume, prediction_volume, "lateral", pixel_um, step_um)


@metric(label="FSC to the truth, axial", direction="lower", unit="µm")
def fsc_axial_to_truth(
    truth_volume: Volume, prediction_volume: Volume, pixel_um: float, step_um: float
) -> float:
    """Period along z down to which a volume agrees with the truth, by Fourier shell correlation.

    The crossing of 1/2 in the frequencies within 20° of the z axis, as `frc_to_truth` of planes:
    it does not see what a filter without noise does. See `benchmark.metrics.shell_correlation` for
    formula and source. Twice the distance of planes where they agree down to the last shell; not
    applicable to constant volumes, to those below 16 planes of 32 x 32 pixels or too narrow for
    their depth, and where they agree at no frequency: unresolved.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((16, 32, 32))
    >>> fsc_axial_to_truth(truth, truth, 0.1, 0.1)
    0.2
    """
    return _period_to_truth(truth_volume, prediction_volume, "axial", pixel_um, step_um)


@metric(label="FSC of repeats, lateral", direction="lower", unit="µm")
def fsc_lateral(
    prediction_volume: Volume, repeat_volume: Volume, pixel_um: float, step_um: float
) -> float:
    """Period across z down to which restorations of two recordings of a volume agree.

    The crossing of 1/7 in the frequencies within 20° of the plane. See `fsc_axial`.

    Examples
    --------
    >>> volume = np.random.default_rng(0).random((16, 32, 32))
    >>> fsc_lateral(volume, volume, 0.1, 0.1)
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: Unresolved: the ring correlation stays above 1/7.
    """
    curve = sector_correlation(prediction_volume, repeat_volume, "lateral", step_um / pixel_um)
    return curve.resolution_px() * pixel_um


@metric(label="FSC of repeats, axial", direction="lower", unit="µm")
def fsc_axial(
    prediction_volume: Volume, repeat_volume: Volume, pixel_um: float, step_um: float
) -> float:
    """Period along z down to which restorations of two recordings of a volume agree.

    The crossing of 1/7 in the frequencies within 20° of the z axis; needs no truth. Repeatable is
    not therefore true: see `benchmark.metrics.resolution.frc`. Formula and source are those of
    `benchmark.metrics.shell_correlation`. Not applicable where `fsc_axial_to_truth` is not, and
    where the curve does not cross: unresolved, not 0.

    Examples
    --------
    >>> volume = np.random.default_rng(0).random((15, 32, 32))
    >>> fsc_axial(volume, volume, 0.1, 0.4)
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: Shell correlation needs at least 16 planes of 32 x 32 \
pixels, not 15 of 32 x 32.
    """
    curve = sector_correlation(prediction_volume, repeat_volume, "axial", step_um / pixel_um)
    return curve.resolution_px() * step_um


def _period_to_truth(
    truth: Volume, prediction: Volume, direction: Direction, pixel_um: float, step_um: float
) -> float:
    curve = sector_correlation(truth, prediction, direction, step_um / pixel_um)
    period = 2.0 if curve.stays_above("1/2") else curve.resolution_px("1/2")
    return period * (step_um if direction == "axial" else pixel_um)
