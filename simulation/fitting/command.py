"""``python -m training fit``: real images in, a microscope and a page out."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from imaging import __version__, images
from imaging.channels import one_channel
from imaging.cli import UserError, command_line, console, progress
from imaging.datasets import open_dataset
from imaging.files import sha256, write_toml
from imaging.image_folders import of_scene
from imaging.remarks import Remarks, remarks_of
from simulation import psf
from simulation.fitting.beads import measure_beads, psf_widths_um
from simulation.fitting.classifier import separability
from simulation.fitting.crops import crops_of
from simulation.fitting.fit import Given, MicroscopeFit, excess_range, fit, in_effect, to_microscope
from simulation.fitting.fit_page import warnings_of, write_fit
from simulation.fitting.fit_report import FitReport, FittedEntry, PhotonTransfer
from simulation.fitting.measurement import Measurement
from simulation.fitting.noise_free import generate, photograph
from simulation.fitting.stacks import Stack, common_pixel_size_um, read_stacks, saturation_counts
from simulation.microscope import Microscope, to_toml
from simulation.psf import Modality, Optics
from simulation.structures import STRUCTURES

_FIELDS = {"default": 17, "fitted": 34}
"""Simulated images, enough for the classifier's patches; whatever tells the default is plain."""
_STEPS = (
    "measuring",
    "simulating images",
    "telling real from simulated patches",
    "drawing the page",
)
# Shares of the time: of measuring, with many structures to compare or one; of the rest.
_MANY_MEASURED, _ONE_MEASURED, _SIMULATED, _COMPARED = 0.75, 0.4, 0.75, 0.95
_VERB = "python -m training fit"
_EXAMPLE_PIXEL_UM = 0.1
_MOST_PX = 20
"""Pixels along the narrowest PSF: beyond it nothing is sampled so finely."""
_DEFAULT_STRUCTURE = "cells"


