"""Give trained weights a generated test image: ``python -m docs.examples.generated_example``.

A package shows one validation image of its training. Where that may not be passed on, an image of a
simulated dataset takes its place; the weights and all that is said of them stay as they are.
"""

from dataclasses import replace
from pathlib import Path

import torch
from cyclopts import App

from imaging.cli import UserError, console
from imaging.cli import run as run_app
from imaging.datasets import open_dataset
from imaging.trained_weights import Example, TrainedWeights
from training.data import load_pairs
from training.division import split_items
from training.factor import find_factor
from training.metadata import cut_example

app = App(name="python -m docs.examples.generated_example", result_action="return_value")


@app.default
def generated_example(weights: Path, data: Path, out: Path, /) -> None:
    """Write weights with an image of another dataset for the package's test.

    Parameters
    ----------
    weights
        Run folder of a training, or its weights.pt.
    data
        Dataset with targets as fine as those trained on.
    out
        File to write.
    """
    trained = TrainedWeights.read(weights)
    dataset = open_dataset(data)
    learnt = trained.example.target.shape[0] // trained.example.input.shape[0]
    if find_factor(dataset) != learnt:
        raise UserError(
            f"{data} has targets {find_factor(dataset)} times as fine as inputs and {weights} was "
            f"trained on {learnt} times: simulate with --factor {learnt}."
        )
    pair = cut_example(load_pairs(split_items(dataset)["validation"]))
    example = Example(torch.from_numpy(pair.input), torch.from_numpy(pair.target))
    replace(trained, example=example).write(out)
    console.print(f"Made {out}", soft_wrap=True)


if __name__ == "__main__":
    run_app(app)
