"""What a description says that is measured or hashed: files, sizes, scales, tolerance."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imaging.files import sha256
from imaging.training_metadata import Metadata
from packages import card
from packages.export import ONNX_OPSET


def add_measured(
    description: dict[str, Any],
    folder: Path,
    metadata: Metadata,
    *,
    architecture: str,
    arguments: Mapping[str, Any],
    step: Mapping[str, int],
    halo: Mapping[str, int],
    smallest: Mapping[str, int],
    factors: Mapping[str, int],
    parameters: int,
    largest: float,
) -> None:
    """Add to a model's description what is measured or hashed.

    Parameters
    ----------
    description
        Of the model's rdf.yaml; it is changed.
    folder
        Holds the package's files.
    metadata
        Of the weights.
    architecture, arguments
        Class of the network, and what it is built with.
    step, halo, smallest
        Of the images that it takes, in pixels, by axis.
    factors
        Pixels of the output along one of the input, by axis.
    parameters
        How many the network has.
    largest
        Value of the test output.
    """
    for tensor, side in (
        (description["inputs"][0], "input"),
        (description["outputs"][0], "output"),
    ):
        tensor["test_tensor"] = _file(folder, f"test-{side}.npy")
        tensor["sample_tensor"] = _file(folder, f"sample-{side}.tif")
        for axis in tensor["axes"]:
            if axis["type"] != "space":
                continue
            of, factor = axis["id"], factors[axis["id"]]
            if side == "input":
                axis |= {"size": {"min": smallest[of], "step": step[of]}} | _scale(factor**2)
            else:
                reference = {"tensor_id": description["inputs"][0]["id"], "axis_id": of}
                axis |= {"size": reference, "halo": factor * halo[of]} | _scale(factor)
    description["covers"] = ["cover.png"]
    torch_version = metadata.versions["torch"].split("+")[0]
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
    description["config"]["bioimageio"] |= card.training_entries(metadata) | {
        "model_parameter_count": parameters,
        "reproducibility_tolerance": [_tolerance(largest)],
    }


def _scale(scale: int) -> dict[str, float]:
    """State the scale of an axis where it is not 1.

    In the format an output is finer by the input's scale over its own; deepImageJ takes the
    output's alone for that. A scale of f² for the input and f for the output say f to both.
    """
    return {"scale": float(scale)} if scale > 1 else {}


def _tolerance(largest: float) -> dict[str, float]:
    """State what another machine may differ by: the zoo's default, and less for faint images.

    Readers since bioimageio.spec 0.5.14.2 refuse an absolute tolerance above 1 % of the largest
    value of the test output.
    """
    absolute = min(1e-3, float(f"{0.009 * max(largest, 0.0):.3g}"))
    return {"relative_tolerance": 1e-3, "absolute_tolerance": absolute}


def _file(folder: Path, name: str) -> dict[str, str]:
    return {"source": name, "sha256": sha256(folder / name)}
