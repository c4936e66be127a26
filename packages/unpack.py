"""The weights of a package of one of our models, as something to train on: read, never run."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bioimageio.spec.common import RelativeFilePath
from bioimageio.spec.model import v0_5
from torch import Tensor

from imaging.cli import UserError
from imaging.files import sha256
from imaging.training_metadata import Lineage
from packages.geometry import geometry
from packages.models import Model, models
from packages.package import Package, open_package, spatial_axes

_STATE = "pytorch_state_dict"


@dataclass(frozen=True, eq=False)
class Unpacked:
    """What a package holds of a training.

    Attributes
    ----------
    model
        Which of ours it is.
    weights
        Its network's state dict, on the CPU.
    arguments
        Of the architecture.
    pixel_size_um
        Side of a pixel that it was made for, µm; None when it does not say.
    factor
        Pixels of a restored image along one of its input.
    lineage
        What the package is, for those that are made from it.
    """

    model: Model
    weights: dict[str, Tensor]
    arguments: dict[str, Any]
    pixel_size_um: float | None
    factor: int
    lineage: Lineage


def unpack(path: Path) -> Unpacked:
    """Read the weights of a package; of its code nothing runs, and pickles hold tensors alone.

    Parameters
    ----------
    path
        A zip, or a folder with rdf.yaml.

    Returns
    -------
    Unpacked
        Of one of our models, with images of one channel and two dimensions.

    Raises
    ------
    UserError
        No package, of another network, of other images, without a PyTorch state dict, or damaged.
    """
    with open_package(path, trust=True) as package:  # which only allows code to be run
        state = package.description.weights.pytorch_state_dict
        if state is None:
            raise UserError(
                f"{path} has no PyTorch weights ({_STATE}), and only these can be trained on: "
                "get a package that has them."
            )
        _refuse_other_images(package)
        model = _model_of(package, state)
        sizes = package.pixel_size_um
        return Unpacked(
            model=model,
            weights=_read(package, state),
            arguments=dict(state.architecture.kwargs),
            pixel_size_um=sizes.get("x"),
            factor=int(geometry(package)["x"].scale),
            lineage=_lineage(package),
        )


def _refuse_other_images(package: Package) -> None:
    axes = spatial_axes(package.input)
    channels = [axis for axis in package.input.axes if isinstance(axis, v0_5.ChannelAxis)]
    if set(axes) != {"y", "x"}:
        raise UserError(
            f"{package.path} restores images of axes {', '.join(axes)}: "
            "only packages for planes (y, x) can be adapted."
        )
    if any(len(axis.channel_names) != 1 for axis in channels):
        raise UserError(
            f"{package.path} restores images of several channels: "
            "only packages for one channel can be adapted."
        )


def _model_of(package: Package, state: v0_5.PytorchStateDictWeightsDescr) -> Model:
    name = str(state.architecture.callable)
    for model in models():
        if model.description()["architecture"]["callable"] == name:
            return model
    raise UserError(
        f"{package.path} holds a network '{name}', which is none of this project: only packages "
        f"of {', '.join(model.name for model in models())} can be adapted."
    )


def _read(package: Package, state: v0_5.PytorchStateDictWeightsDescr) -> dict[str, Tensor]:
    source, root = state.source, package.description.root
    # `open_package` has made sure of both.
    assert isinstance(source, RelativeFilePath)
    assert isinstance(root, Path)
    file = root / source.path
    if state.sha256 is not None and sha256(file) != state.sha256:
        raise UserError(
            f"{package.path}: the file of its weights is not the one that rdf.yaml describes, as "
            "its SHA-256 differs: download or build the package again."
        )
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, LookupError, RuntimeError) as error:
        raise UserError(
            f"{package.path}: its PyTorch weights hold more than tensors, or are damaged: "
            "download or build the package again."
        ) from error


def _lineage(package: Package) -> Lineage:
    description = package.description
    card: dict[str, Any] = description.config.bioimageio.model_dump(mode="json")
    training: dict[str, Any] = card.get("training") or {}
    return Lineage(
        name=package.name,
        id=str(description.id or ""),
        version=str(description.version or ""),
        sha256=package.sha256,
        data=str(training.get("dataset", "")),
        data_sha256=str(training.get("dataset_sha256", "")),
    )
