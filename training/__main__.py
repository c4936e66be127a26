"""``python -m training``: simulate, and one verb per recipe."""

import importlib
import pkgutil
from pathlib import Path
from typing import Literal

from cyclopts import App

from packages.cli import run as run_app
from training import recipes
from training.recipe import Recipe
from training.run import run
from training.simulation.dataset import simulate

app = App(name="python -m training", help="Simulate pairs and train restoration models.")
app.command(simulate)


def _add_verb(name: str, recipe: Recipe) -> None:
    def verb(
        *,
        data: Path | None = None,
        out: Path | None = None,
        preset: Literal["small", "full"] = "small",
        minutes: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        resume: bool = False,
    ) -> None:
        """Train.

        The same command again goes on where an interrupted training was.

        Parameters
        ----------
        data
            Dataset with input/ and target/. Without it, one is simulated in OUT/data.
        out
            Folder of the run; RECIPE in runs/ without it.
        preset
            Hyper-parameters: "small" for a laptop, "full" for a GPU.
        minutes
            How long to train.
        steps
            How many steps to train; the preset's number when neither is given.
        seed
            Of weights, patches and simulated data.
        resume
            Go on with a training although another length is asked for than before.
        """
        folder = out or Path("runs") / name
        run(
            recipe,
            data=data or simulate(folder / "data", seed=seed),
            out=folder,
            preset=preset,
            steps=steps,
            minutes=minutes,
            seed=seed,
            resume=resume,
        )

    app.command(verb, name=name, help=recipe.summary)


for module in pkgutil.iter_modules(recipes.__path__):
    _add_verb(module.name, importlib.import_module(f"training.recipes.{module.name}").RECIPE)

if __name__ == "__main__":
    run_app(app)
