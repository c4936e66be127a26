"""``python -m training``: simulate, and one verb per recipe."""

import importlib
import pkgutil
from pathlib import Path

from cyclopts import App

from packages.cli import run as run_app
from training import recipes

# A verb imports what it needs when it is called: the others need not be waited for.
app = App(name="python -m training", help="Simulate pairs and train restoration models.")
app.command(
    "training.simulation.dataset:simulate",
    help="Make pairs of what a microscope records and the truth.",
)

app.command(
    "training.simulation.fitting.command:fit_command",
    name="fit",
    help="Fit the simulated microscope to your own real images.",
)
app.command(
    "training.recalibration:recalibrate",
    name="calibrate",
    help="Calibrate the standard deviation of a trained model on other data.",
)


def _add_verb(name: str) -> None:
    def verb(
        *,
        data: Path | None = None,
        out: Path | None = None,
        preset: str = "small",
        minutes: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        resume: bool = False,
        microscope: Path | None = None,
    ) -> None:
        """Train a model; the same command again goes on where an interrupted training was.

        Parameters
        ----------
        data
            Dataset with input/ and target/. Without it, one is simulated in OUT/data.
        out
            Folder of the run; runs/ and the model's name without it.
        preset
            Hyper-parameters: "small" for a laptop; "full", of the published size, for a GPU.
        minutes
            How long to train.
        steps
            How many steps to train; the preset's number when neither is given.
        seed
            Of weights, patches and simulated data.
        resume
            Go on with a training although another length is asked for than before.
        microscope
            Degrade the targets of the data anew for every patch with the microscope of this file;
            "default" for the default one.
        """
        from training.run import run

        run(
            importlib.import_module(f"training.recipes.{name}").RECIPE,
            data=data,
            out=out or Path("runs") / name,
            preset=preset,
            steps=steps,
            minutes=minutes,
            seed=seed,
            resume=resume,
            microscope=microscope,
        )

    app.command(verb, name=name)


for module in pkgutil.iter_modules(recipes.__path__):
    _add_verb(module.name)

if __name__ == "__main__":
    run_app(app)
