"""``python -m packages``: list, build, check and predict."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from packages.build import build
from packages.check import check
from packages.cli import console
from packages.cli import run as run_app
from packages.predict import predict_file
from packages.rooms import rooms

app = App(name="python -m packages", help="Make, check and run packages of the BioImage Model Zoo.")
app.command(check)
app.command(predict_file, name="predict")


@app.command(name="list")
def list_rooms() -> None:
    """Show the models that can be built."""
    table = Table("model", "what it is", "reference weights", box=None)
    for room in rooms():
        weights = room.weights_file
        size = f"{weights.stat().st_size / 2**20:.1f} MiB" if weights.exists() else "none yet"
        table.add_row(room.name, room.description()["name"], size)
    console.print(table)


@app.command(name="build")
def build_package(
    name: Annotated[str, Parameter(help="Of the model; `list` shows them.")],
    *,
    checkpoint: Path | None = None,
    out: Path | None = None,
) -> None:
    """Make one zip of a model: weights in three formats, tests, documentation, model card.

    Parameters
    ----------
    checkpoint
        Run folder of a training, or its weights.pt. The model's reference weights without it.
    out
        Zip to write; dist/NAME.zip without it.
    """
    build(name, checkpoint=checkpoint, out=out)


if __name__ == "__main__":
    run_app(app)
