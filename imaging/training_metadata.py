"""Metadata of a training: how weights were trained, what they reach, what they cost."""

from dataclasses import field
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue
from pydantic.dataclasses import dataclass

from imaging.files import STRICT, Sha256
from imaging.known_images import KnownImages
from imaging.trust_mask import TrustMask

_STEEP = 0.2  # of the fall of a loss: what is trained to its end gains less than 5 % that late
SHARES = ("0.5", "0.9", "0.95")
"""Of the pixels that intervals are meant to cover."""


def _holding(*names: str) -> AfterValidator:
    """Return a validator of a dictionary in which these names must not miss."""

    def check(values: dict[str, Any]) -> dict[str, Any]:
        for name in names:
            if name not in values:
                raise ValueError(f"'{name}' is missing")
        return values

    return AfterValidator(check)


Scores = Annotated[
    dict[str, float], _holding(*(f"coverage_{share}" for share in SHARES), "nll", "ence", "mean_z2")
]
"""What `training.calibration_fit.scores` measures, by name."""


@dataclass(frozen=True, config=STRICT)
class Settings:
    """Hyper-parameters of a training.

    Attributes
    ----------
    network
        Arguments of the architecture.
    patch_px, batch_size
        Side of a training patch, and patches per step.
    learning_rate
        Peak, reached after `warmup` of the training and falling to 0 on a cosine.
    steps
        Length of the training when neither steps nor minutes are asked for.
    warmup
        Fraction of the training over which the learning rate rises from 0.
    clip_norm
        Largest norm of the gradient of all weights.
    ema_decay
        Of the exponential moving average of the weights that is validated and shipped.
    patch_planes
        Planes of a training patch, at most, where volumes are restored; None where planes are.
    """

    network: dict[str, JsonValue]
    patch_px: int
    batch_size: int
    learning_rate: float
    steps: int
    warmup: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    patch_planes: int | None = None


@dataclass(frozen=True, config=STRICT)
class Lineage:
    """The package whose weights a training began with.

    Attributes
    ----------
    name, id, version
        As it states them; empty where it does not.
    sha256
        Of the package.
    data, data_sha256
        Name and hash of what it was trained on; empty where it does not say.
    """

    name: str
    id: str
    version: str
    sha256: Sha256
    data: str
    data_sha256: Sha256


@dataclass(frozen=True, config=STRICT)
class Request:
    """What training was asked for.

    Attributes
    ----------
    recipe, preset
        Names of the recipe and of its settings.
    settings
        The hyper-parameters themselves.
    seed
        Of weights and batches.
    steps, minutes
        Length; minutes count when they are given.
    data, data_sha256
        Name and hash of the dataset.
    also
        Hashes, by name, of further datasets whose training images are trained on, too.
    microscope
        Hash of the file of the microscope that degraded targets anew; "default"; None for frozen
        pairs.
    adapted_from
        The package whose weights it begins with; None where it begins with random ones.
    pixel_loss
        Name of the loss that was asked for instead of the recipe's own; None where none was.
    axial_sigma_um
        Standard deviation, µm, of the blur along the optical axis, where planes degraded by it are
        learnt from; None where pairs are.
    channels
        Names of the channels of each image that are restored together; empty where each image has
        one.
    """

    recipe: str
    preset: str
    settings: Settings
    seed: int
    steps: int
    minutes: float | None
    data: str
    data_sha256: Sha256
    microscope: str | None = None
    also: dict[str, Sha256] = field(default_factory=dict[str, Sha256])
    adapted_from: Lineage | None = None
    pixel_loss: str | None = None
    axial_sigma_um: float | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, config=STRICT)
class FurtherData:
    """What was trained on beside the dataset that weights are chosen and calibrated on.

    Attributes
    ----------
    name, provenance
        As dataset.toml states them.
    training_images
        How many were trained on.
    """

    name: str
    provenance: dict[str, str | int | float]
    training_images: int


