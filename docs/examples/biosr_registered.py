"""Score restorations where they fit their truth best: ``python -m docs.examples.biosr_registered``.

Targets of the crops of `docs.examples.biosr_pairs` lie about half of their pixels beside their
inputs, which no restoration can know. Prints for each package of a results folder the mean SI-PSNR
A as it is, and of the same restoration shifted, as a whole, to where that is highest.
"""

from itertools import product
from pathlib import Path

import numpy as np
from cyclopts import App
from numpy.typing import NDArray
from scipy import ndimage, optimize

from benchmark.metrics import METRICS
from imaging import images
from imaging.cli import console
from imaging.cli import run as run_app
from imaging.datasets import open_dataset

app = App(name="python -m docs.examples.biosr_registered", result_action="return_value")

Plane = NDArray[np.float64]
BORDER = (
    12  # pixels of the truth, which what a shift brings in from beyond the image does not reach
)
BEGIN = 0.4  # pixels to either side, where targets lie
ACCURACY_PX, ACCURACY_DB = 0.03, 0.003


@app.default
def biosr_registered(results: Path, data: Path, /) -> None:
    """Print both means of each package.

    Parameters
    ----------
    results
        Folder of `benchmark run`.
    data
        The dataset that was run on.
    """
    dataset = open_dataset(data)
    truths = {item.name: _read(item.target) for item in dataset.items if item.target is not None}
    for package in sorted((results / "predictions").iterdir()):
        files = sorted((package / dataset.name).glob("*.ome.tif"))
        scores = [
            _scores(_read(file), truths[file.name.removesuffix(".ome.tif")]) for file in files
        ]
        as_is, registered = np.mean(scores, axis=0)
        console.print(
            f"{package.name}: {as_is:.2f} dB as it is, {registered:.2f} dB registered "
            f"({len(files)} images)"
        )


def _scores(restored: Plane, truth: Plane) -> tuple[float, float]:
    """Return the score inside the border, as it is and where it is highest."""
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    spectrum = np.fft.fft2(restored)

    def lost(shift: NDArray[np.float64]) -> float:
        shifted = np.fft.ifft2(ndimage.fourier_shift(spectrum, shift)).real
        return -METRICS["si_psnr_a"].of({"truth": truth[inside], "prediction": shifted[inside]})

    options = {"xatol": ACCURACY_PX, "fatol": ACCURACY_DB}
    found = [
        optimize.minimize(lost, begin, method="Nelder-Mead", options=options).fun
        for begin in product((-BEGIN, BEGIN), repeat=2)
    ]
    return -lost(np.zeros(2)), -float(min(found))


def _read(file: Path) -> Plane:
    # The restored image is the first of a package's channels.
    plane = images.read(file)
    return np.asarray(plane.isel(c=0) if "c" in plane.dims else plane, dtype=np.float64)


if __name__ == "__main__":
    run_app(app)
