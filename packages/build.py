"""A model and a checkpoint become one zip that the zoo, Fiji and ilastik can load."""

import math
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn

from imaging import images
from imaging.cli import UserError, console, progress
from imaging.files import replacing, sha256
from imaging.normalise import normalise
from imaging.trained_weights import TrainedWeights
from imaging.training_metadata import Metadata, SamplingOptions
from packages import card
from packages.checks.completeness import completeness
from packages.cover import draw_cover
from packages.evaluations import add_evidence
from packages.evidence import read_evidence, read_verdict
from packages.export import (
    CORE_BLOCK_STEPS,
    TILES_TOLERANCE,
    ZIP_TIME,
    load_network,
    measure_effective_halo,
    measure_halo,
    save_onnx,
    save_state_dict,
    save_torchscript,
)
from packages.measured_entries import add_measured
from packages.models import Model, for_channels, model_named
from packages.network_contract import (
    RestorationNetwork,
    channels_in,
    divisors,
    factors,
    reaches_far,
    states_std,
)
from packages.options import with_options
from packages.package import open_package
from packages.publish_metadata import put_into
from packages.publish_toml import TITLE, read_publication
from packages.source import self_contained
from packages.told_data import tell_data

__all__ = ["build"]

# Sides of the image on which an effective halo is measured.
_SCENE = {2: {"y": 640, "x": 640}, 3: {"z": 32, "y": 256, "x": 256}}
# By how many steps the test image exceeds the smallest: bioimageio.core's default blocks fit into
# that of planes; one of volumes would be of tens of megabytes.
_TEST_STEPS = {2: CORE_BLOCK_STEPS, 3: 2}


def build(
    name: str,
    /,
    *,
    checkpoint: Path | None = None,
    out: Path | None = None,
    samples: int | None = None,
    steps: int | None = None,
    title: str | None = None,
    results: Path | None = None,
    trust_results: Path | None = None,
    publish: Path | None = None,
) -> Path:
    """Make one zip of a model: weights in three formats, tests, documentation, model card.

    Parameters are those of `python -m packages build`, described in its help.

    Returns
    -------
    Path
        The zip.

    Raises
    ------
    UserError
        No such model, a title the zoo does not take, a checkpoint that is missing, unreadable or of
        another model, a number of samples or steps that the model cannot do, results of another
        package, or a faulty publish.toml.
    """
    chosen = model_named(name)
    out = out or Path("dist") / f"{name}.zip"
    if out.suffix != ".zip":
        raise UserError(f"{out} does not end in .zip: a package is one zip file.")
    publication = read_publication(publish) if publish else None
    if publication and publication.title:
        if title is not None:
            raise UserError(f"{publish} states a title: leave --title out, or remove the entry.")
        title = publication.title
    if title is not None and not TITLE.fullmatch(title):
        raise UserError(
            f"'{title}' cannot be a title: give 5 to 128 English letters, digits, spaces or _+-()."
        )
    trained = TrainedWeights.read(checkpoint or chosen.weights_file, model=chosen.name)
    options = SamplingOptions(samples, steps)
    with progress() as bars, tempfile.TemporaryDirectory() as folder:
        bars.add_task(f"Building {out}", total=None)
        description = _furnish(Path(folder), chosen, trained, options, title)
        if publication is not None:
            put_into(publication, Path(folder), description)
        description = {"id": identifier(description["name"])} | description
        measured = read_evidence(results, description, out) if results else []
        verdict = read_verdict(trust_results, description, out) if trust_results else None
        if measured or verdict:
            add_evidence(Path(folder), description, measured, verdict)
        (Path(folder) / "rdf.yaml").write_text(
            yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=100), "utf-8"
        )
        # What nobody can open is not written.
        with open_package(Path(folder), trust=True) as opened:
            complete = completeness(opened.description).share
            doubt = opened.own_entries.get("doubt")
        with replacing(out) as temporary:
            _pack(Path(folder), temporary)
    size_mib = out.stat().st_size / 2**20
    console.print(
        f"Made {out} ({size_mib:.1f} MiB, sha256 {sha256(out)[:12]}, "
        f"{complete:.0%} of the zoo's entries)" + (f". {doubt}" if doubt else ""),
        soft_wrap=True,
    )
    return out