@dataclass(frozen=True, config=STRICT)
class TrainingData:
    """What was trained on.

    Attributes
    ----------
    name, description, provenance
        As dataset.toml states them.
    pixel_size_um
        Side of a pixel, µm; None when unknown.
    training_images, calibration_images
        How many were trained on, and how many served to choose the best weights.
    also
        Further datasets that were trained on, too.
    z_step_um
        Distance of planes of volumes, µm; None where planes are restored, or when unknown.
    """

    name: str
    description: str
    pixel_size_um: float | None
    provenance: dict[str, str | int | float]
    training_images: int
    calibration_images: int
    also: tuple[FurtherData, ...] = ()
    z_step_um: float | None = None


@dataclass(frozen=True, config=STRICT)
class InferenceCost:
    """What restoring costs.

    Attributes
    ----------
    seconds_per_megapixel, peak_mib_per_megapixel
        Time, s, and peak memory, MiB, of a window of 256², as if of 2²⁰ pixels.
    device
        On which it was measured.
    """

    seconds_per_megapixel: float
    peak_mib_per_megapixel: float
    device: str


@dataclass(frozen=True, config=STRICT)
class Reached:
    """What a training came to.

    Attributes
    ----------
    steps, seconds
        How long it took.
    calibration_loss
        Loss on fixed crops of the calibration images: infinite before the first mark.
    error_restored, error_input
        Mean absolute errors on these crops, in normalised intensity, after and before restoration;
        None until the training is finished.
    late_fall
        Share of the whole fall of the calibration loss that came in the second half of the
        training; None where it is not known.
    """

    steps: int
    seconds: float
    calibration_loss: float
    error_restored: float | None = None
    error_input: float | None = None
    late_fall: float | None = None

    @property
    def doubt(self) -> str | None:
        """Say in a sentence why the weights are hardly trained, where they are."""
        restored, unrestored = self.error_restored, self.error_input
        if restored is not None and unrestored is not None and restored >= unrestored:
            return (
                "Hardly trained: restored images are no closer to the truth than their input "
                f"(error {restored:.4f}, before {unrestored:.4f})."
            )
        if self.late_fall is not None and self.late_fall > _STEEP:
            return (
                f"Hardly trained: {self.late_fall:.0%} of the fall of the loss came in the second "
                "half of the training, and a longer one would go on from there."
            )
        return None


@dataclass(frozen=True, config=STRICT)
class ImageCounts:
    """How many images a standard deviation was calibrated on, and judged on."""

    calibration: int
    validation: int


@dataclass(frozen=True, config=STRICT)
class CalibrationResult:
    """What calibrating the standard deviation brought.

    Attributes
    ----------
    interval_factors
        Half-widths of intervals, in standard deviations, by the share of pixels they cover.
    before, linear, after
        Scores on the validation images without calibration, with a line, and as calibrated.
    images
        How many of each part.
    data, data_sha256
        Name and hash of their dataset.
    """

    interval_factors: Annotated[dict[str, float], _holding(*SHARES)]
    before: Scores
    linear: Scores
    after: Scores
    images: ImageCounts
    data: str
    data_sha256: Sha256


@dataclass(frozen=True, config=STRICT)
class SamplingOptions:
    """What a trained network leaves open; None where it is not stated.

    Attributes
    ----------
    samples
        How many samples of the posterior are drawn for an image.
    steps
        In how many steps each is made.
    """

    samples: int | None = None
    steps: int | None = None


@dataclass(frozen=True, config=STRICT)
class Metadata:
    """How weights were trained, what they reach and what they cost.

    Attributes
    ----------
    model
        Name of the folder in packages/ that defines the network.
    request
        What training was asked for.
    loss
        As the model card calls it.
    data
        What was trained on.
    versions
        Of the libraries that numbers depend on.
    device
        On which it was trained.
    inference
        What restoring costs.
    reached
        What the training came to.
    calibration
        Of the standard deviation; None where none is predicted, or until it is calibrated.
    trust_mask
        What is promised of restored structures; None where nothing is.
    measured_with
        With which options `inference` and the errors in `reached` were measured, where the network
        has others now.
    known
        Which images it was trained on, to tell others from them; None where they were too few or
        too small, and in files of before this was measured.
    """

    model: str
    request: Request
    loss: str
    data: TrainingData
    versions: Annotated[dict[str, str], _holding("torch")]
    device: str
    inference: InferenceCost
    reached: Reached
    calibration: CalibrationResult | None = None
    trust_mask: TrustMask | None = None
    measured_with: SamplingOptions = SamplingOptions()
    known: KnownImages | None = None
