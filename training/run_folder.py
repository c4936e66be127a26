"""What a training looks at, and what it leaves in its folder while it lasts."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic

from imaging.datasets import Item
from imaging.tensors import write_tensors
from imaging.trained_weights import FILE_NAME, Example, TrainedWeights
from imaging.training_metadata import FurtherData, Metadata
from packages.models import model_named
from training.data import Batch, Pair
from training.loop import Log, State
from training.metadata import reached_by
from training.picture import draw
from training.recipe import N, Recipe

_PICTURE_EVERY_S = 60.0


@dataclass(frozen=True)
class Images:
    """What a training looks at.

    Attributes
    ----------
    training, calibration
        Pairs to learn from, and to choose the best weights by.
    also
        Pairs of further datasets to learn from, too, each with its description.
    validation
        The first of those that serve for nothing but the package's test and its model card.
    fixed
        Crops of the calibration pairs, the same at every mark.
    example
        For the package's test image.
    """

    training: list[Pair]
    also: list[tuple[FurtherData, list[Pair]]]
    calibration: list[Pair]
    validation: tuple[Item, ...]
    fixed: Batch
    example: Example

    @property
    def all_training(self) -> list[Pair]:
        """All pairs to learn from."""
        return [*self.training, *(pair for _, pairs in self.also for pair in pairs)]


class RunFolder(Generic[N]):
    """The files of a training that lasts; `training.run` lists them.

    Parameters
    ----------
    path
        The folder.
    recipe, metadata
        What is trained, and how: it goes into weights.pt.
    images
        What the training looks at.
    log
        Its losses.
    """

    def __init__(
        self, path: Path, recipe: Recipe[N], metadata: Metadata, images: Images, log: Log
    ) -> None:
        self._path = path
        self._recipe = recipe
        self._metadata = metadata
        self._images = images
        self._log = log
        self._channels = model_named(recipe.model).channels()
        self._drawn_at = time.monotonic()

    def save(self, state: State[N], is_best: bool) -> None:
        """Save what a mark asks for."""
        if is_best:
            write_tensors(self._path / "best.pt", state.to_dict())
            weights = {name: tensor.cpu() for name, tensor in state.average.state_dict().items()}
            metadata = replace(self._metadata, reached=reached_by(state))
            TrainedWeights(weights, metadata, self._images.example).write(self._path / FILE_NAME)
        # Last: a run killed before resumes earlier, and makes the others again.
        self.save_last(state)
        if time.monotonic() - self._drawn_at > _PICTURE_EVERY_S:
            self.draw(state)
            self._drawn_at = time.monotonic()

    def save_last(self, state: State[N]) -> None:
        """Save everything that a resumed training needs."""
        write_tensors(self._path / "last.pt", state.to_dict())

    def draw(self, state: State[N]) -> None:
        """Draw the losses, and crops with what is made of them."""
        file, entries = self._path / "progress.png", self._log.entries
        draw(file, self._recipe, state.average, entries, self._images.fixed, self._channels)
