"""The model card: what a training measured and cost, as entries and as text."""

from pathlib import Path
from typing import Any

# Tags of the rooms that speak of the images their reference weights were trained on.
_TAGS_OF_DATA = {"two-photon", "expansion-microscopy", "membrane", "glioblastoma"}


def training_entries(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of `config.bioimageio` that the training knows.

    Parameters
    ----------
    facts
        Of the training.

    Returns
    -------
    dict
        Training, cost of inference and environmental impact.
    """
    request, reached, cost = facts["request"], facts["reached"], facts["inference"]
    settings = request["settings"]
    per_epoch = facts["data"]["training_images"]
    return {
        "training": {
            "training_preprocessing": (
                "Both images of a pair are mapped by percentiles of the whole image (input: drawn "
                "from 1 to 3 and 99.5 to 99.9; target: 2 and 99.8) to 0 and 1; flips and quarter "
                "turns; patches with structure are likelier."
            ),
            "training_epochs": round(reached["steps"] * settings["batch_size"] / per_epoch, 2),
            "training_batch_size": settings["batch_size"],
            "initial_learning_rate": settings["learning_rate"],
            "learning_rate_schedule": (
                f"linear warm-up over {settings['warmup']:.0%} of the training, then cosine to 0"
            ),
            "loss_function": facts["loss"],
            "optimizer": "Adam",
            "regularization": (
                f"gradient norm at most {settings['clip_norm']:g}; weights averaged with decay "
                f"{settings['ema_decay']:g}"
            ),
            "training_duration": round(reached["seconds"] / 3600, 4),
            "training_steps": reached["steps"],
            "planned_steps": request["steps"],
            "planned_minutes": request["minutes"],
            "seed": request["seed"],
            "dataset": facts["data"]["name"],
            "dataset_sha256": request["data_sha256"],
            "versions": facts["versions"],
        },
        "inference_time": (
            f"{cost['seconds_per_megapixel']:g} s per megapixel on {cost['device']}"
            f"{_measured_with(facts)}"
        ),
        "memory_requirements_inference": (
            f"{_window_mib(cost):.0f} MiB for 256²; larger images are restored in windows"
        ),
        "environmental_impact": {
            "hardware_type": facts["device"],
            "hours_used": round(reached["seconds"] / 3600, 4),
        },
    }


def retitle(folder: Path, description: dict[str, Any], title: str, facts: dict[str, Any]) -> None:
    """Name a package after its own weights, and leave out what is said of the reference data.

    Parameters
    ----------
    folder
        With the package's documentation.md, whose heading is changed.
    description
        Content of its rdf.yaml, which is changed.
    title
        The name.
    facts
        Of the training.
    """
    entries = description["config"]["bioimageio"]
    data = facts["data"]
    description["name"] = title
    description["description"] = (
        f"{entries['architecture_type']} that restores images, trained on {data['name']}. "
        f"{data['description']}"
    ).strip()
    description["tags"] = [tag for tag in description["tags"] if tag not in _TAGS_OF_DATA]
    for entry in ("modality", "target_structure"):
        entries.pop(entry, None)
    file = folder / "documentation.md"
    _, _, rest = file.read_text(encoding="utf-8").partition("\n")
    file.write_text(f"# {title}\n{rest}", encoding="utf-8")


def measured_text(facts: dict[str, Any], *, parameters: int) -> str:
    """Write the part of the documentation that is measured.

    Parameters
    ----------
    facts
        Of the training.
    parameters
        How many the network has.

    Returns
    -------
    str
        Markdown, with the heading "Validation" that the zoo asks for.
    """
    data, request, reached = facts["data"], facts["request"], facts["reached"]
    cost = facts["inference"]
    size = f"{data['pixel_size_um']:g} µm" if data["pixel_size_um"] else "unknown"
    made = ", ".join(f"{key} {value}" for key, value in data["provenance"].items())
    return f"""## Training

- Data: {data["name"]} (sha256 `{request["data_sha256"][:16]}`), {data["training_images"]} images,
  pixel size {size}. {data["description"]}
- Provenance of the data: {made or "not stated"}
- {reached["steps"]} steps of {request["settings"]["batch_size"]} patches of
  {request["settings"]["patch_px"]}², seed {request["seed"]}, {reached["seconds"] / 60:.1f} min on
  {facts["device"]}; {parameters} parameters; loss: {facts["loss"]}.
- Inference: {cost["seconds_per_megapixel"]:g} s per megapixel, {_window_mib(cost):.0f} MiB for
  256², on {cost["device"]}{_measured_with(facts)}.

## Validation

{_errors(facts)} For scores on images that served for
nothing, beside controls and other packages:

    python -m benchmark run {request["recipe"]}.zip --data DATASET --out RESULTS
    python -m benchmark report RESULTS
{_calibration(facts)}"""


def _measured_with(facts: dict[str, Any]) -> str:
    """Say for how many samples and steps a number holds, where the package has others."""
    given = ", ".join(f"{name} {value}" for name, value in facts.get("measured_with", {}).items())
    return f" (measured with {given})" if given else ""


def _errors(facts: dict[str, Any]) -> str:
    """Say how far restored crops are from the truth; weights of an interrupted run do not know."""
    data, reached = facts["data"], facts["reached"]
    if "error_restored" not in reached:
        return "The training was not finished, so its error was not measured."
    restored, unrestored = reached["error_restored"], reached["error_input"]
    return f"""Mean absolute error in normalised intensity on fixed crops of
{data["calibration_images"]} images that were not trained on, but served to choose the best weights:
{restored:.4f} restored{_measured_with(facts)}, {unrestored:.4f} before restoration."""


def _window_mib(cost: dict[str, Any]) -> float:
    """Return the peak memory of one window: it was measured in one, and is kept per megapixel."""
    return float(cost["peak_mib_per_megapixel"]) * 256**2 / 1e6


def _calibration(facts: dict[str, Any]) -> str:
    """Say how far the standard deviation can be believed, where there is one."""
    if "calibration" not in facts:
        return ""
    found = facts["calibration"]
    shares = ("0.5", "0.9", "0.95")
    rows = "\n".join(
        f"| {name} | "
        + " | ".join(f"{found[key][f'coverage_{share}']:.1%}" for share in shares)
        + f" | {found[key]['nll']:.3f} | {found[key]['ence']:.3f} |"
        for key, name in (
            ("before", "network, Gaussian intervals"),
            ("linear", "published linear fit, Gaussian intervals"),
            ("after", "this package, intervals as stated below"),
        )
    )
    factors = ", ".join(
        f"{float(share):.0%}: ± {found['interval_factors'][share]:.2f} std" for share in shares
    )
    name = found.get("data", facts["data"]["name"])
    sha256 = found.get("data_sha256", facts["request"]["data_sha256"])
    return f"""
## Calibration

The standard deviation was calibrated by isotonic regression on {found["images"]["calibration"]}
images of {name} (sha256 `{sha256[:16]}`) that were not trained on. On
{found["images"]["validation"]} validation images of the same data, of other sources:

| intervals cover of | 50 % | 90 % | 95 % | NLL | ENCE |
|---|---|---|---|---|---|
{rows}

Errors are no Gaussians: intervals that cover these shares are {factors}. The calibration holds
for structures and microscopes like those trained on. With another noise, another PSF or other
structures intervals cover more or less than they state; `python -m benchmark run` measures how
much.
"""
