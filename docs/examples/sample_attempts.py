"""What was tried on samples that look grainy: ``python -m docs.examples.sample_attempts DATASET``.

Each attempt changes how one sample is drawn with the reference weights of HazeMatching, or how it
is refined afterwards; nothing is trained. Prints, over the calibration images of a simulated
dataset, how well a sample agrees with the photons, how it looks and how far it is from the truth,
and its spread: distance from the mean over the error of the mean, of which 1 is that of a posterior
(`hazematching`'s own mean of 16 samples, before calibration).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cyclopts import App
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from benchmark.metrics import METRICS
from imaging import images
from imaging.cli import UserError, console
from imaging.cli import run as run_app
from imaging.datasets import Item, open_dataset
from imaging.deconvolution import blur_and_sample
from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from imaging.trained_weights import TrainedWeights
from packages.hazematching.flow import midpoint, midpoint_times
from packages.hazematching.model import HazeMatching
from training.data import Pair, load_pairs
from training.division import split_items

app = App(name="python -m docs.examples.sample_attempts", result_action="return_value")
Image = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """An image, the posterior's mean, and what is known of the truth."""

    image: Tensor
    mean: Image
    truth: Image
    native: Image
    pixel_um: float
    microscope: dict[str, Any]


@app.default
@torch.no_grad()
def attempts(data: Path, /, weights: Path = Path("packages/hazematching/weights.pt")) -> None:
    """Compare ways to draw a sample.

    Parameters
    ----------
    data
        Simulated dataset; its calibration images are used.
    weights
        Of HazeMatching.
    """
    torch.set_num_threads(1)
    network = _network(weights)
    items = split_items(open_dataset(data))["calibration"]
    cases = [
        _case(network, pair, item) for pair, item in zip(load_pairs(items), items, strict=True)
    ]
    drawn: dict[str, Callable[[Case], Image]] = {}
    for steps in (1, 2, 4, 8):
        drawn[f"{steps} steps"] = partial(_draw, network, steps=steps)
    for width in (0.5, 1.0, 2.0):
        drawn[f"noise correlated over {width:g} pixels"] = partial(
            _draw, network, correlation=width
        )
    for size in (0.9, 0.8, 0.6):
        drawn[f"noise of deviation {size}"] = partial(_draw, network, deviation=size)
    for eta in (0.05, 0.2, 1.0):
        drawn[f"guided to the image, eta {eta}"] = partial(_guided, network, eta=eta)
    for name, draw in drawn.items():
        rows = [_scores(draw(case), case) for case in cases]
        consistency, lpips, psnr, spread = np.mean(rows, axis=0)
        console.print(
            f"{name}: data consistency {consistency:.2f}, LPIPS {lpips:.3f}, "
            f"SI-PSNR {psnr:.2f} dB, spread {spread:.2f}",
            soft_wrap=True,
        )


def _case(network: HazeMatching, pair: Pair, item: Item) -> Case:
    if item.native is None or item.pixel_size_um is None:
        raise UserError(f"{item.name} has no native/ or no pixel size: give a simulated dataset.")
    image = torch.from_numpy(pair.normalised_input)[None, None]
    return Case(
        image=image,
        mean=network(image)[0, 0].double().numpy(),
        truth=pair.target.astype(np.float64),
        native=np.asarray(images.read(item.native), dtype=np.float64).squeeze(),
        pixel_um=item.pixel_size_um,
        microscope=item.microscope,
    )


def _draw(
    network: HazeMatching,
    case: Case,
    *,
    steps: int = 2,
    correlation: float = 0.0,
    deviation: float = 1.0,
) -> Image:
    encoding = network.encode(case.image)
    modulations = network.velocity.modulation(torch.tensor(midpoint_times(steps)))
    noise = network.noise(0, network.choose(case.image))
    if correlation:
        noise = _correlated(noise, correlation, network.cell)

    def velocity(state: Tensor, i: int) -> Tensor:
        return network.velocity(state, modulations[i : i + 1], encoding.guides)

    rest = F.pixel_shuffle(midpoint(velocity, deviation * noise, steps), network.cell)
    return (encoding.mean + encoding.scale * rest)[0, 0].double().numpy()


def _correlated(noise: Tensor, width: float, cell: int) -> Tensor:
    """Return noise of the same variance, smoothed with a Gaussian on the fine grid."""
    fine = F.pixel_shuffle(noise, cell)
    smooth = torch.from_numpy(ndimage.gaussian_filter(fine.numpy(), width, axes=(2, 3)))
    return F.pixel_unshuffle(smooth / smooth.std(), cell)


def _guided(network: HazeMatching, case: Case, *, eta: float) -> Image:
    """Return a sample after ten gradient steps towards the image, as the known blur sees it."""
    sample = _draw(network, case)
    fwhm = float(case.microscope["blur_fwhm_um"]) / case.pixel_um
    rows, columns = (blur_and_sample(side, network.cell, fwhm) for side in sample.shape)
    low, high = np.percentile(case.native, [LOW_PERCENTILE, HIGH_PERCENTILE])
    seen = (case.native - low) / (high - low)
    for _ in range(10):
        missing = seen - (columns @ (rows @ sample).T).T / network.cell**2
        sample = sample + eta * (columns.T @ (rows.T @ missing).T).T
    return sample


def _scores(sample: Image, case: Case) -> list[float]:
    distance = np.mean((sample - case.mean) ** 2) / np.mean((case.truth - case.mean) ** 2)
    known = {
        "native": case.native,
        "truth": case.truth,
        "prediction": sample,
        "pixel_um": case.pixel_um,
        "microscope": case.microscope,
    }
    scored = [METRICS[name].of(known) for name in ("data_consistency", "lpips_alex", "si_psnr_a")]
    return [*scored, float(np.sqrt(distance))]


def _network(weights: Path) -> HazeMatching:
    trained = TrainedWeights.read(weights, model="hazematching")
    arguments: dict[str, Any] = dict(trained.metadata.request.settings.network)
    network = HazeMatching(**arguments)
    network.load_state_dict(trained.weights)
    return network.eval()


if __name__ == "__main__":
    run_app(app)