def fit_command(
    *real: Path,
    out: Path,
    repeats: Path | None = None,
    beads: Path | None = None,
    scene: str | None = None,
    channel: str | None = None,
    pixel_size: float | None = None,
    modality: Modality = "two-photon",
    wavelength: float | None = None,
    refractive_index: float = 1.33,
    excess_noise: float | None = None,
    structure: str | None = None,
    expanded: Path | None = None,
    expansion: float = 1.0,
    seed: int = 0,
) -> Path:
    """Measure gain, noise, blur, light and motion of a microscope on its own images.

    Parameters are those of `python -m training fit`, described in its help.

    Returns
    -------
    Path
        The microscope.

    Raises
    ------
    UserError
        Images that cannot be fitted, or arguments that contradict them.
    """
    if expanded is not None and structure is not None:
        raise UserError("Give --structure or --expanded, not both: they say what is in the images.")
    if not 0 < expansion < float("inf"):
        raise UserError(f"--expansion {expansion} is no factor: give a number above 0.")
    _refuse_arguments(real, out, structure, excess_noise, pixel_size, seed)
    options: dict[str, Path | str | float | None] = {
        "out": out,
        "repeats": repeats,
        "beads": beads,
        "scene": scene,
        "channel": channel,
        "pixel_size": pixel_size,
        "modality": modality,
        "wavelength": wavelength,
        "refractive_index": refractive_index,
        "excess_noise": excess_noise,
        "structure": structure,
        "expanded": expanded,
        "expansion": expansion,
        "seed": seed,
    }
    command = command_line(_VERB, *real, **options)
    base = _base(modality, wavelength, refractive_index)
    remarks = Remarks()
    stacks = read_stacks([of_scene(path, scene) for path in real], remarks, channel)
    pixel_um = common_pixel_size_um(stacks, pixel_size, _with_pixel_size(real, options))
    taken_again = _read_repeats(repeats, remarks, channel) if repeats else []
    optics = in_effect(base).optics
    bead_widths_um = _read_beads(beads, pixel_um, optics, remarks, channel) if beads else None
    narrowest, widest = psf.reachable_fwhm_um(optics)
    if not narrowest / _MOST_PX < pixel_um < widest:
        raise UserError(
            f"Pixels of {pixel_um:g} µm do not suit a {modality} microscope at "
            f"{base.wavelength_um:g} µm, whose PSF is {narrowest:.3g} to {widest:.3g} µm wide: "
            "check --pixel-size, --modality, --wavelength and --refractive-index."
        )
    if bead_widths_um is not None and not narrowest < np.median(bead_widths_um) < widest:
        raise UserError(
            f"{beads} shows a PSF of {np.median(bead_widths_um):.3g} µm, but a {modality} "
            f"microscope at {base.wavelength_um:g} µm has {narrowest:.3g} to {widest:.3g} µm: "
            "check --pixel-size, --modality, --wavelength and --refractive-index."
        )
    given = Given(
        stacks=stacks,
        repeats=taken_again,
        bead_widths_um=bead_widths_um,
        base=base,
        pixel_size_um=pixel_um,
        saturation_counts=saturation_counts([*stacks, *taken_again]),
        excess_noise_factor=excess_noise,
        kinds=[structure] if structure else list(STRUCTURES),
        seed=seed,
        expanded=crops_of(expanded, expansion, remarks, channel) if expanded else None,
    )
    remarks.say()
    page = out.with_suffix(".html")
    _refuse_unwritable(out, page)
    with progress() as bars:
        bar = bars.add_task("", total=1.0)

        many = expanded is None and structure is None
        measured = _MANY_MEASURED if many else _ONE_MEASURED

        def say(step: int, share: float, what: str = "") -> None:
            doing = _STEPS[step] + (f", {what}" if what else "")
            then = f"; then: {_STEPS[step + 1]}" if step + 1 < len(_STEPS) else ""
            words = f"Step {step + 1} of {len(_STEPS)}: {doing}{then}"
            bars.update(bar, completed=share, description=words)

        fitted = fit(given, lambda what, share: say(0, measured * share, what))
        say(1, measured)
        files = {path: sha256(path) for path in _files([*stacks, *taken_again], beads)}
        provenance = _provenance(fitted, given, files, command, remarks)
        microscope = to_microscope(fitted, given, provenance)
        default = replace(Microscope(), pixel_size_um=pixel_um)
        nearest = fitted.candidates[0]
        cells = generate(_DEFAULT_STRUCTURE, pixel_um, widest_um=pixel_um, seed=seed, fields=1)
        simulated = {
            "default": photograph(cells, np.ones(1), default, _FIELDS["default"], seed + 1),
            "fitted": photograph(
                nearest.structure,
                fitted.relative_light,
                microscope,
                _FIELDS["fitted"],
                seed + 1,
            ),
        }
        say(2, measured + (1 - measured) * _SIMULATED)
        planes = [stack.planes for stack in stacks]
        before = separability(planes, list(simulated["default"]), seed=seed)
        after = separability(planes, list(simulated["fitted"]), seed=seed)
        say(3, measured + (1 - measured) * _COMPARED)
        findings = FitReport(
            title=", ".join(sorted({path.name for path in real})),
            estimates=_estimates(fitted, given),
            real=planes,
            default=list(simulated["default"]),
            fitted=list(simulated["fitted"]),
            pixel_size_um=pixel_um,
            photon_transfer=_transfer(fitted),
            before=before,
            after=after,
            nearest=str(nearest.structure),
            distance=nearest.distance,
            remarks=remarks.entries,
            files=files,
            provenance={k: str(v) for k, v in microscope.provenance.items()},
        )
        write_fit(page, findings)
        write_toml(out, to_toml(microscope))
    for warning in warnings_of(findings):
        console.print(f"Mind: {warning}", soft_wrap=True)
    console.print(
        f"A classifier tells real from simulated patches with an AUC of {after.auc:.2f} "
        f"({before.auc:.2f} for the default microscope; 0.5 is chance). Made {out} and {page}",
        soft_wrap=True,
    )
    return out


