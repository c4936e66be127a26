"""Whether a stated standard deviation is as large as the errors are.

Notation: g is the truth, μ and σ the mean and standard deviation that a package states, e = g − μ
its error, z = e/σ. Nothing is fitted: packages deliver on the scale on which the truth is
normalised (percentiles 2 and 99.8), and a σ of a fitted μ would be another one. Below
`imaging.calibration.FLOOR` σ counts as that. None of these is applicable where a σ is negative, or
all are 0. What training tells of a calibration is computed by the same functions, those of
`imaging.calibration`.
"""

from collections.abc import Mapping

from benchmark.metrics.metric import Image, NotApplicable, metric
from imaging import calibration


@metric(label="Mean z²", direction="closest", ideal=1.0)
def mean_z_squared(truth: Image, mean: Image, std: Image) -> float:
    """Mean squared error in units of the stated variance.

    ⟨(e/σ)²⟩, over all pixels: 1 where σ is right, 4 where it is half of what it should be. A few
    pixels of far too small σ decide it, so read it beside the coverage. Not negative.

    Examples
    --------
    >>> mean_z_squared([[1.0, 3.0]], [[0.0, 0.0]], [[1.0, 1.0]])
    5.0
    """
    z, _ = standardise(truth, mean, std)
    return calibration.mean_z_squared(z)


@metric(label="Coverage of 50 %", direction="closest", ideal=0.5)
def coverage_50(truth: Image, mean: Image, std: Image) -> float:
    """Share of pixels within the central 50 % of the Gaussian that a package states.

    ⟨|e| ≤ qσ⟩, q = Φ⁻¹(0.75) = 0.674. Errors that are no Gaussians miss it even with the right σ;
    the package's own intervals need not, see `own_coverage_50`.

    Examples
    --------
    >>> coverage_50([[0.6, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]])
    0.5
    """
    return _coverage(truth, mean, std, calibration.gaussian_factor(0.5))


@metric(label="Coverage of 90 %", direction="closest", ideal=0.9)
def coverage_90(truth: Image, mean: Image, std: Image) -> float:
    """Share of pixels within the central 90 % of the Gaussian that a package states.

    As `coverage_50`, with q = 1.645.

    Examples
    --------
    >>> coverage_90([[1.6, 1.7]], [[0.0, 0.0]], [[1.0, 1.0]])
    0.5
    """
    return _coverage(truth, mean, std, calibration.gaussian_factor(0.9))


@metric(label="Coverage of 95 %", direction="closest", ideal=0.95)
def coverage_95(truth: Image, mean: Image, std: Image) -> float:
    """Share of pixels within the central 95 % of the Gaussian that a package states.

    As `coverage_50`, with q = 1.960.

    Examples
    --------
    >>> coverage_95([[1.9, 2.0]], [[0.0, 0.0]], [[1.0, 1.0]])
    0.5
    """
    return _coverage(truth, mean, std, calibration.gaussian_factor(0.95))


@metric(label="Coverage of own 50 %", direction="closest", ideal=0.5)
def own_coverage_50(
    truth: Image, mean: Image, std: Image, interval_factors: Mapping[str, float]
) -> float:
    """Share of pixels within the package's own interval of 50 %.

    ⟨|e| ≤ fσ⟩, f the half-width in standard deviations that its rdf.yaml states; not
    applicable where it states no such interval.

    Examples
    --------
    >>> own_coverage_50([[0.4, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]], {"0.5": 0.5})
    0.5
    """
    return _coverage(truth, mean, std, own_factor(interval_factors, "0.5"))


@metric(label="Coverage of own 90 %", direction="closest", ideal=0.9)
def own_coverage_90(
    truth: Image, mean: Image, std: Image, interval_factors: Mapping[str, float]
) -> float:
    """Share of pixels within the package's own interval of 90 %.

    See `own_coverage_50`.

    Examples
    --------
    >>> own_coverage_90([[0.4, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]], {"0.9": 0.5})
    0.5
    """
    return _coverage(truth, mean, std, own_factor(interval_factors, "0.9"))


@metric(label="Coverage of own 95 %", direction="closest", ideal=0.95)
def own_coverage_95(
    truth: Image, mean: Image, std: Image, interval_factors: Mapping[str, float]
) -> float:
    """Share of pixels within the package's own interval of 95 %.

    See `own_coverage_50`.

    Examples
    --------
    >>> own_coverage_95([[0.4, 0.7]], [[0.0, 0.0]], [[1.0, 1.0]], {"0.95": 0.5})
    0.5
    """
    return _coverage(truth, mean, std, own_factor(interval_factors, "0.95"))


@metric(label="ENCE", direction="lower")
def ence(truth: Image, mean: Image, std: Image) -> float:
    """Mean relative difference of stated and found errors, from small σ to large.

    The expected normalised calibration error, ⟨|RMV_b − RMSE_b| / RMV_b⟩ over 30 bins b of pixels
    by quantiles of σ, RMV_b = √⟨σ²⟩ and RMSE_b = √⟨e²⟩ within one. Source: Levi et al. 2022
    (doi:10.3390/s22155540). Errors of one image are alike in neighbouring pixels, so even a right σ
    leaves some of it. 0 where every bin is right.

    Examples
    --------
    >>> ence([[3.0, 3.0]], [[0.0, 0.0]], [[2.0, 2.0]])
    0.5
    """
    return calibration.ence(*standardise(truth, mean, std))


def own_factor(interval_factors: Mapping[str, float], level: str) -> float:
    """Return the half-width of a package's own interval, in standard deviations.

    Raises
    ------
    NotApplicable
        It states none of this level.
    """
    if level not in interval_factors:
        raise NotApplicable(f"It states no interval of {100 * float(level):g} %.")
    return interval_factors[level]


def standardise(truth: Image, mean: Image, std: Image) -> tuple[Image, Image]:
    """Return z and σ; see `imaging.calibration.standardise`.

    Raises
    ------
    NotApplicable
        A standard deviation is negative, or all are 0.
    """
    refuse_deviations(std)
    return calibration.standardise(truth - mean, std)


def refuse_deviations(std: Image) -> None:
    """Make sure that standard deviations can be judged.

    Raises
    ------
    NotApplicable
        One is negative, or all are 0.
    """
    if std.min() < 0:
        raise NotApplicable("The package states negative standard deviations.")
    if std.max() == 0:
        raise NotApplicable("The package states a standard deviation of 0 everywhere.")


def _coverage(truth: Image, mean: Image, std: Image, factor: float) -> float:
    z, _ = standardise(truth, mean, std)
    return calibration.coverage(z, factor)
