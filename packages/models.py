"""A folder with an rdf.yaml is a model: one model, its description and its reference weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from imaging.cli import UserError, console

_HERE = Path(__file__).parent
_OF_ALL_WEIGHTS = ("rdf", "volumes")


@dataclass(frozen=True)
class Reference:
    """What is true of the data that reference weights were trained on.

    Attributes
    ----------
    entries
        For rdf.yaml, and which data these are: `data_sha256`, and `also_sha256` where they are
        several.
    text
        For the documentation, Markdown.
    """

    entries: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Model:
    """One model of this repository.

    Attributes
    ----------
    name
        Of the folder and of the recipe.
    folder
        Holds rdf.yaml, model.py, documentation.md and perhaps weights.pt, with reference.yaml and
        reference.md about the data that these were trained on; of further reference weights,
        NAME.pt, NAME.yaml and NAME.md.
    """

    name: str
    folder: Path

    @property
    def model_file(self) -> Path:
        """The only definition of the network."""
        return self.folder / "model.py"

    @property
    def weights_file(self) -> Path:
        """The reference checkpoint, made by training."""
        return self.folder / "weights.pt"

    def description(self, *, volumes: bool = False) -> dict[str, Any]:
        """Read rdf.yaml; of its form for volumes, with what volumes.yaml says otherwise.

        Raises
        ------
        UserError
            The form for volumes is asked for, and there is none.
        """
        planes = yaml.safe_load((self.folder / "rdf.yaml").read_text(encoding="utf-8"))
        if not volumes or "z" in _axes(planes["inputs"][0]):
            return planes
        file = self.folder / "volumes.yaml"
        if not file.exists():
            raise UserError(f"{self.folder} describes no form for volumes: give it a {file.name}.")
        return for_volumes(planes, yaml.safe_load(file.read_text(encoding="utf-8")))

    def references(self) -> list[Reference]:
        """Read what is said of the data of reference weights; those of `weights_file` first."""
        files = [file for file in self.folder.glob("*.yaml") if file.stem not in _OF_ALL_WEIGHTS]
        files.sort(key=lambda file: (file.stem != "reference", file.stem))
        return [
            Reference(
                yaml.safe_load(file.read_text(encoding="utf-8")),
                file.with_suffix(".md").read_text(encoding="utf-8").rstrip(),
            )
            for file in files
        ]

    def documentation(self, *, volumes: bool = False) -> str:
        """Read documentation.md, or volumes.md where there is one and volumes are restored."""
        of_volumes = self.folder / "volumes.md"
        file = of_volumes if volumes and of_volumes.exists() else self.folder / "documentation.md"
        return file.read_text(encoding="utf-8").rstrip()

    def channels(self) -> list[str]:
        """Return what the channels of the output are, the restored image first."""
        axes = self.description()["outputs"][0]["axes"]
        return next(axis["channel_names"] for axis in axes if axis["type"] == "channel")


def for_volumes(description: dict[str, Any], otherwise: dict[str, Any]) -> dict[str, Any]:
    """Describe a network of planes as one of volumes.

    Parameters
    ----------
    description
        Of planes; it is changed.
    otherwise
        What is said of volumes instead: `name`, `description`, and entries of `config.bioimageio`.

    Returns
    -------
    dict
        With an axis z before y, along which percentiles are taken, too.
    """
    for tensor in (*description["inputs"], *description["outputs"]):
        y = _axes(tensor).index("y")
        tensor["axes"].insert(y, {"type": "space", "id": "z"})
        for step in (*tensor.get("preprocessing", ()), *tensor.get("postprocessing", ())):
            along = step.get("kwargs", {}).get("axes")
            if along is not None:
                along.insert(along.index("y"), "z")
    description["tags"] = ["3d" if tag == "2d" else tag for tag in description["tags"]]
    entries = description["config"]["bioimageio"]
    for name, said in otherwise.pop("config", {}).items():
        entries[name] = entries[name] | said if isinstance(said, dict) else said
    return description | otherwise


def for_channels(description: dict[str, Any], names: Sequence[str]) -> None:
    """Describe a network of one channel as one of several, each normalised by itself.

    Parameters
    ----------
    description
        Content of rdf.yaml; it is changed.
    names
        Of the channels, which the network takes and gives.
    """
    for tensor in (*description["inputs"], *description["outputs"]):
        for axis in tensor["axes"]:
            if axis["type"] == "channel":
                axis["channel_names"] = list(names)
        for step in (*tensor.get("preprocessing", ()), *tensor.get("postprocessing", ())):
            along = step.get("kwargs", {}).get("axes", [])
            if "channel" in along:
                along.remove("channel")


def _axes(tensor: dict[str, Any]) -> list[str]:
    return [axis["id"] for axis in tensor["axes"]]


def models() -> list[Model]:
    """Return all models, by name."""
    return [Model(file.parent.name, file.parent) for file in sorted(_HERE.glob("*/rdf.yaml"))]


def model_named(name: str) -> Model:
    """Return one model.

    Parameters
    ----------
    name
        Of its folder.

    Returns
    -------
    Model
        That model.

    Raises
    ------
    UserError
        There is none of this name.
    """
    for candidate in models():
        if candidate.name == name:
            return candidate
    names = ", ".join(r.name for r in models())
    raise UserError(f"There is no model '{name}': choose one of {names}.")


def show() -> None:
    """Show the models that can be built."""
    table = Table("model", "what it is", "reference weights", box=None)
    for each in models():
        weights = each.weights_file
        size = f"{weights.stat().st_size / 2**20:.1f} MiB" if weights.exists() else "none yet"
        references = each.references()
        described = references[0].entries if references else each.description()
        table.add_row(each.name, described["name"], size)
    console.print(table)
