"""The model card: what a training measured and cost, as entries and as text."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imaging.provenance import written
from imaging.training_metadata import SHARES, InferenceCost, Lineage, Metadata, Request, Settings
from packages.export import CORE_BLOCK_STEPS

_BESIDE = (
    " On an image one side of which was made empty, what is left beyond the halo "
    "is {share} of the error of the restoration (root mean squares)."
)
_LEAST_SHARE = 1e-4  # that is told
_FINER = (
    "The restored image shows the same field with {factor} times as many pixels along y and x. "
)
_FINER_IN_Z = "The restored volume has {factor} times as many planes. "
_PROGRAMS = {
    2: Path(__file__).parent / "programs.md",
    3: Path(__file__).parent / "programs_of_volumes.md",
}


def training_entries(metadata: Metadata) -> dict[str, Any]:
    """Return the entries of `config.bioimageio` that the training knows.

    Parameters
    ----------
    metadata
        Of its weights.

    Returns
    -------
    dict
        Training, cost of inference and environmental impact.
    """
    request, reached, cost = metadata.request, metadata.reached, metadata.inference
    settings = request.settings
    data = metadata.data
    volumes = data.z_step_um is not None
    per_epoch = data.training_images + sum(other.training_images for other in data.also)
    return {
        "training": {
            "training_preprocessing": _preprocessing(request),
            "training_epochs": round(reached.steps * settings.batch_size / per_epoch, 2),
            "training_batch_size": settings.batch_size,
            "initial_learning_rate": settings.learning_rate,
            "learning_rate_schedule": (
                f"linear warm-up over {settings.warmup:.0%} of the training, then cosine to 0"
            ),
            "loss_function": metadata.loss,
            "loss_function_kwargs": {},
            "optimizer": "Adam",
            "optimizer_kwargs": {"lr": settings.learning_rate, "fused": True},
            "regularization": (
                f"gradient norm at most {settings.clip_norm:g}; weights averaged with decay "
                f"{settings.ema_decay:g}"
            ),
            "training_duration": round(reached.seconds / 3600, 4),
            "training_steps": reached.steps,
            "planned_steps": request.steps,
            "planned_minutes": request.minutes,
            "seed": request.seed,
            "dataset": metadata.data.name,
            "dataset_sha256": request.data_sha256,
            **({"further_datasets_sha256": dict(request.also)} if request.also else {}),
            "versions": metadata.versions,
        },
        "inference_time": (
            f"{cost.seconds_per_megapixel:g} s per {'million voxels' if volumes else 'megapixel'} "
            f"on {cost.device}{_measured_with(metadata)}"
        ),
        "memory_requirements_inference": (
            f"{cost.peak_mib_per_megapixel:.0f} MiB for 16 planes of 256²"
            if volumes
            else f"{_window_mib(cost):.0f} MiB for 256²"
        )
        + "; larger images are restored in windows",
        "environmental_impact": {
            "hardware_type": metadata.device,
            "hours_used": round(reached.seconds / 3600, 4),
        },
    }


def programs_text(
    *,
    step: Mapping[str, int],
    halo: Mapping[str, int],
    smallest: Mapping[str, int],
    channels: Sequence[str],
    factors: Mapping[str, int],
    tiles_error: float | None,
) -> str:
    """Write how programs of the zoo treat the sizes, borders and channels of images.

    Parameters
    ----------
    step
        Of which sizes are multiples, in pixels, by axis; with z for volumes.
    halo
        Within which of a tile's edge the output depends on what lies outside, in pixels, by axis.
    smallest
        Sides, in pixels, by axis.
    channels
        Of the output.
    factors
        Pixels of the output along one of the input, by axis.
    tiles_error
        Root mean square of what tiles differ by from the whole image, over that of the error of the
        restoration; None where they do not differ.

    Returns
    -------
    str
        Markdown.
    """
    tiff = (
        f"its TIFF is one colour picture of {len(channels)} float32 channels, which few programs "
        "open: let it write .npy"
        if len(channels) > 1
        else "its TIFF has no pixel size"
    )
    factor, factor_z = factors["y"], factors.get("z", 1)
    finer = _FINER.format(factor=factor) if factor > 1 else ""
    finer += _FINER_IN_Z.format(factor=factor_z) if factor_z > 1 else ""
    return (
        _PROGRAMS[len(step)]
        .read_text(encoding="utf-8")
        .format(
            step=step["y"],
            halo=halo["y"],
            smallest=smallest["y"],
            block=smallest["y"] + CORE_BLOCK_STEPS * step["y"],
            step_z=step.get("z"),
            halo_z=halo.get("z"),
            smallest_z=smallest.get("z"),
            tiff=tiff,
            finer=finer,
            beside="" if tiles_error is None else _BESIDE.format(share=_share(tiles_error)),
            off_grid=(
                "the noise is another, so that `sample`, `std` and `mean` differ"
                if "sample" in channels
                else "the result differs slightly"
            ),
        )
        .rstrip()
    )


def _share(error: float) -> str:
    return f"{error:.2%}" if error >= _LEAST_SHARE else f"less than {_LEAST_SHARE:.2%}"


def measured_text(metadata: Metadata, *, parameters: int) -> str:
    """Write the part of the documentation that is measured.

    Parameters
    ----------
    metadata
        Of its weights.
    parameters
        How many the network has.

    Returns
    -------
    str
        Markdown, with the heading "Validation" that the zoo asks for.
    """
    data, request, reached = metadata.data, metadata.request, metadata.reached
    cost = _cost(metadata.inference, volumes=data.z_step_um is not None)
    facts = [
        f"{data.name} (sha256 `{request.data_sha256[:16]}`), {data.training_images} images",
        *([f"pixel size {data.pixel_size_um:g} µm"] if data.pixel_size_um else []),
        *([f"planes {data.z_step_um:g} µm apart"] if data.z_step_um else []),
    ]
    if request.axial_sigma_um is not None:
        facts.append(f"blurred along one axis by σ = {request.axial_sigma_um:g} µm")
    made = written(data.name, data.provenance)
    of_data = f"- Data: {', '.join(facts)}. {data.description}".rstrip()
    if made:
        of_data += f"\n- Provenance of the data: {made}"
    for other in data.also:
        of_data += (
            f"\n- Trained on, too: {other.name} (sha256 `{request.also[other.name][:16]}`), "
            f"{other.training_images} images. {written(other.name, other.provenance)}"
        ).rstrip()
    if request.adapted_from:
        of_data += f"\n- {_descent(request.adapted_from)}"
    return f"""## Training

