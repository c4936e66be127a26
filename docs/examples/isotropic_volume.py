"""Volumes of known truth for isotropic restoration: make them, and score what is learnt on one.

    python -m docs.examples.isotropic_volume make DATA
    python -m training isotropic --data DATA/input/0.tif --psf-fwhm 0.342 1.152 --out RUN
    python -m docs.examples.isotropic_volume score DATA RUN
    python -m docs.examples.isotropic_volume spectrum STACK RESTORED

A structure is drawn on an isotropic grid and recorded with the three-dimensional PSF of a
two-photon microscope of NA 1.05, in planes four pixels apart, with photon noise. The truth is the
same structure blurred along all three axes as the microscope blurs in its planes.

`spectrum` takes any stack and what `packages predict` made of it, and compares their power along z
with that along the rows and columns of the stack's planes.
"""

from pathlib import Path

import numpy as np
import torch
import xarray as xr
from cyclopts import App
from numpy.typing import NDArray
from scipy import ndimage, signal

from benchmark.metrics import METRICS
from imaging.bootstrap import estimate_mean
from imaging.cli import console, counted
from imaging.cli import run as run_app
from imaging.datasets import new_dataset, open_dataset
from imaging.images import read, write
from imaging.normalise import normalise
from imaging.trained_weights import TrainedWeights
from packages.isotropic.model import Isotropic
from simulation.psf import Optics, fwhm_um, kernel_3d
from simulation.structures import STRUCTURES, TARGET_FWHM_UM, Grid
from training.axial import sigma_between

app = App(name="python -m docs.examples.isotropic_volume", result_action="return_value")

Volume = NDArray[np.float64]
OPTICS = Optics("two-photon", 1.05, 0.92)
PIXEL_UM = 0.15
FACTOR = 4  # pixels from plane to plane
MARGIN_PX = 16  # around the volume, from where light comes
REACH_PX = (14, 12)  # of the PSF, along z and in planes
BRIGHT_PERCENTILE = 99.8
BACKGROUND_PHOTONS = 1.0
EVERY = 8  # of the xz planes that are scored


@app.command
def make(
    out: Path,
    /,
    *,
    structure: str = "cells",
    volumes: int = 4,
    planes: int = 16,
    size: int = 128,
    photons: float = 60.0,
    seed: int = 0,
) -> None:
    """Write input/ as recorded and target/ as it would be with an isotropic PSF.

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
        Of a bright pixel.
    seed
        Of structures and noise.
    """
    with new_dataset(out) as folder:
        for i in range(volumes):
            rng = np.random.default_rng((seed, i))
            seen, truth = recorded(specimen(structure, planes, size, rng))
            bright = float(np.percentile(seen, BRIGHT_PERCENTILE))
            counts = rng.poisson(np.maximum(seen, 0) / bright * photons + BACKGROUND_PHOTONS)
            for part, image, step in (
                ("input", counts.astype(np.uint16), FACTOR),
                ("target", truth.astype(np.float32), 1),
            ):
                sizes = {"z": step * PIXEL_UM, "y": PIXEL_UM, "x": PIXEL_UM}
                stack = xr.DataArray(image, dims=("z", "y", "x"), attrs={"pixel_size_um": sizes})
                write(folder / part / f"{i}.tif", stack)
    lateral, axial = widths_um()
    console.print(
        f"Made {out}: {counted(volumes, 'volume')}, recorded with a PSF of {lateral:.3f} µm and "
        f"{axial:.3f} µm along z"
    )