def _refuse_arguments(
    real: Sequence[Path],
    out: Path,
    structure: str | None,
    excess_noise: float | None,
    pixel_size: float | None,
    seed: int,
) -> None:
    if not real:
        raise UserError("Give at least one image, folder of images or dataset to fit to.")
    if out.suffix != ".toml":
        raise UserError(f"--out {out} must end in .toml.")
    if structure is not None and structure not in STRUCTURES:
        raise UserError(
            f"There is no structure '{structure}': choose one of {', '.join(STRUCTURES)}."
        )
    if excess_noise is not None and not 1 <= excess_noise < 3:
        raise UserError(f"--excess-noise {excess_noise:g} is none: it is 1 to 3, 1 for a camera.")
    if pixel_size is not None and not 0 < pixel_size < float("inf"):
        raise UserError(f"--pixel-size {pixel_size} is no length: give micrometres above 0.")
    if seed < 0:
        raise UserError(f"--seed {seed} is none: give a whole number from 0.")


def _with_pixel_size(real: Sequence[Path], options: Mapping[str, Path | str | float | None]) -> str:
    """Write the command that gives what files may not state, to be given here."""
    here = {name: str(of) if isinstance(of, Path) else of for name, of in options.items()}
    return command_line(_VERB, *map(str, real), **here | {"pixel_size": _EXAMPLE_PIXEL_UM})