{of_data}
- {reached.steps} steps of {request.settings.batch_size} patches of
  {_patch(request.settings)}, seed {request.seed}, {reached.seconds / 60:.1f} min on
  {metadata.device}; {parameters} parameters; loss: {metadata.loss}.
- Inference: {cost}, on {metadata.inference.device}{_measured_with(metadata)}.

## Validation

{_errors(metadata)} For scores on images that served for
nothing, beside controls and other packages:

    python -m benchmark run {request.recipe}.zip --data {shlex.quote(data.name)} --out results
    python -m benchmark report results
{_calibration(metadata)}{_trust_mask(metadata)}"""


def _preprocessing(request: Request) -> str:
    """Say how images of a pair are prepared."""
    shared = "flips and quarter turns; patches with structure are likelier."
    if request.axial_sigma_um is not None:
        return (
            "Planes are targets; inputs are the same planes, blurred along one axis, sampled as "
            "coarsely as planes are apart, with noise added; both are mapped by percentiles of the "
            f"whole stack (drawn from 1 to 3 and 99.5 to 99.9) to 0 and 1; {shared}"
        )
    return (
        "Both images of a pair are mapped by percentiles of the whole image (input: drawn from 1 "
        f"to 3 and 99.5 to 99.9; target: 2 and 99.8) to 0 and 1; {shared}"
    )


def _patch(settings: Settings) -> str:
    """Write the size of a training patch of the truth, in pixels."""
    planes = settings.patch_planes
    return f"{settings.patch_px}²" + (f" and {planes} planes" if planes else "")


def _cost(cost: InferenceCost, *, volumes: bool) -> str:
    """Say what restoring costs; a window of a volume has as many voxels as are counted by."""
    seconds = f"{cost.seconds_per_megapixel:g} s per"
    if volumes:
        return f"{seconds} million voxels, {cost.peak_mib_per_megapixel:.0f} MiB for as many"
    return f"{seconds} megapixel, {_window_mib(cost):.0f} MiB for\n  256²"


def _descent(origin: Lineage) -> str:
    """Say with whose weights the training began."""
    version = f" {origin.version}" if origin.version else ""
    data = f", which was trained on {origin.data}" if origin.data else ""
    return (
        f'Adapted from the package "{origin.name}"{version} (sha256 `{origin.sha256[:16]}`){data}: '
        "the training began with its weights."
    )


def _measured_with(metadata: Metadata) -> str:
    """Say for how many samples and steps a number holds, where the package has others."""
    stated = asdict(metadata.measured_with)
    given = ", ".join(f"{name} {value}" for name, value in stated.items() if value is not None)
    return f" (measured with {given})" if given else ""


def _errors(metadata: Metadata) -> str:
    """Say how far restored crops are from the truth; weights of an interrupted run do not know."""
    restored, unrestored = metadata.reached.error_restored, metadata.reached.error_input
    if restored is None or unrestored is None:
        return "The training was not finished, so its error was not measured."
    images = metadata.data.calibration_images
    return f"""Mean absolute error in normalised intensity on fixed crops of
{images} images that were not trained on, but served to choose the best weights:
{restored:.4f} restored{_measured_with(metadata)}, {unrestored:.4f} before restoration.
{metadata.reached.doubt or ""}""".rstrip()


def _window_mib(cost: InferenceCost) -> float:
    """Return the peak memory of one window, which is kept as if of 2²⁰ pixels."""
    return cost.peak_mib_per_megapixel * 256**2 / 2**20


def _calibration(metadata: Metadata) -> str:
    """Say how far the standard deviation can be believed, where there is one."""
    found = metadata.calibration
    if found is None:
        return ""
    rows = "\n".join(
        f"| {name} | "
        + " | ".join(f"{scores[f'coverage_{share}']:.1%}" for share in SHARES)
        + f" | {scores['nll']:.3f} | {scores['ence']:.3f} |"
        for scores, name in (
            (found.before, "network, Gaussian intervals"),
            (found.linear, "published linear fit, Gaussian intervals"),
            (found.after, "this package, intervals as stated below"),
        )
    )
    factors = ", ".join(
        f"{float(share):.0%}: ± {found.interval_factors[share]:.2f} std" for share in SHARES
    )
    return f"""
