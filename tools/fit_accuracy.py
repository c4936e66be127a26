"""How well known microscopes are found: ``python -m tools.fit_accuracy``.

Microscopes are drawn from the default ranges; each records new fields of a generated structure,
and is fitted to these images alone, or with repeats and beads as well.
"""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cyclopts import App
from numpy.typing import NDArray

from imaging.cli import console, progress
from imaging.cli import run as run_app
from imaging.csv_files import write_csv
from simulation import psf
from simulation.fitting.beads import measure_beads, psf_widths_um
from simulation.fitting.fit import Given, MicroscopeFit, fit, in_effect
from simulation.fitting.measurement import Measurement
from simulation.fitting.noise_free import SAMPLING, Structure, generate
from simulation.fitting.stacks import Stack
from simulation.formation import margin_px, measure_bright_level, record, share_of_light
from simulation.microscope import Acquisition, Microscope
from simulation.structures import STRUCTURES

app = App(name="python -m tools.fit_accuracy", result_action="return_value")

Floats = NDArray[np.float64]

_PIXEL_UM = 0.32
_BEAD_PHOTONS = 500.0


@app.default
def measure(
    out: Path,
    /,
    *,
    draws: int = 50,
    first: int = 0,
    images: int = 8,
    structure: str = "cells",
    known: bool = True,
    repeats: bool = False,
    beads: bool = False,
) -> None:
    """Fit known microscopes and write what was found beside what is true.

    For instance:
        python -m tools.fit_accuracy with.csv --repeats --beads

    Parameters
    ----------
    out
        CSV file to write: draw, entry, truth, best, low, high.
    draws
        How many microscopes.
    first
        The number of the first: each follows from its number alone.
    images
        Fields of 96 x 96 pixels that each of them records.
    structure
        What the fields show.
    known
        Tell the fit which structure it is.
    repeats
        Give it every field twice.
    beads
        Give it an image of beads.
    """
    rows: list[dict[str, float | str]] = []
    kinds = [structure] if known else list(STRUCTURES)
    with progress() as bars:
        for draw in bars.track(range(first, first + draws), description="Fitting"):
            truth, fitted = _one(draw, images, structure, kinds, repeats, beads)
            for entry, value in _measured(fitted).items():
                rows.append({"draw": draw, "entry": entry, "truth": truth[entry], **vars(value)})
            table = pd.DataFrame(rows)
            write_csv(out, table)
    table = pd.read_csv(out)
    table["error"] = (table.best / table.truth - 1).abs()
    table["counts"] = (table.best - table.truth).abs()
    table["covered"] = (table.low <= table.truth) & (table.truth <= table.high)
    groups = table.groupby("entry", sort=False)
    console.print(
        pd.DataFrame(
            {
                "median error": groups.error.median(),
                "90 % of errors below": groups.error.quantile(0.9),
                "median difference": groups.counts.median(),
                "coverage": groups.covered.mean(),
            }
        ).round(3)
    )
    console.print(f"{draws} microscopes fitted. Made {out}")


def _one(
    draw: int, images: int, kind: str, kinds: list[str], repeats: bool, beads: bool
) -> tuple[dict[str, float], MicroscopeFit]:
    rng = np.random.default_rng((draw, 7))
    # Real images show their own pixels: only targets have expanded.
    acquisition = replace(Microscope().draw(rng), expansion_error=0.0)
    microscope = _only(acquisition)
    margin_um = margin_px(microscope, _PIXEL_UM / SAMPLING) * _PIXEL_UM / SAMPLING
    fields_of = generate(kind, _PIXEL_UM, margin_um / 2, seed=1000 + draw, fields=images)
    seeds = rng.integers(2**62, size=3)
    planes = _record(fields_of, acquisition, microscope, int(seeds[0]))
    stacks = [_stack(plane[None]) for plane in planes]
    again = _record(fields_of, acquisition, microscope, int(seeds[1])) if repeats else []
    pairs = [_stack(np.stack(pair)) for pair in zip(planes, again, strict=False)]
    widths_um = _beads(acquisition, microscope, int(seeds[2])) if beads else None
    given = Given(
        stacks=stacks,
        repeats=pairs,
        bead_widths_um=widths_um,
        base=Microscope(),
        pixel_size_um=_PIXEL_UM,
        saturation_counts=65535.0,
        excess_noise_factor=None,
        kinds=kinds,
        seed=draw,
    )
    slope = float(acquisition.gain_counts_per_photon) * float(acquisition.excess_noise_factor)
    truth = {
        "gain": float(acquisition.gain_counts_per_photon),
        "gain x excess": slope,
        "offset": float(acquisition.offset_counts),
        "read noise": float(acquisition.read_noise_counts),
        "PSF width": float(psf.fwhm_um(acquisition.optics)[0]),
        "photons": float(acquisition.photons) * float(share_of_light(acquisition)),
        "background": float(acquisition.background_photons),
        "covered": _covered(fields_of.images(acquisition)),
    }
    return truth, fit(given)


