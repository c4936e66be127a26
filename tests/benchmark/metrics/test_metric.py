from collections.abc import Generator

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from benchmark.metrics import METRICS, Metric, NotApplicable
from benchmark.metrics import metric as register
from benchmark.metrics.metric import Image, MetricInputs
from tests.benchmark.metrics.acquisitions import blurred
from tests.trained import TRUST_MASK

# LPIPS needs weights that are not part of the repository: see test_perception.py.
OF_PAIRS = [
    m for m in METRICS.values() if m.needs in (("truth", "prediction"), ("truth", "delivered"))
]
WITHOUT_WEIGHTS = [m for m in METRICS.values() if not m.name.startswith("lpips")]
OF_PAIRS_WITHOUT_WEIGHTS = [m for m in WITHOUT_WEIGHTS if m in OF_PAIRS]
OF_DEVIATIONS = [
    m for m in METRICS.values() if "coverage" in m.name or m.name in ("mean_z_squared", "ence")
] + [METRICS["nll"], METRICS["crps"]]
OF_RANKS = [METRICS["ause"], METRICS["error_rank_correlation"]]
GAUSSIAN = {"0.5": 0.674490, "0.9": 1.644854, "0.95": 1.959964}
RNG = np.random.default_rng(7)
# Smooth, so that noise costs resolution as well.
TRUTH = (280 * blurred(RNG.normal(size=(176, 180)), 2) + 100).clip(0, 255).astype(np.uint8)
PREDICTION = np.clip(TRUTH + RNG.normal(0, 20, TRUTH.shape), 0, 255).astype(np.uint8)
SCENE = 128 + 500 * blurred(np.random.default_rng(8).normal(size=(20, 44, 48)), 2)
IMAGES: dict[str, NDArray[np.generic]] = {
    "truth": TRUTH,
    "prediction": PREDICTION,
    "delivered": PREDICTION,
    "mean": PREDICTION,
    "std": RNG.integers(10, 30, TRUTH.shape).astype(np.uint8),
    "sample": np.clip(PREDICTION + RNG.normal(0, 20, TRUTH.shape), 0, 255).astype(np.uint8),
    "disagreement": RNG.integers(0, 100, TRUTH.shape).astype(np.uint8),
    "repeat": np.clip(TRUTH + RNG.normal(0, 20, TRUTH.shape), 0, 255).astype(np.uint8),
    "input": np.clip(blurred(TRUTH.astype(float), 2), 0, 255).astype(np.uint8),
    "truth_volume": SCENE.clip(0, 255).astype(np.uint8),
    "prediction_volume": (SCENE + RNG.normal(0, 20, SCENE.shape)).clip(0, 255).astype(np.uint8),
    "repeat_volume": (SCENE + RNG.normal(0, 20, SCENE.shape)).clip(0, 255).astype(np.uint8),
    "native": TRUTH.reshape(44, 4, 45, 4).mean(axis=(1, 3)).astype(np.uint8),
}
FACTS: MetricInputs = {
    "pixel_um": 0.1,
    "step_um": 0.1,
    "tolerance_um": 0.1,
    "microscope": {
        "modality": "two-photon",
        "numerical_aperture": 0.8,
        "wavelength_um": 0.92,
        "sampling": 4,
        "blur_fwhm_um": 0.4,
        "gain_counts_per_photon": 2.0,
        "offset_counts": 1.0,
        "read_noise_counts": 3.0,
        "excess_noise_factor": 1.2,
    },
    "interval_factors": {"0.5": 0.7, "0.9": 1.7, "0.95": 2.0},
    "trust_mask": TRUST_MASK,
}


def names(metric: object) -> str:
    return getattr(metric, "name", str(metric))


@pytest.mark.parametrize("metric", METRICS.values(), ids=names)
def test_every_metric_says_what_a_table_needs(metric: Metric):
    assert metric.label
    assert metric.direction in ("higher", "lower", "closest", "neither")
    assert metric.needs
    assert metric.summary.endswith(".")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, ">f4", np.float64])
@pytest.mark.parametrize("metric", WITHOUT_WEIGHTS, ids=names)
def test_type_of_numbers_does_not_matter(metric: Metric, dtype: DTypeLike):
    cast = {name: image.astype(dtype) for name, image in IMAGES.items()}
    assert metric.of({**FACTS, **cast}) == metric.of({**FACTS, **IMAGES})


@pytest.mark.parametrize("metric", WITHOUT_WEIGHTS, ids=names)
def test_order_in_memory_does_not_matter(metric: Metric):
    strided = {n: np.repeat(image.T, 2, axis=1)[:, ::2].T for n, image in IMAGES.items()}
    assert metric.of({**FACTS, **strided}) == metric.of({**FACTS, **IMAGES})


