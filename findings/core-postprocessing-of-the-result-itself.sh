#!/usr/bin/env bash
# bioimageio.core: no model whose postprocessing measures its own result can be run.
#
# Guess. `scale_mean_variance`, which gives a result mean and deviation of the image it was made of,
# and `scale_range` without `reference_tensor`, are postprocessing operations of the format;
# bioimageio.core implements both, so a valid package that uses one runs.
# Behaviour. bioimageio.spec takes such a package without a complaint. bioimageio.core computes all
# statistics before the network runs, those of the result included, and fails on every image with a
# KeyError that names the output. With `reference_tensor: input` `scale_range` runs, as it needs the
# input alone; `scale_mean_variance` cannot, for it needs the result in any case.
# Versions. bioimageio.core 0.10.4 and 0.11.0 (bioimageio.spec 0.5.10.2, 0.5.12.0), onnxruntime 1.23.2.
# Output seen.
#   0.11.0 scale_mean_variance            KeyError: 'output'
#   0.11.0 scale_range                    KeyError: 'output'
#   0.11.0 scale_range of the input       runs
#   0.10.4 the same three lines
# Who meets it. Authors of restoration models that give intensities of the input back, whose packages
# are valid and fail every test of the zoo; users of older packages that have these operations.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/show.py" <<'PYTHON'
import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import create_sample_for_model
from bioimageio.spec import load_description
from onnx import TensorProto, helper

SIDE = 64
AXES = {"axes": ["channel", "y", "x"]}
RANGE = {**AXES, "min_percentile": 2.0, "max_percentile": 99.8}
POSTPROCESSING = {
    "scale_mean_variance": {
        "id": "scale_mean_variance",
        "kwargs": {**AXES, "reference_tensor": "input"},
    },
    "scale_range": {"id": "scale_range", "kwargs": RANGE},
    "scale_range of the input": {
        "id": "scale_range",
        "kwargs": {**RANGE, "reference_tensor": "input"},
    },
}
folder = Path(sys.argv[1])
shape = ["b", 1, "y", "x"]
graph = helper.make_graph(
    [helper.make_node("Identity", ["input"], ["output"])],
    "identity",
    [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.save(model, folder / "model.onnx")
image = np.random.default_rng(0).uniform(1, 2, (1, 1, SIDE, SIDE)).astype(np.float32)
np.save(folder / "image.npy", image)


def file(name):
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}


def axes(size):
    space = [{"type": "space", "id": a, "size": size(a)} for a in "yx"]
    return [{"type": "batch"}, {"type": "channel", "channel_names": ["c0"]}, *space]


def outcome(step):
    description = {
        "format_version": "0.5.9",
        "type": "model",
        "name": "identity",
        "description": "changes nothing",
        "authors": [{"name": "Jane Doe"}],
        "cite": [{"text": "none", "url": "https://example.com"}],
        "license": "CC0-1.0",
        "inputs": [
            {
                "id": "input",
                "axes": axes(lambda _: {"min": 16, "step": 16}),
                "test_tensor": file("image.npy"),
            }
        ],
        "outputs": [
            {
                "id": "output",
                "axes": axes(lambda a: {"tensor_id": "input", "axis_id": a}),
                "postprocessing": [step],
                "test_tensor": file("image.npy"),
            }
        ],
        "weights": {"onnx": {**file("model.onnx"), "opset_version": 17}},
    }
    (folder / "rdf.yaml").write_text(json.dumps(description))
    loaded = load_description(folder / "rdf.yaml")
    if type(loaded).__name__ != "ModelDescr":
        return "refused by bioimageio.spec"
    with create_prediction_pipeline(loaded, weight_format="onnx") as pipeline:
        sample = create_sample_for_model(loaded, inputs={"input": folder / "image.npy"})
        try:
            pipeline.predict_sample_without_blocking(sample)
        except KeyError as error:
            return f"KeyError: {error}"
    return "runs"


seen = {name: outcome(step) for name, step in POSTPROCESSING.items()}
for name, what in seen.items():
    print(f"{version('bioimageio.core')} {name:<30} {what}")
expected = ["KeyError: 'output'", "KeyError: 'output'", "runs"]
sys.exit(0 if list(seen.values()) == expected else "This behaviour has changed.")
PYTHON
for versions in "0.10.4 0.5.10.2" "0.11.0 0.5.12.0"; do
    read -r core spec <<< "$versions"
    python3 -m venv "$folder/$core"
    "$folder/$core/bin/pip" install --quiet "bioimageio.core==$core" "bioimageio.spec==$spec" \
        "pydantic<2.14" "numpy<2.4" "onnx==1.19.1" "onnxruntime==1.23.2"
    "$folder/$core/bin/python" -W ignore "$folder/show.py" "$folder"
done
