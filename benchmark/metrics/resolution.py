"""How fine the detail of an image is: by frequency, with a truth, with repeats, or alone.

`frc` and `rolling_frc` compare two recordings of one field, each restored by itself. What both
share besides the specimen counts as signal: a fixed pattern of the camera, a common alignment or
interpolation, the noise that a package keeps for drawing samples, and above all the knowledge of a
network, which draws the same plausible detail twice. Two posterior samples of one input therefore
measure spread, not resolution.

None of these is applicable to images below 32 x 32 pixels, `rolling_frc` to images below 64 x 64.
"""

from benchmark.metrics.decorrelation import cutoff_period_px
from benchmark.metrics.metric import Image, metric
from benchmark.metrics.ring_correlation import ring_correlation
from benchmark.metrics.rolling import rolling_correlation
from benchmark.metrics.spectrum import Microscope, mean_db, spectrum_ratio


@metric(label="FRC of repeats", direction="lower", unit="µm")
def frc(prediction: Image, repeat: Image, pixel_um: float) -> float:
    """Period down to which restorations of two recordings agree: repeatable, not therefore true.

    The crossing of 1/7, times the size of a pixel. See `benchmark.metrics.ring_correlation` for
    formula and source. Of unrestored recordings this is their resolution. Of restorations it is how
    alike a method answers twice: one that always draws the same has a perfect one, and one that
    removes noise by a blur a good one. At least two pixels; not applicable to constant images,
    and where the curve does not cross: unresolved, not 0. One that stays above 1/7 says that what
    was repeated goes down to the pixels.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> frc(image, image, 0.08)
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: Unresolved: the ring correlation stays above 1/7.
    """
    return ring_correlation(prediction, repeat).resolution_px() * pixel_um


@metric(label="Rolling FRC of repeats", direction="lower", unit="µm")
def rolling_frc(prediction: Image, repeat: Image, pixel_um: float) -> float:
    """Mean over the foreground of the period down to which restorations of two recordings agree.

    See `benchmark.metrics.rolling` for formula, source, the map and how uneven it is; and `frc` for
    what it says of a restoration. Not applicable to constant images, and where no block is
    resolved.

    Examples
    --------
    >>> import numpy as np
    >>> rolling_frc(np.eye(63), np.eye(63), 0.08)
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: Ring correlation needs at least 64 x 64 pixels here, \
not 63 x 63.
    """
    return rolling_correlation(prediction, repeat).mean_px * pixel_um


@metric(label="FRC to the truth", direction="lower", unit="px")
def frc_to_truth(truth: Image, prediction: Image) -> float:
    """Period down to which a prediction agrees with the truth, by Fourier ring correlation.

    The crossing of 1/2, which against a truth without noise stands for the signal-to-noise ratio of
    1/7 between two acquisitions (Rosenthal and Henderson 2003, doi:10.1016/j.jmb.2003.07.013). See
    `benchmark.metrics.ring_correlation` for formula and source. It does not see what a radial
    filter does: a blur without noise agrees at every frequency it leaves above rounding. 2 pixels
    per period where they agree down to the last ring; not applicable to constant images, and where
    they agree at no frequency: unresolved.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import ndimage
    >>> noise = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> truth = ndimage.gaussian_filter(noise[0], 2)
    >>> frc_to_truth(truth, truth), frc_to_truth(truth, truth + 0.1 * noise[1]) > 4
    (2.0, True)
    """
    curve = ring_correlation(truth, prediction)
    return 2.0 if curve.stays_above("1/2") else curve.resolution_px("1/2")


@metric(label="Decorrelation", direction="lower", unit="px")
def decorrelation(prediction: Image) -> float:
    """Sharpness of a single image, by decorrelation analysis.

    See `benchmark.metrics.decorrelation` for formula, source and traps: it compares the sharpness
    of images on one grid, whether or not what is sharp is true. Pixels per period, at least 2; not
    applicable to a constant image, and where no curve has a maximum: unresolved.

    Examples
    --------
    >>> import numpy as np
    >>> decorrelation(np.ones((64, 64)))
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: The image is constant: it has no frequencies.
    """
    return cutoff_period_px(prediction)


@metric(label="Spectrum within the band", direction="closest", unit="dB")
def spectrum_in_band(
    truth: Image, prediction: Image, pixel_um: float, microscope: Microscope
) -> float:
    """Power over that of the truth, mean over the frequencies that the microscope passes.

    Mean of `spectrum_ratio` over the rings up to `benchmark.metrics.spectrum.band_limit_per_um`,
    which says what must be known of the microscope. Negative where a restoration leaves contrast
    attenuated, positive where noise is left in it, 0 is the power of the truth. Not applicable to
    a constant truth, and where the optics is not known or no ring lies in the band.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import ndimage
    >>> truth = np.random.default_rng(0).random((64, 64))
    >>> optics = {"modality": "confocal", "numerical_aperture": 1.0, "wavelength_um": 0.5}
    >>> spectrum_in_band(truth, ndimage.gaussian_filter(truth, 1), 0.02, optics) < 0
    True
    """
    return mean_db(spectrum_ratio(truth, prediction), pixel_um, microscope, inside=True)


@metric(label="Spectrum beyond the band", direction="closest", unit="dB")
def spectrum_out_of_band(
    truth: Image, prediction: Image, pixel_um: float, microscope: Microscope
) -> float:
    """Power over that of the truth, mean over the frequencies that the microscope cannot pass.

    As `spectrum_in_band`, over the rings above the limit. What a prediction has there was not
    measured: 0 dB says that it is as rich in detail as the truth, not that the detail is the right
    one; the mean of a posterior is rightly below. Not applicable where no ring lies beyond.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import ndimage
    >>> truth = np.random.default_rng(0).random((64, 64))
    >>> optics = {"modality": "confocal", "numerical_aperture": 1.0, "wavelength_um": 0.5}
    >>> spectrum_out_of_band(truth, ndimage.gaussian_filter(truth, 1), 0.02, optics) < -10
    True
    """
    return mean_db(spectrum_ratio(truth, prediction), pixel_um, microscope, inside=False)