def _refuse_unwritable(out: Path, page: Path) -> None:
    """Find out before the long work what would fail after it."""
    for file in (out, page):
        if file.is_dir():
            raise UserError(f"{file} is a folder, not a file to replace: choose another --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        # The user knows the file by its final name.
        error.filename = str(out)
        raise


_WAVELENGTHS_UM = {"two-photon": 0.92, "confocal": 0.488, "wide-field": 0.52}


def _base(modality: Modality, wavelength: float | None, refractive_index: float) -> Microscope:
    if wavelength is not None and not 0.2 < wavelength < 3:
        raise UserError(f"--wavelength {wavelength:g} is no light: give micrometres, such as 0.92.")
    if not 1 <= refractive_index < 2:
        raise UserError(f"--refractive-index {refractive_index:g} is none: water has 1.33.")
    default = Microscope()
    highest = 0.98 * refractive_index
    low, high = default.numerical_aperture
    return replace(
        default,
        modality=modality,
        wavelength_um=wavelength or _WAVELENGTHS_UM[modality],
        refractive_index=refractive_index,
        tissue_refractive_index=refractive_index,
        numerical_aperture=(min(low, highest), min(high, highest)),
    )


def _read_repeats(path: Path, remarks: Remarks, channel: str | None) -> list[Stack]:
    """Read repeats: each stack is a run, and single images together are one."""
    stacks = read_stacks([path], remarks, channel)
    runs = [stack for stack in stacks if len(stack.planes) > 1]
    single = [stack for stack in stacks if len(stack.planes) == 1]
    if len(single) == 1 and not runs:
        raise UserError(f"{path} holds a single image: repeats need at least two of one field.")
    if len({stack.planes.shape for stack in single}) > 1:
        sizes = sorted({f"{s.planes.shape[2]} x {s.planes.shape[1]}" for s in single})
        raise UserError(
            f"{path} holds images of different size ({', '.join(sizes)} pixels): "
            "repeats show one field, give each field a folder or a stack of its own."
        )
    if len(single) > 1:
        planes = np.concatenate([stack.planes for stack in single])
        runs.append(replace(single[0], planes=planes, order="time"))
    return runs


def _read_beads(
    path: Path, pixel_um: float, optics: Optics, remarks: Remarks, channel: str | None
) -> NDArray[np.float64]:
    if path.is_dir():
        raise UserError(f"{path} is a folder: give --beads one image.")
    item = open_dataset(path).items[0]
    image = one_channel(path, images.read(item.input), channel)
    remarks.add(item.name, remarks_of(image))  # few bright pixels are what beads are
    stated: dict[str, float] = image.attrs["pixel_size_um"]
    if "x" not in stated:
        console.print(
            f"{path} does not state its pixel size: {pixel_um:g} µm is assumed.", soft_wrap=True
        )
    planes = np.asarray(image.values, np.float64).reshape(-1, *image.shape[-2:])
    bead_pixel_um = stated.get("x", pixel_um)
    found = measure_beads(planes, bead_pixel_um, stated.get("z"), str(path))
    console.print(f"{len(found.lateral_um)} bead(s) in {path}.", soft_wrap=True)
    return psf_widths_um(found.lateral_um, optics, bead_pixel_um)


def _files(stacks: Sequence[Stack], beads: Path | None) -> list[Path]:
    return [*dict.fromkeys(stack.path for stack in stacks), *([beads] if beads else [])]


def _provenance(
    fitted: MicroscopeFit,
    given: Given,
    files: dict[Path, str],
    command: str,
    remarks: Remarks,
) -> dict[str, str | int | float]:
    libraries = {name: version(name) for name in ("numpy", "scipy", "torch", "scikit-learn")}
    return {
        "command": command,
        "seed": given.seed,
        # What is in the images is no part of the microscope, but a simulation needs it.
        "structure": str(fitted.candidates[0].structure),
        "share of the field covered": "{:.2g} ({:.2g} to {:.2g})".format(*astuple(fitted.covered)),
        **{
            f"remark {number}": f"{entry.where}: {entry.sentence}"
            for number, entry in enumerate(remarks.entries, 1)
        },
        "project": __version__,
        **libraries,
        **{f"sha256 of {path.name}": digest for path, digest in files.items()},
    }


def _transfer(fitted: MicroscopeFit) -> PhotonTransfer:
    detector = fitted.detector
    return PhotonTransfer(
        mean_counts=fitted.transfer.mean,
        variance_counts2=fitted.transfer.variance,
        slope_counts=detector.slope_counts,
        intercept_counts2=detector.variance(0.0) - detector.slope_counts * detector.offset_counts,
    )


def _estimates(fitted: MicroscopeFit, given: Given) -> tuple[FittedEntry, ...]:
    """Say what was measured, how, and what a user should know."""
    compared = "repeats" if given.repeats else "single images"
    noise_method = f"photon transfer of {compared} and histogram of the darkest pixels"
    width_method = (
        "spectrum, against generated structure" if given.bead_widths_um is None else "beads"
    )
    factor, known = fitted.detector.excess_noise_factor, given.excess_noise_factor
    rows = [
        FittedEntry("Gain", fitted.gain, "counts per photon", noise_method),
        FittedEntry(
            "Excess noise factor",
            Measurement(factor, *excess_range(fitted.detector)),
            "",
            "given" if known else noise_method,
            "Only its product with the gain is sure." if known is None else "",
        ),
        FittedEntry("Offset", fitted.offset, "counts", noise_method),
        FittedEntry("Read noise", fitted.read_noise, "counts", noise_method),
        FittedEntry("Photons of bright structure", fitted.photons, "per pixel",
                 "percentile 99.8, noise taken out"),
        FittedEntry("Background", fitted.background, "photons per pixel",
                 "low quantile of the local mean"),
        FittedEntry("Field covered by structure", fitted.covered, "",
                 "mean and variance of the light above background, noise taken out",
                 "Were all structure equally bright, blur included; not drawn from."),
        FittedEntry("PSF, lateral FWHM", fitted.width_um, "µm", width_method,
                 f"compared with the structure '{fitted.candidates[0].structure}'"),
        FittedEntry("Line jitter", fitted.jitter_px.times(given.pixel_size_um), "µm",
                 "lines against their neighbours"),
    ]  # fmt: skip
    slope = "slope of the logarithm of the mean"
    rows += [
        FittedEntry(f"Loss of light with {name}", decay, "per plane", slope)
        for name, decay in (("depth", fitted.depth_decay), ("time", fitted.time_decay))
        if decay is not None
    ]
    return tuple(rows)
