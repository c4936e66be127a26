"""Compare trained samplers: ``python -m docs.examples.compare_flows DATASET WEIGHTS...``.

The published HazeMatching cannot be packaged, for its layers look at whole tiles; so its weights
and ours are compared as they left `training calibrate`, with the benchmark's metrics. Prints means
over the validation images, paired wins of the first weights over the others, and the time of a
whole posterior of 1024² pixels, of which two samples are timed and the rest is as many times as
much.
"""

import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cyclopts import App
from torch import nn

from benchmark.metrics import METRICS
from imaging.cli import console
from imaging.cli import run as run_app
from imaging.datasets import open_dataset
from imaging.trained_weights import TrainedWeights
from training.data import load_pairs
from training.division import split_items

app = App(name="python -m docs.examples.compare_flows", result_action="return_value")
TILE = 256  # px; the published form is also faster in larger ones, but for its attention


@app.default
@torch.no_grad()
def compare(data: Path, /, *weights: Path) -> None:
    """Compare trained samplers.

    Parameters
    ----------
    data
        Dataset with targets; its validation images are used.
    weights
        Written by `training calibrate` with the same number of samples.
    """
    torch.set_num_threads(1)
    pairs = load_pairs(split_items(open_dataset(data))["validation"])
    scores: dict[str, dict[str, list[float]]] = {}
    for file in weights:
        trained = TrainedWeights.read(file)
        arguments: dict[str, Any] = trained.metadata.request.settings.network
        network = _network(trained, arguments)
        of_file = scores[str(file)] = {}
        for pair in pairs:
            restored = network(torch.from_numpy(pair.normalised_input)[None, None])[0].numpy()
            mean, std, sample = restored
            for name, given in {
                "si_psnr_a": (pair.target, mean),
                "lpips_alex": (pair.target, mean),
                "crps": (pair.target, mean, std),
                "si_psnr_a of a sample": (pair.target, sample),
                "lpips_alex of a sample": (pair.target, sample),
            }.items():
                score = METRICS[name.partition(" ")[0]](*given)
                of_file.setdefault(name, []).append(score)
        calls = int(arguments["steps"]) * (1 if arguments.get("published") else 2)
        means = ", ".join(f"{name} {np.mean(values):.4f}" for name, values in of_file.items())
        console.print(
            f"{file}: {_parameters(network)} parameters, {arguments['samples']} samples of "
            f"{calls} calls; {len(pairs)} images: {means}",
            soft_wrap=True,
        )
        console.print(f"  1024², {_posterior_seconds(trained, arguments):.1f} s", soft_wrap=True)
    first, *others = scores
    for other in others:
        for name, values in scores[first].items():
            ahead = np.subtract(values, scores[other][name]) * (1 if "psnr" in name else -1) > 0
            console.print(f"{first} ahead of {other} in {name}: {ahead.sum()} of {len(ahead)}")


def _network(trained: TrainedWeights, arguments: dict[str, Any]) -> nn.Module:
    recipe = importlib.import_module(f"training.recipes.{trained.metadata.model}").RECIPE
    network: nn.Module = recipe.architecture(**arguments)
    network.load_state_dict(trained.weights)
    return network.eval()


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _posterior_seconds(trained: TrainedWeights, arguments: dict[str, Any]) -> float:
    """Time two samples of 1024² pixels in tiles, and multiply."""
    network = _network(trained, {**arguments, "samples": 2})
    tile = torch.zeros(1, 1, TILE, TILE)
    network(tile)
    begin = time.process_time()
    for _ in range((1024 // TILE) ** 2):
        network(tile)
    return (time.process_time() - begin) * int(arguments["samples"]) / 2


if __name__ == "__main__":
    run_app(app)