## Calibration

The standard deviation was calibrated by isotonic regression on {found.images.calibration}
images of {found.data} (sha256 `{found.data_sha256[:16]}`) that were not trained on. On
{found.images.validation} validation images of the same data, of other sources:

| intervals cover of | 50 % | 90 % | 95 % | NLL | ENCE |
|---|---|---|---|---|---|
{rows}

Errors are no Gaussians: intervals that cover these shares are {factors}. The calibration holds
for structures and microscopes like those trained on. With another noise, another PSF or other
structures intervals cover more or less than they state; `python -m benchmark run` measures how
much.
"""


def _trust_mask(metadata: Metadata) -> str:
    """Say what is promised of restored structures, where anything is."""
    found = metadata.trust_mask
    if found is None:
        return ""
    rows = "\n".join(
        f"| {number} | {float(share):.0%} | {height:.3f} | "
        f"{found.false[share]:.1%} | {found.found[share]:.0%} |"
        for number, (share, height) in enumerate(found.heights.items(), start=1)
    )
    return f"""
## Trust mask

`python -m packages predict ZIP IN OUT --trust-mask MASK.ome.tif` writes a second image that says
which restored structures to believe. {found.sentence}

On {found.validation_images} validation images of {found.data} (sha256
`{found.data_sha256[:16]}`), means over images; a structure is a piece of {found.scale_px} pixels
in radius that stands out of its surroundings:

| value from | promised real | stands out by more than | false inside | of the truth's inside |
|---|---|---|---|---|
{rows}

For another microscope, `python -m training calibrate` finds the heights on images simulated of it.
"""
