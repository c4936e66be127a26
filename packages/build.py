"""A room and a checkpoint become one zip that the zoo, Fiji and ilastik can load."""

import io
import math
import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import yaml
from numpy.typing import NDArray
from PIL import Image

from packages import images
from packages.cli import UserError, console
from packages.export import (
    ONNX_OPSET,
    ZIP_TIME,
    load_network,
    measure_halo,
    save_onnx,
    save_state_dict,
    save_torchscript,
)
from packages.files import replacing, sha256
from packages.normalise import normalise
from packages.rooms import Room, room

_COVER_PX = 512
# What the description is filled from.
_FACTS = ("request", "reached", "data", "inference", "loss", "device", "versions")


def build(name: str, /, *, checkpoint: Path | None = None, out: Path | None = None) -> Path:
    """Make one zip of a model: weights in three formats, tests, documentation, model card.

    The same model and weights give the same bytes.

    Parameters
    ----------
    name
        Of the model; `python -m packages list` shows them.
    checkpoint
        Run folder of a training, or its weights.pt. The model's reference weights without it.
    out
        Zip to write; dist/NAME.zip without it.

    Returns
    -------
    Path
        The zip.

    Raises
    ------
    UserError
        No such model, or a checkpoint that is missing, unreadable or of another model.
    """
    chosen = room(name)
    out = out or Path("dist") / f"{name}.zip"
    if out.suffix != ".zip":
        raise UserError(f"{out} does not end in .zip: a package is one zip file.")
    trained = _load_checkpoint(chosen, checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        _furnish(Path(folder), chosen, trained)
        with replacing(out) as temporary:
            _pack(Path(folder), temporary)
    size_mib = out.stat().st_size / 2**20
    console.print(f"Made {out} ({size_mib:.1f} MiB, sha256 {sha256(out)[:12]})", soft_wrap=True)
    return out


def _load_checkpoint(chosen: Room, checkpoint: Path | None) -> dict[str, Any]:
    file = checkpoint or chosen.weights_file
    if file.is_dir():
        file = file / "weights.pt"
    if not file.exists():
        raise UserError(
            f"{file} does not exist: train first (python -m training {chosen.name}) "
            "and give its run folder as --checkpoint."
        )
    try:
        content = dict(torch.load(file, map_location="cpu", weights_only=True))
        facts, _ = content["facts"], (content["example"]["input"], content["example"]["target"])
        owner = facts["room"]
        _ = [facts[part] for part in _FACTS]
        finite = all(bool(tensor.isfinite().all()) for tensor in content["weights"].values())
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
    ) as e:
        raise UserError(
            f"{file} is not weights made by a training of this project: "
            "give a run folder, or the weights.pt in it."
        ) from e
    if owner != chosen.name:
        raise UserError(
            f"{file} holds weights of '{owner}', not of '{chosen.name}': "
            f"build that model, or give a checkpoint of '{chosen.name}'."
        )
    if not finite:
        raise UserError(f"{file} holds NaN or infinite weights: train again.")
    return content


def _furnish(folder: Path, chosen: Room, trained: dict[str, Any]) -> None:
    """Write every file of the package into a folder."""
    facts = trained["facts"]
    arguments = facts["request"]["settings"]["network"]
    description = chosen.description()
    architecture = description.pop("architecture")["callable"]
    try:
        network = load_network(chosen.model_file, architecture, arguments, trained["weights"])
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"The weights do not fit {chosen.model_file}: the network has changed since they were "
            "trained, train again."
        ) from error
    step = int(getattr(network, "divisor", 1))
    halo = measure_halo(network, step)
    smallest = 2 * halo + step  # the format wants something left when the halo is cropped
    example = _fitted(trained["example"]["input"].numpy(), smallest, step)
    prepared = torch.from_numpy(normalise(example))[None, None]
    with torch.no_grad():
        restored = network(prepared)

    shutil.copy(chosen.model_file, folder / "model.py")
    save_state_dict(network, folder / "state-dict.pt")
    save_torchscript(
        chosen.model_file,
        architecture,
        arguments,
        folder / "state-dict.pt",
        prepared,
        folder / "torchscript.pt",
    )
    save_onnx(network, prepared, folder / "model.onnx", axes={0: "batch", 2: "y", 3: "x"})

    np.save(folder / "test-input.npy", example[None, None])
    np.save(folder / "test-output.npy", restored.numpy())
    size_um = facts["data"]["pixel_size_um"]
    pixel = {"y": size_um, "x": size_um} if size_um else {}
    for side, image in (("input", example), ("output", restored[0, 0].numpy())):
        sample = xr.DataArray(image, dims=("y", "x"), attrs={"pixel_size_um": pixel})
        images.write(folder / f"sample-{side}.tif", sample)
    _cover(folder / "cover.png", example, restored[0, 0].numpy())

    measured = _documentation(facts, network)
    text = (chosen.folder / "documentation.md").read_text(encoding="utf-8")
    (folder / "documentation.md").write_text(f"{text.rstrip()}\n\n{measured}", encoding="utf-8")
    _complete(
        description,
        folder,
        facts,
        architecture=architecture,
        arguments=arguments,
        step=step,
        halo=halo,
        smallest=smallest,
        parameters=_count(network),
    )
    (folder / "rdf.yaml").write_text(
        yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=100), "utf-8"
    )


