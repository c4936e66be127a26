"""Two registered channels of one structure: restored together, and each alone.

    python -m docs.examples.isotropic_channels make DATA
    python -m training isotropic --data DATA/together/0.tif --psf-fwhm 0.342 1.152 \
        --channels together --out TOGETHER
    python -m training isotropic --data DATA/dim/0.tif --psf-fwhm 0.342 1.152 --out DIM
    python -m training isotropic --data DATA/bright/0.tif --psf-fwhm 0.342 1.152 --out BRIGHT
    python -m docs.examples.isotropic_channels score DATA TOGETHER DIM BRIGHT

Both channels show the same structure as `docs.examples.isotropic_volume` records it, with noise of
their own; one has fewer photons.
"""

from pathlib import Path

import numpy as np
import torch
import xarray as xr
from cyclopts import App

from benchmark.metrics import METRICS
from docs.examples.isotropic_volume import (
    BACKGROUND_PHOTONS,
    BRIGHT_PERCENTILE,
    EVERY,
    FACTOR,
    PIXEL_UM,
    network_of,
    recorded,
    specimen,
)
from imaging.bootstrap import estimate_mean
from imaging.cli import console, counted
from imaging.cli import run as run_app
from imaging.datasets import new_dataset
from imaging.images import read, write
from imaging.normalise import normalise

app = App(name="python -m docs.examples.isotropic_channels", result_action="return_value")

CHANNELS = ("dim", "bright")


@app.command
def make(
    out: Path,
    /,
    *,
    structure: str = "cells",
    volumes: int = 4,
    planes: int = 16,
    size: int = 128,
    photons: tuple[float, float] = (6.0, 60.0),
    seed: int = 0,
) -> None:
    """Write together/ with both channels, dim/ and bright/ with each, and truth/.

    Parameters
    ----------
    out
        Folder to make.
    structure
        What is drawn.
    volumes
        How many.
    planes, size
        Of each, as recorded.
    photons
        Of a bright pixel, in the dim and in the bright channel.
    seed
        Of structures and noise.
    """
    sizes = {"z": FACTOR * PIXEL_UM, "y": PIXEL_UM, "x": PIXEL_UM}
    with new_dataset(out) as folder:
        for i in range(volumes):
            rng = np.random.default_rng((seed, i))
            seen, truth = recorded(specimen(structure, planes, size, rng))
            light = np.maximum(seen, 0) / float(np.percentile(seen, BRIGHT_PERCENTILE))
            counts = np.stack([rng.poisson(light * n + BACKGROUND_PHOTONS) for n in photons])
            both = xr.DataArray(
                counts.astype(np.uint16),
                dims=("c", "z", "y", "x"),
                coords={"c": list(CHANNELS)},
                attrs={"pixel_size_um": sizes},
            )
            write(folder / "together" / f"{i}.tif", both)
            for name, channel in zip(CHANNELS, both, strict=True):
                write(folder / name / f"{i}.tif", channel.drop_vars("c"))
            fine = xr.DataArray(
                truth.astype(np.float32),
                dims=("z", "y", "x"),
                attrs={"pixel_size_um": sizes | {"z": PIXEL_UM}},
            )
            write(folder / "truth" / f"{i}.tif", fine)
    console.print(
        f"Made {out}: {counted(volumes, 'volume')} of {counted(len(CHANNELS), 'channel')}"
    )


@app.command
@torch.no_grad()
def score(data: Path, together: Path, dim: Path, bright: Path, /) -> None:
    """Compare channels restored together and alone with the truth, in xz planes.

    Parameters
    ----------
    data
        Made by `make`.
    together, dim, bright
        Run folders of `python -m training isotropic` on both channels and on each.
    """
    torch.set_num_threads(1)
    jointly, *alone = (network_of(folder) for folder in (together, dim, bright))
    psnr = METRICS["si_psnr_a"]
    files = sorted((data / "truth").iterdir())
    gains: dict[str, list[float]] = {name: [] for name in CHANNELS}
    sources: list[str] = []
    for file in files:
        truth = read(file).values
        stack = read(data / "together" / file.name).values
        seen = torch.from_numpy(np.stack([normalise(channel) for channel in stack]))[None]
        of_both = jointly(seen)[0].numpy()
        rows = range(EVERY // 2, truth.shape[1], EVERY)
        sources += [file.name] * len(rows)
        for c, (name, network) in enumerate(zip(CHANNELS, alone, strict=True)):
            by_itself = network(seen[:, c : c + 1])[0, 0].numpy()
            scores = [
                np.array([psnr(truth[:, y], volume[:, y]) for y in rows])
                for volume in (by_itself, of_both[c])
            ]
            gains[name] += list(scores[1] - scores[0])
            console.print(
                f"{file.stem}, {name}: alone {scores[0].mean():.2f} dB, together "
                f"{scores[1].mean():.2f} dB",
                highlight=False,
            )
    for name, of_channel in gains.items():
        found = estimate_mean(np.array(of_channel), sources)
        console.print(
            f"{name}, together over alone: {found.mean:+.2f} dB, 95 % interval over volumes "
            f"{found.low:+.2f} to {found.high:+.2f}",
            highlight=False,
        )


if __name__ == "__main__":
    run_app(app)