@pytest.mark.parametrize("metric", OF_PAIRS_WITHOUT_WEIGHTS, ids=names)
def test_worse_under_more_noise(metric: Metric):
    noise = np.random.default_rng(1).normal(0, 1, TRUTH.shape)
    values = [metric(TRUTH, TRUTH + sigma * noise) for sigma in (2, 8, 32, 128)]
    assert values == sorted(values, reverse=metric.direction == "higher")
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("metric", OF_PAIRS_WITHOUT_WEIGHTS, ids=names)
def test_worse_under_more_blur(metric: Metric):
    truth = TRUTH.astype(float)
    values = [metric(truth, blurred(truth, sigma)) for sigma in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=metric.direction == "higher")
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("factor", [0.6, 1.2])
@pytest.mark.parametrize("metric", OF_DEVIATIONS, ids=names)
def test_worse_the_farther_a_deviation_is_off(metric: Metric, factor: float):
    std = np.random.default_rng(2).uniform(5, 20, TRUTH.shape)
    truth = TRUTH + std * np.random.default_rng(3).normal(size=TRUTH.shape)
    known = {**FACTS, "truth": truth, "mean": TRUTH, "interval_factors": GAUSSIAN}
    values = [metric.of({**known, "std": factor**power * std}) for power in range(4)]
    far = [abs(v - metric.ideal) if metric.direction == "closest" else v for v in values]
    assert far == sorted(far)
    assert len(set(far)) == len(far)


@pytest.mark.parametrize("metric", OF_RANKS, ids=names)
def test_worse_the_more_deviations_are_mixed_up(metric: Metric):
    rng = np.random.default_rng(2)
    std = rng.uniform(5, 20, TRUTH.shape)
    truth = TRUTH + std * rng.normal(size=TRUTH.shape)
    other = rng.uniform(5, 20, TRUTH.shape)
    values = [
        metric.of({"truth": truth, "mean": TRUTH, "std": (1 - share) * std + share * other})
        for share in (0, 0.3, 0.6, 1)
    ]
    assert values == sorted(values, reverse=metric.direction == "higher")


@pytest.mark.parametrize("metric", WITHOUT_WEIGHTS, ids=names)
def test_inputs_are_left_as_they_were(metric: Metric):
    given = {name: image.astype(float) for name, image in IMAGES.items()}
    metric.of({**FACTS, **given})
    for name, image in IMAGES.items():
        np.testing.assert_array_equal(given[name], image)


@pytest.mark.parametrize("metric", OF_PAIRS, ids=names)
def test_constant_truth_is_not_applicable(metric: Metric):
    with pytest.raises(NotApplicable, match=r"(constant|same value).*\.$"):
        metric(np.full(TRUTH.shape, 3), PREDICTION)


@pytest.mark.parametrize(
    "name", ["si_psnr_a", "si_psnr_b", "nrmse_care", "ssim_affine", "lpips_alex"]
)
def test_constant_prediction_has_no_affine_fit(name: str):
    with pytest.raises(NotApplicable, match=r"prediction is constant.*\.$"):
        METRICS[name](TRUTH, np.full(TRUTH.shape, 0.1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("metric", METRICS.values(), ids=names)
def test_an_image_with_nan_or_inf_is_not_applicable(metric: Metric, value: float):
    name = next(name for name in reversed(metric.needs) if name in IMAGES)
    broken = IMAGES[name].astype(float)
    broken[3, 4] = value
    said = name.removesuffix("_volume")
    with pytest.raises(NotApplicable, match=f"The {said} holds NaN or infinite"):
        metric.of({**FACTS, **IMAGES, name: broken})


def test_images_of_different_size_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="one shape"):
        METRICS["psnr"](TRUTH, PREDICTION[1:])


def test_planes_are_no_volumes():
    with pytest.raises(ValueError, match=r"volumes of one \(z, y, x\)"):
        METRICS["si_psnr_volume"](TRUTH, PREDICTION)


@pytest.mark.parametrize(("name", "side"), [("ssim", 11), ("ms_ssim", 161)])
def test_smallest_image(name: str, side: int):
    truth = np.random.default_rng(0).random((side, side + 3))
    assert METRICS[name](truth, truth) == pytest.approx(1)
    with pytest.raises(NotApplicable, match=str(side - 1)):
        METRICS[name](truth[1:], truth[1:])


@pytest.fixture
def needy() -> Generator[Metric]:
    """A metric of the mean and its standard deviation, with a setting of its own."""

    @register(label="Needy", direction="closest", ideal=1.0)
    def mean_z(mean: Image, std: Image, power: float = 1.0) -> float:  # pyright: ignore
        return float(np.mean((mean / std) ** power))

    yield METRICS["mean_z"]
    del METRICS["mean_z"]


def test_a_metric_needs_what_its_parameters_are_named_after(needy: Metric):
    assert needy.needs == ("mean", "std")
    plane = np.full((3, 4), 6)
    assert needy.of({"mean": plane, "std": plane / 2, "truth": plane}) == 2
    assert needy.function(plane, plane / 2, power=2) == 4


def test_what_is_not_known_is_the_reason(needy: Metric):
    with pytest.raises(NotApplicable, match="gives no standard deviation"):
        needy.of({"mean": TRUTH})


def test_a_known_reason_is_passed_on(needy: Metric):
    with pytest.raises(NotApplicable, match=r"On another grid\."):
        needy.of({"mean": TRUTH, "std": NotApplicable("On another grid.")})


def test_an_unknown_need_is_refused_when_the_metric_is_written():
    with pytest.raises(ValueError, match="'weather'"):

        @register(label="Sunny", direction="higher")
        def sunny(truth: Image, weather: Image) -> float:  # pyright: ignore
            return 0.0


def test_metrics_of_one_file_are_one_family():
    assert METRICS["ssim"].family == "structure"