def _complete(
    description: dict[str, Any],
    folder: Path,
    facts: dict[str, Any],
    *,
    architecture: str,
    arguments: dict[str, Any],
    step: int,
    halo: int,
    smallest: int,
    parameters: int,
) -> None:
    """Add to the room's description what is measured or hashed."""
    size_um = facts["data"]["pixel_size_um"]
    physical = {"unit": "micrometer", "scale": size_um} if size_um else {}
    for tensor, side in (
        (description["inputs"][0], "input"),
        (description["outputs"][0], "output"),
    ):
        tensor["test_tensor"] = _file(folder, f"test-{side}.npy")
        tensor["sample_tensor"] = _file(folder, f"sample-{side}.tif")
        for axis in tensor["axes"]:
            if axis["type"] == "space" and side == "input":
                axis |= {"size": {"min": smallest, "step": step}} | physical
            elif axis["type"] == "space":
                reference = {"tensor_id": description["inputs"][0]["id"], "axis_id": axis["id"]}
                axis |= {"size": reference, "halo": halo} | physical
    description["covers"] = ["cover.png"]
    torch_version = facts["versions"]["torch"].split("+")[0]
    description["weights"] = {
        "pytorch_state_dict": {
            **_file(folder, "state-dict.pt"),
            "architecture": {
                **_file(folder, "model.py"),
                "callable": architecture,
                "kwargs": arguments,
            },
            "pytorch_version": torch_version,
        },
        "torchscript": {
            **_file(folder, "torchscript.pt"),
            "parent": "pytorch_state_dict",
            "pytorch_version": torch_version,
        },
        "onnx": {
            **_file(folder, "model.onnx"),
            "parent": "pytorch_state_dict",
            "opset_version": ONNX_OPSET,
        },
    }
    request, reached, cost = facts["request"], facts["reached"], facts["inference"]
    settings = request["settings"]
    per_epoch = facts["data"]["training_images"]
    description["config"]["bioimageio"] |= {
        "model_parameter_count": parameters,
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
            "seed": request["seed"],
            "dataset": facts["data"]["name"],
            "dataset_sha256": request["data_sha256"],
            "versions": facts["versions"],
        },
        "inference_time": f"{cost['seconds_per_megapixel']:g} s per megapixel on {cost['device']}",
        "memory_requirements_inference": (
            f"{cost['peak_mib_per_megapixel']:g} MiB per megapixel in one piece; tiles need less"
        ),
        "environmental_impact": {
            "hardware_type": facts["device"],
            "hours_used": round(reached["seconds"] / 3600, 4),
        },
    }


def _documentation(facts: dict[str, Any], network: torch.nn.Module) -> str:
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
  {facts["device"]}; {_count(network)} parameters; loss: {facts["loss"]}.
- Inference: {cost["seconds_per_megapixel"]:g} s and {cost["peak_mib_per_megapixel"]:g} MiB per
  megapixel on {cost["device"]}.

## Validation

Mean absolute error in normalised intensity on fixed crops of {data["calibration_images"]} images
that were not trained on, but served to choose the best weights: {reached["error_restored"]:.4f}
restored, {reached["error_input"]:.4f} before restoration. For scores on images that served for
nothing, beside controls and other packages:

    python -m benchmark run {request["recipe"]}.zip --data DATASET --out RESULTS
    python -m benchmark report RESULTS
"""


def _file(folder: Path, name: str) -> dict[str, str]:
    return {"source": name, "sha256": sha256(folder / name)}


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _fitted(image: NDArray[np.float32], smallest: int, step: int) -> NDArray[np.float32]:
    """Reflect an image up to the next size that the package allows."""
    sides = [max(smallest, math.ceil(side / step) * step) for side in image.shape]
    missing = [(0, wanted - side) for wanted, side in zip(sides, image.shape, strict=True)]
    return np.pad(image, missing, mode="symmetric")


def _cover(path: Path, image: NDArray[np.float32], restored: NDArray[np.float32]) -> None:
    """Draw input and restored side by side, 2:1, each scaled to its own percentiles."""
    panels: list[NDArray[np.uint8]] = []
    side = min(image.shape)
    for values in (image, restored):
        square = normalise(values[:side, :side], 1.0, 99.7).clip(0, 1)
        picture = Image.fromarray((255 * square).astype(np.uint8))
        panels.append(np.asarray(picture.resize((_COVER_PX, _COVER_PX), Image.Resampling.NEAREST)))
    cover = Image.fromarray(np.concatenate(panels, axis=1))
    stream = io.BytesIO()
    cover.save(stream, format="png", optimize=True)
    path.write_bytes(stream.getvalue())


def _pack(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(file.name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
