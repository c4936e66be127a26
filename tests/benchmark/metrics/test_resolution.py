import numpy as np
import pytest

from benchmark.metrics import METRICS, NotApplicable
from benchmark.metrics.decorrelation import cutoff_period_px
from benchmark.metrics.resolution import (
    decorrelation,
    frc,
    frc_to_truth,
    rolling_frc,
    spectrum_in_band,
    spectrum_out_of_band,
)
from benchmark.metrics.ring_correlation import ring_correlation
from benchmark.metrics.rolling import rolling_correlation
from tests.benchmark.metrics.acquisitions import blurred, curves, repeats

SCENE = blurred(curves(128), 1.5)
ONE, TWO = repeats(SCENE, 200)
OPTICS = {"modality": "confocal", "numerical_aperture": 1.0, "wavelength_um": 0.5}


def test_frc_cuts_at_one_seventh():
    assert frc(ONE, TWO, 0.5) == 0.5 * ring_correlation(ONE, TWO).resolution_px("1/7")


def test_frc_of_an_image_with_itself_is_unresolved():
    with pytest.raises(NotApplicable, match="Unresolved"):
        frc(ONE, ONE, 0.08)


def test_rolling_frc_is_the_mean_of_the_map():
    assert rolling_frc(ONE, TWO, 0.5) == 0.5 * rolling_correlation(ONE, TWO).mean_px


def test_repeats_need_a_pixel_size_and_a_repeat():
    assert METRICS["frc"].needs == METRICS["rolling_frc"].needs
    assert METRICS["frc"].needs == ("prediction", "repeat", "pixel_um")
    with pytest.raises(NotApplicable, match="no repeat/"):
        METRICS["frc"].of({"prediction": ONE, "pixel_um": 0.08})


def test_frc_to_truth_is_about_that_between_repeats():
    """The thresholds 1/2 and 1/7 stand for one signal-to-noise ratio."""
    assert frc_to_truth(SCENE, ONE) == pytest.approx(frc(ONE, TWO, 1.0), rel=0.05)


def test_agreement_down_to_the_last_ring_is_nyquist():
    assert frc_to_truth(SCENE, 3 * SCENE + 1) == 2


def test_no_agreement_is_unresolved():
    noise = np.random.default_rng(0).normal(size=SCENE.shape)
    with pytest.raises(NotApplicable, match="Unresolved"):
        frc_to_truth(SCENE, noise)


def test_decorrelation_needs_the_prediction_only():
    assert METRICS["decorrelation"].needs == ("prediction",)
    assert decorrelation(ONE) == cutoff_period_px(ONE)


def test_a_blur_loses_power_beyond_the_band_first():
    blur = blurred(SCENE, 1.0)
    inside = spectrum_in_band(SCENE, blur, 0.03, OPTICS)
    outside = spectrum_out_of_band(SCENE, blur, 0.03, OPTICS)
    assert outside < inside - 5 < 0


def test_invented_detail_shows_beyond_the_band_only():
    y, x = np.mgrid[:128, :128]
    invented = SCENE + 0.2 * np.cos(2 * np.pi * 0.4 * x) * np.cos(2 * np.pi * 0.1 * y)
    assert spectrum_out_of_band(SCENE, invented, 0.03, OPTICS) > 1
    assert spectrum_in_band(SCENE, invented, 0.03, OPTICS) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("name", ["spectrum_in_band", "spectrum_out_of_band"])
def test_the_truth_has_its_own_power(name: str):
    metric = METRICS[name]
    known = {"truth": SCENE, "prediction": SCENE, "pixel_um": 0.03, "microscope": OPTICS}
    assert metric.of(known) == pytest.approx(metric.ideal, abs=1e-9)


def test_without_a_microscope_there_is_no_band():
    known = {"truth": SCENE, "prediction": ONE, "pixel_um": 0.03}
    with pytest.raises(NotApplicable, match="does not describe the microscope"):
        METRICS["spectrum_in_band"].of(known)