@app.command
@torch.no_grad()
def score(data: Path, weights: Path, /) -> None:
    """Compare restored volumes and interpolated ones with the truth, in xz planes.

    Parameters
    ----------
    data
        Made by `make`.
    weights
        Run folder of `python -m training isotropic`, or its weights.pt.
    """
    torch.set_num_threads(1)
    network = network_of(weights)
    psnr = METRICS["si_psnr_a"]
    gains: list[float] = []
    sources: list[str] = []
    for item in open_dataset(data).items:
        truth = item.read_target()
        if truth is None:
            continue
        seen = normalise(item.read_input().values)
        restored = network(torch.from_numpy(seen)[None, None])[0, 0].numpy()
        interpolated: NDArray[np.float32] = np.asarray(
            ndimage.zoom(seen, (FACTOR, 1, 1), order=3, mode="nearest", grid_mode=True)
        )
        rows = range(EVERY // 2, truth.sizes["y"], EVERY)
        before, after = (
            np.array([psnr(truth.values[:, y], volume[:, y]) for y in rows])
            for volume in (interpolated, restored)
        )
        console.print(
            f"{item.name}: cubic {before.mean():.2f} dB, restored {after.mean():.2f} dB, ahead in "
            f"{np.sum(after > before)} of {counted(len(before), 'xz plane')}",
            highlight=False,
        )
        gains += list(after - before)
        sources += [item.name] * len(before)
    found = estimate_mean(np.array(gains), sources)
    console.print(
        f"restored over cubic: {found.mean:+.2f} dB, 95 % interval over volumes "
        f"{found.low:+.2f} to {found.high:+.2f}",
        highlight=False,
    )


@app.command
def spectrum(stack: Path, restored: Path, /, *, bands: int = 8) -> None:
    """Print the power along z before and after, relative to that in the planes.

    Parameters
    ----------
    stack
        As recorded.
    restored
        Its result.
    bands
        Of frequency, up to the highest of the result along z.
    """
    seen, given = read(stack), read(restored)
    factor = given.sizes["z"] // seen.sizes["z"]
    planes = normalise(seen.values)
    interpolated = ndimage.zoom(planes, (factor, 1, 1), order=3, mode="nearest", grid_mode=True)
    step_um, pixel_um = (given.attrs["pixel_size_um"][axis] for axis in "zx")
    edges = np.linspace(0, 0.5 / step_um, bands + 1)
    lateral = (power(planes, 1, pixel_um, edges) + power(planes, 2, pixel_um, edges)) / 2
    before = power(np.asarray(interpolated), 0, step_um, edges) / lateral
    after = power(given.values, 0, step_um, edges) / lateral
    console.print("cycles per µm: power along z over that in planes, dB: interpolated, restored")
    for low, high, one, other in zip(edges, edges[1:], before, after, strict=False):
        decibel = 10 * np.log10([one, other])
        console.print(
            f"{low:.2f} to {high:.2f}: {decibel[0]:.1f}, {decibel[1]:.1f}", highlight=False
        )


def power(volume: NDArray[np.floating], axis: int, step_um: float, edges: Volume) -> Volume:
    """Return the mean power spectral density along an axis between some frequencies."""
    deviations = np.moveaxis(volume - volume.mean(axis=(1, 2), keepdims=True), axis, -1)
    window = np.hanning(deviations.shape[-1] + 2)[1:-1]
    power = np.abs(np.fft.rfft(deviations * window)) ** 2 * step_um / np.sum(window**2)
    frequencies = np.fft.rfftfreq(deviations.shape[-1], step_um)
    density = power.reshape(-1, len(frequencies)).mean(axis=0)
    sampled = (edges[:-1] + edges[1:]) / 2
    return np.interp(sampled, frequencies, density)


def network_of(weights: Path) -> Isotropic:
    """Return the network of a run folder, or of its weights.pt, in evaluation mode."""
    trained = TrainedWeights.read(weights, model="isotropic")
    network = Isotropic(**trained.metadata.request.settings.network)  # pyright: ignore[reportArgumentType]  # checked when read
    network.load_state_dict(trained.weights)
    return network.eval()


def specimen(structure: str, planes: int, size: int, rng: np.random.Generator) -> Volume:
    """Draw a structure on the fine grid, with a margin from where light comes."""
    shape = (FACTOR * planes, size, size)
    grid = Grid(tuple(side + 2 * MARGIN_PX for side in shape), PIXEL_UM, PIXEL_UM)
    return STRUCTURES[structure](grid, rng).image.astype(np.float64)


def recorded(specimen: Volume) -> tuple[Volume, Volume]:
    """Return the planes of a specimen that a microscope records, without noise, and the truth.

    Recorded planes lie in the middle of as many planes of the truth as there are to each.
    """
    reach_z, reach = REACH_PX
    # Planes in focus lie between two of the specimen, as `FACTOR` is even.
    z_um = (torch.arange(-reach_z, reach_z, dtype=torch.float64) + 0.5) * PIXEL_UM
    psf = kernel_3d(OPTICS, PIXEL_UM, z_um, TARGET_FWHM_UM, reach).numpy()
    blurred = signal.fftconvolve(specimen, psf, mode="valid")
    first = MARGIN_PX + FACTOR // 2 - reach_z
    planes = slice(first, first + specimen.shape[0] - 2 * MARGIN_PX, FACTOR)
    inside = slice(MARGIN_PX - reach, reach - MARGIN_PX)
    sigma_px = sigma_between(TARGET_FWHM_UM, widths_um()[0]) / PIXEL_UM
    whole = slice(MARGIN_PX, -MARGIN_PX)
    truth = ndimage.gaussian_filter(specimen, sigma_px)[whole, whole, whole]
    return blurred[planes, inside, inside], truth


def widths_um() -> tuple[float, float]:
    """Return the lateral and the axial width of the PSF."""
    lateral, axial = fwhm_um(OPTICS)
    return float(lateral), float(axial)


if __name__ == "__main__":
    run_app(app)