def identifier(title: str) -> str:
    """Return the id of a package: deepImageJ cannot open one without.

    Parameters
    ----------
    title
        Its name. The zoo gives an id of its own to what it takes.

    Returns
    -------
    str
        The title in small letters, with hyphens where it has anything but letters and digits.
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _furnish(
    folder: Path,
    chosen: Model,
    trained: TrainedWeights,
    options: SamplingOptions,
    title: str | None,
) -> dict[str, Any]:
    """Write every file of the package but rdf.yaml into a folder; return what that will say."""
    volumes = trained.example.input.ndim > 2
    together = trained.metadata.request.channels
    description = chosen.description(volumes=volumes)
    if together:
        for_channels(description, together)
    architecture = description.pop("architecture")["callable"]
    model_file = folder / "model.py"
    model_file.write_bytes(self_contained(chosen.model_file).encode())
    network, metadata = _load(model_file, architecture, chosen, trained, options)
    arguments = metadata.request.settings.network
    _check(network, chosen)
    step, finer = divisors(network), factors(network)
    ours = _without_a_field(metadata, trained)
    names = list(together) or chosen.channels()
    example = trained.example.input.numpy()
    example = example if together else example[None]  # channels first
    remainder: float | None = None
    try:
        if reaches_far(network):
            scene = _half_empty(_normalised(_fitted(example, _SCENE[len(step)], step)))
            halo, remainder = measure_effective_halo(
                network, torch.from_numpy(scene)[None], step, finer
            )
            ours["tiles_tolerance"] = TILES_TOLERANCE
        else:
            halo = measure_halo(network, step, finer, channels_in(network))
    except ValueError as error:
        raise UserError(
            f"'{chosen.name}' with these settings cannot be packaged, for an image could not be "
            f"restored in tiles: {error}."
        ) from error
    # The format wants something left when the halo is cropped. The halo is a multiple of the step,
    # so that blocks of any program begin where pooling, grid and noise do.
    smallest = {axis: 2 * halo[axis] + step[axis] for axis in step}
    tested = _TEST_STEPS[len(step)]
    example = _fitted(example, {a: smallest[a] + tested * step[a] for a in step}, step)
    prepared = torch.from_numpy(_normalised(example))[None]
    with torch.no_grad():
        restored = network(prepared)
    if restored.shape[1] != len(names):
        raise UserError(
            f"{chosen.model_file}: the network gives {restored.shape[1]} channel(s), and rdf.yaml "
            f"names {len(names)} ({', '.join(names)}): correct one of them."
        )
    tiles_error: float | None = None
    if remainder is not None:
        tiles_error = _rounded(remainder / _error(restored, trained.example.target))
        ours["tiles_error"] = tiles_error

    save_state_dict(network, folder / "state-dict.pt")
    save_torchscript(
        model_file,
        architecture,
        arguments,
        folder / "state-dict.pt",
        prepared,
        folder / "torchscript.pt",
    )
    varying = {0: "batch"} | dict(enumerate(step, start=2))
    save_onnx(network, prepared, folder / "model.onnx", axes=varying)

    np.save(folder / "test-input.npy", example[None])
    np.save(folder / "test-output.npy", restored.numpy())
    if size_um := _pixel_size_um(metadata, step):
        ours["pixel_size_um"] = size_um
    mean = restored[0, : len(example)].numpy()
    for side, image, times in (("input", example, dict.fromkeys(step, 1)), ("output", mean, finer)):
        sizes = {axis: size / times[axis] for axis, size in size_um.items()}
        sample = xr.DataArray(image, dims=("c", *step), attrs={"pixel_size_um": sizes})
        sample = sample.assign_coords(c=names) if together else sample[0]
        images.write(folder / f"sample-{side}.tif", sample)
    field, finer_field = trained.example.input, trained.example.target
    draw_cover(folder / "cover.png", _seen(example[0], field), _seen(mean[0], finer_field))

    parts = (
        tell_data(chosen, description, metadata, title, volumes=volumes),
        card.programs_text(
            step=step,
            halo=halo,
            smallest=smallest,
            channels=names,
            factors=finer,
            tiles_error=tiles_error,
        ),
        card.measured_text(metadata, parameters=_count(network)),
    )
    (folder / "documentation.md").write_text("\n\n".join(parts), encoding="utf-8")
    add_measured(
        description,
        folder,
        metadata,
        architecture=architecture,
        arguments=arguments,
        step=step,
        halo=halo,
        smallest=smallest,
        factors=finer,
        parameters=_count(network),
        largest=float(restored.max()),
    )
    if metadata.reached.doubt:
        ours["doubt"] = metadata.reached.doubt
    if ours:
        description["config"]["restoration_zoo"] = ours
    return description


def _load(
    model_file: Path,
    architecture: str,
    chosen: Model,
    trained: TrainedWeights,
    options: SamplingOptions,
) -> tuple[nn.Module, Metadata]:
    """Build the network with the options asked for; return what is to be said of it, too."""
    metadata = trained.metadata
    try:
        arguments = metadata.request.settings.network
        network = load_network(model_file, architecture, arguments, trained.weights)
        if options != SamplingOptions():
            metadata = with_options(metadata, network, options)
            arguments = metadata.request.settings.network
            network = load_network(model_file, architecture, arguments, trained.weights)
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"The weights do not fit {chosen.model_file}: the network has changed since they were "
            "trained, train again."
        ) from error
    except ValueError as error:
        raise UserError(f"'{chosen.name}' cannot be built like this: {error}.") from error
    return network, metadata


def _check(network: nn.Module, chosen: Model) -> None:
    """Refuse a network that lacks anything."""
    if not isinstance(network, RestorationNetwork):
        raise UserError(
            f"{chosen.model_file}: the network does not state its `divisor` and its `factor`, of "
            "what the sides of images are multiples and how much finer the restored ones are: give "
            "it both."
        )
    if "std" in chosen.channels() and not states_std(network):
        raise UserError(
            f"{chosen.model_file}: rdf.yaml names a channel 'std', and the network has no "
            "`calibration` for it: give it one."
        )


def _without_a_field(metadata: Metadata, trained: TrainedWeights) -> dict[str, Any]:
    """Return what the zoo has no field for: descent, images it knows, how it was calibrated.

    Its field for a parent wants the id of a model that the zoo has.
    """
    origin = metadata.request.adapted_from
    ours: dict[str, Any] = {"adapted_from": asdict(origin)} if origin else {}
    if metadata.known:
        ours["known_images"] = asdict(metadata.known)
    if metadata.calibration is not None:
        knots, values = (trained.weights[f"calibration.{name}"] for name in ("knots", "values"))
        curve = {"knots": knots.tolist(), "values": values.tolist()}
        rounded = {name: [float(f"{std:.6g}") for std in stds] for name, stds in curve.items()}
        ours["calibration"] = asdict(metadata.calibration) | rounded
    if metadata.trust_mask is not None:
        ours["trust_mask"] = asdict(metadata.trust_mask)
    return ours


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _pixel_size_um(metadata: Metadata, axes: Iterable[str]) -> dict[str, float]:
    """Return the sides of a pixel by axis, as far as they are known, µm."""
    plane, z = metadata.data.pixel_size_um, metadata.data.z_step_um
    known = {"z": z, "y": plane, "x": plane}
    return {axis: size for axis in axes if (size := known[axis])}


def _seen(image: NDArray[np.float32], field: Tensor) -> NDArray[np.float32]:
    """Return a plane, or the middle one of a volume, without what fills it up beyond a field."""
    plane = image if image.ndim == 2 else image[len(image) // 2]
    return plane[: field.shape[-2], : field.shape[-1]]


def _fitted(
    image: NDArray[np.float32], smallest: Mapping[str, int], step: Mapping[str, int]
) -> NDArray[np.float32]:
    """Reflect an image, channels first, up to the next size that the package allows."""
    missing: list[tuple[int, int]] = [(0, 0)]
    for length, axis in zip(image.shape[1:], step, strict=True):
        wanted = max(smallest[axis], math.ceil(length / step[axis]) * step[axis])
        missing.append((0, wanted - length))
    return np.pad(image, missing, mode="symmetric")


def _normalised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise an image, channels first, each by itself."""
    return np.stack([normalise(channel) for channel in image])


def _half_empty(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fade one side of a normalised image away, so that windows of it differ in what they hold."""
    across = np.linspace(2, -1, image.shape[-1], dtype=np.float32)
    return image * across.clip(0, 1)


def _error(restored: Tensor, truth: Tensor) -> float:
    """Return the root mean square error of the restored test image where its truth is known."""
    seen = restored[0, 0, *(slice(side) for side in truth.shape)]
    return float((seen - truth).square().mean().sqrt())


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _pack(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(file.name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