def _measured(fitted: MicroscopeFit) -> dict[str, Measurement]:
    detector = fitted.detector
    excess = detector.excess_noise_factor
    return {
        "gain": fitted.gain,
        "gain x excess": Measurement(
            fitted.gain.best * excess, fitted.gain.low * excess, fitted.gain.high * excess
        ),
        "offset": fitted.offset,
        "read noise": fitted.read_noise,
        "PSF width": fitted.width_um,
        "photons": fitted.photons,
        "background": fitted.background,
        "covered": fitted.covered,
    }


def _covered(images: Floats) -> float:
    """Return the share of the fields that structure covers, of (fields, y, x) without noise."""
    shares = images.mean((1, 2)) ** 2 / (images**2).mean((1, 2))
    return float(np.median(shares))


def _only(acquisition: Acquisition) -> Microscope:
    """Return the microscope that draws nothing but this acquisition."""
    default = Microscope()
    ranges = [f.name for f in fields(default) if isinstance(getattr(default, f.name), tuple)]
    return replace(default, **{name: (getattr(acquisition, name),) * 2 for name in ranges})


def _record(
    structure: Structure, acquisition: Acquisition, microscope: Microscope, seed: int
) -> list[Floats]:
    generator = torch.Generator().manual_seed(seed)
    fields_of = range(len(structure.brightness))
    return [structure.record(i, acquisition, microscope, generator) for i in fields_of]


def _beads(acquisition: Acquisition, microscope: Microscope, seed: int) -> Floats:
    """Measure the PSF on 16 bright beads, each at another place within its pixel."""
    side, spacing = 64 * SAMPLING, 16 * SAMPLING
    brightness = torch.zeros(1, side, side)
    rng = np.random.default_rng(seed)
    for corner in np.ndindex(4, 4):
        y, x = (spacing * np.array(corner) + spacing // 2 + rng.integers(0, SAMPLING, 2)).tolist()
        brightness[0, y, x] = 1.0
    # Nothing is expanded, and beads have no blur of their own.
    microscope = replace(microscope, target_fwhm_um=0.0)
    bright = replace(
        acquisition,
        photons=_BEAD_PHOTONS,
        labels_per_um2=float("inf"),
        background_photons=0.2,
        target_fwhm_um=0.0,
    )
    size_um = _PIXEL_UM / SAMPLING
    reach = margin_px(microscope, size_um)
    level = measure_bright_level(
        brightness[0], size_um, microscope, sampling=SAMPLING, reach_px=reach
    )
    generator = torch.Generator().manual_seed(seed)
    counts = record(
        brightness,
        size_um,
        bright,
        generator,
        sampling=SAMPLING,
        reach_px=reach,
        bright_level=level,
    )
    found = measure_beads(counts.numpy().astype(np.float64), _PIXEL_UM, None, "beads")
    return psf_widths_um(found.lateral_um, in_effect(Microscope()).optics, _PIXEL_UM)


def _stack(planes: Floats) -> Stack:
    return Stack(Path("generated"), planes, None, _PIXEL_UM, None)


if __name__ == "__main__":
    run_app(app)
