"""``python -m tools.consumers.ome_zarr IMAGES``: what readers of OME-Zarr see in an image.

ome-zarr-models judges the metadata, ngio and napari's reader open the image.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from cyclopts import App

from imaging.cli import UserError, console
from imaging.cli import run as run_app
from tools.consumers.bench import complaint
from tools.consumers.environments import environment

app = App(name="python -m tools.consumers.ome_zarr", result_action="return_value")

_LIBRARIES = ("ome-zarr-models==1.7", "ngio==1.1.3", "napari-ome-zarr==0.10.0")
# Runs in the readers' environment, one image at a time.
_READ = """
import json, sys
import ngio, zarr
from napari_ome_zarr import napari_get_reader
from ome_zarr_models import open_ome_zarr

path = sys.argv[1]
try:
    model = type(open_ome_zarr(zarr.open_group(path, mode="r")))
    judged = f"{model.__module__}.{model.__name__}"
except RuntimeError as error:
    judged = f"refused: {error}"
container = ngio.open_ome_zarr_container(path)
image = container.get_image()
layers = napari_get_reader(path)(path)
print(json.dumps({
    "ome-zarr-models": judged,
    "ngio": [list(image.axes), list(image.shape), container.level_paths, str(image.pixel_size)],
    "napari": [
        [str([level.shape for level in data]) if isinstance(data, list) else str(data.shape),
         str(options.get("name")), str(options.get("scale")), str(options.get("translate"))]
        for data, options, _ in layers
    ],
}))
"""


@app.default
def ome_zarr(images: list[Path], /, *, environments: Path) -> None:
    """Print what readers see in images.

    For instance:
        python -m tools.consumers.ome_zarr restored.ome.zarr --environments envs

    Parameters
    ----------
    images
        OME-Zarr folders.
    environments
        Folder for the environment of the readers, kept for the next time.
    """
    programs = environment(environments.resolve() / "ome-zarr", _LIBRARIES)
    for image in images:
        for reader, seen in _read(programs / "python", image).items():
            console.print(f"{image.name}: {reader}: {seen}", highlight=False, soft_wrap=True)


def _read(python: Path, image: Path) -> dict[str, Any]:
    finished = subprocess.run([python, "-c", _READ, image], capture_output=True, text=True)
    if finished.returncode:
        raise UserError(f"{image} cannot be read: {complaint(finished.stderr)[-1]}")
    return json.loads(finished.stdout.splitlines()[-1])


if __name__ == "__main__":
    run_app(app)
