"""What a metric is: one function, what it needs to know, and what a table must know of it.

Metrics share what is said here once, and not by each of them:

- The names of its parameters say what a metric needs to know, out of `WHY_MISSING`.
- Images are of shape (y, x) in float64, of one shape but for native. Mean, std, sample and
  disagreement are channels of a package. The prediction is the image that is judged: that mean,
  that sample, or what a control made; delivered is the same image where its scale is that of the
  truth; repeat is the mean restored from a second, independent recording of the same field. The
  truth has percentiles 2 and 99.8 at 0 and 1, and what is delivered is meant to. Input and native
  are in counts, native on the microscope's own pixels.
- A metric that needs a volume is asked once for each volume, the others for each plane. Volumes are
  of shape (z, y, x), of the truth on its own scale, and otherwise what their planes are.
- pixel_um is the side of a pixel of prediction and truth, step_um the distance of their planes,
  tolerance_um how far the truth may lie beside its input, all in µm. microscope maps names to
  numbers, interval_factors nominal coverages, as text, to half-widths in standard deviations;
  trust_mask is an `imaging.trust_mask.TrustMask`.
- The value is a float in the unit that its entry states, never NaN.
- `NotApplicable` is raised, with the reason in a sentence, where something needed is not known, an
  image holds NaN or infinite values, or the metric can say nothing about this plane.

What is left to the docstring of a metric: in one line, which the page prints, what it measures; the
formula and its source; traps; the range, and when it is not applicable; an example.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imaging.scores import Direction

Image = NDArray[np.float64]  # (y, x)
Volume = NDArray[np.float64]  # (z, y, x)
Score = Callable[..., float]

IMAGES = (
    "truth",
    "prediction",
    "delivered",
    "mean",
    "std",
    "sample",
    "disagreement",
    "repeat",
    "input",
    "native",
)
VOLUMES = ("truth_volume", "prediction_volume", "repeat_volume")
WHY_MISSING = {
    "truth": "The dataset has no truth.",
    "prediction": "Nothing was restored.",
    "delivered": "Nothing was restored.",
    "mean": "It gives no mean.",
    "std": "It gives no standard deviation.",
    "sample": "It gives no sample.",
    "disagreement": "It gives no disagreement of members.",
    "repeat": "The dataset has no repeat/, no second recording of the same field.",
    "input": "The input is not known.",
    "native": "The dataset has no native/, so the microscope's pixels are not known.",
    "truth_volume": "The dataset has no truth.",
    "prediction_volume": "Nothing was restored.",
    "repeat_volume": "The dataset has no repeat/, no second recording of the same field.",
    "pixel_um": "The pixel size is not known.",
    "step_um": "The distance of planes is not known: state z_step_um in dataset.toml.",
    "tolerance_um": "dataset.toml states no tolerance, how far the truth may lie beside its input.",
    "microscope": "dataset.toml does not describe the microscope.",
    "interval_factors": "It states no intervals of its own.",
    "trust_mask": "It promises nothing of structures.",
}


class NotApplicable(Exception):  # noqa: N818  (it is an answer, "n/a", not a fault)
    """A metric or control can say nothing here; the message is the reason, one sentence."""


class MissingFile(NotApplicable):
    """A metric lacks a file that may be there another time, of weights for instance."""


MetricInputs = Mapping[str, Any]
"""What is known of one plane or volume, by the names in `WHY_MISSING`; a `NotApplicable` says why
something is not."""


@dataclass(frozen=True)
class Metric:
    """A metric with what tables and figures need to know of it.

    Attributes
    ----------
    name
        The name of the function; the entry in the scores table.
    label
        How it is printed.
    direction
        Whether higher or lower values are better, or those closest to `ideal`, or neither: the
        value describes, and nobody wins by it.
    unit
        "dB", or empty when the value has none.
    needs
        Names out of `WHY_MISSING`, in the order in which the function takes them.
    function
        Of what it needs, to a float.
    ideal
        The value of a perfect answer where `direction` is "closest"; otherwise not used.
    """

    name: str
    label: str
    direction: Direction
    unit: str
    needs: tuple[str, ...]
    function: Score
    ideal: float = 0.0

    @property
    def family(self) -> str:
        """Return the module the function is in: metrics of one family stand in one table."""
        return self.function.__module__.rpartition(".")[2]

    @property
    def is_of_volumes(self) -> bool:
        """Tell whether it is asked of volumes, not of planes."""
        return not set(VOLUMES).isdisjoint(self.needs)

    @property
    def summary(self) -> str:
        """Return the first line of the function's documentation."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def __call__(self, *given: ArrayLike) -> float:
        """Score what is given in the order of `needs`; see `of`."""
        return self.function(*given)

    def of(self, known: MetricInputs) -> float:
        """Score one plane, or one volume.

        Parameters
        ----------
        known
            What is known of it; more than the metric needs does not matter.

        Returns
        -------
        float
            The value; infinite for the PSNR of a perfect prediction, never NaN.

        Raises
        ------
        NotApplicable
            Something it needs is not known, or it cannot say anything about it.
        """
        return self.function(*(_given(name, known) for name in self.needs))


