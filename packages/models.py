"""A folder with an rdf.yaml is a model: one model, its description and its reference weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from imaging.cli import UserError, console

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """One model of this repository.

    Attributes
    ----------
    name
        Of the folder and of the recipe.
    folder
        Holds rdf.yaml, model.py, documentation.md and perhaps weights.pt, with reference.yaml and
        reference.md about the data that these were trained on.
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

    def description(self) -> dict[str, Any]:
        """Read rdf.yaml."""
        return yaml.safe_load((self.folder / "rdf.yaml").read_text(encoding="utf-8"))

    def reference(self) -> dict[str, Any]:
        """Read reference.yaml; empty where there is none."""
        file = self.folder / "reference.yaml"
        return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}

    def documentation(self) -> str:
        """Read documentation.md."""
        return (self.folder / "documentation.md").read_text(encoding="utf-8").rstrip()

    def reference_text(self) -> str:
        """Read reference.md."""
        return (self.folder / "reference.md").read_text(encoding="utf-8").rstrip()

    def channels(self) -> list[str]:
        """Return what the channels of the output are, the restored image first."""
        axes = self.description()["outputs"][0]["axes"]
        return next(axis["channel_names"] for axis in axes if axis["type"] == "channel")


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
        described = each.description() | each.reference()
        table.add_row(each.name, described["name"], size)
    console.print(table)