METRICS: dict[str, Metric] = {}


def metric(
    *, label: str, direction: Direction, unit: str = "", ideal: float = 0.0
) -> Callable[[Callable[..., float]], Score]:
    """Register a function in `METRICS` under its own name.

    Parameters with a default are its own business; the others say what it needs.

    It receives finite float64 images of one shape (y, x), or volumes of one shape (z, y, x),
    whatever it is called with: unsigned integers would wrap around when subtracted, and statistics
    in float32 lose digits.

    Parameters
    ----------
    label, direction, unit, ideal
        See `Metric`.

    Returns
    -------
    Callable
        A decorator; the decorated function stays an ordinary function.
    """

    def register(function: Callable[..., float]) -> Score:
        parameters = inspect.signature(function).parameters
        needs = tuple(p.name for p in parameters.values() if p.default is p.empty)
        if unknown := set(needs) - set(WHY_MISSING):
            raise ValueError(
                f"{function.__name__} needs '{sorted(unknown)[0]}', which is not among "
                f"{', '.join(WHY_MISSING)}"
            )

        @functools.wraps(function)
        def score(*given: Any, **options: Any) -> float:
            return function(*_checked(needs, given), **options)

        METRICS[function.__name__] = Metric(
            function.__name__, label, direction, unit, needs, score, ideal
        )
        return score

    return register


def _given(name: str, known: MetricInputs) -> Any:
    value = known.get(name)
    if isinstance(value, NotApplicable):
        raise value
    if value is None:
        raise NotApplicable(WHY_MISSING[name])
    return value


def _checked(needs: tuple[str, ...], given: tuple[Any, ...]) -> list[Any]:
    if len(given) != len(needs):
        raise TypeError(f"Give {', '.join(needs)}, in this order: got {len(given)} arguments.")
    checked: list[Any] = []
    shapes: dict[str, tuple[int, ...]] = {}
    for name, value in zip(needs, given, strict=True):
        if name in (*IMAGES, *VOLUMES):
            image = np.ascontiguousarray(value, dtype=np.float64)
            shapes[name] = image.shape
            checked.append(image)
        else:
            checked.append(value)
    compared = {name: shape for name, shape in shapes.items() if name != "native"}
    if len(set(compared.values())) > 1 or any(
        len(shape) != (3 if name in VOLUMES else 2) for name, shape in shapes.items()
    ):
        said = " and ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{said} must be images of one shape (y, x), or volumes of one (z, y, x).")
    for name, value in zip(needs, checked, strict=True):
        if name in shapes and not np.isfinite(value).all():
            raise NotApplicable(f"The {name.removesuffix('_volume')} holds NaN or infinite values.")
    return checked
