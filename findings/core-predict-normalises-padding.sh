#!/usr/bin/env bash
# bioimageio.core: `predict` and `predict --blockwise` normalise one image differently.
#
# Guess. A network that changes nothing (identity), behind `scale_range` by percentiles of the image, with a
# halo: whatever way the image is cut into blocks, pixels farther than the halo from the border get
# the same value, for percentiles are of the image.
# Behaviour. Without blocks the image is first mirrored by the halo and the percentiles are of the
# mirrored image, in which the border counts up to four times. In blocks they are of the image.
# All pixels differ, also in the middle; a package cannot state anything that prevents it.
# Versions. bioimageio.core 0.11.0, bioimageio.spec 0.5.12.0, onnxruntime 1.23.2, Python 3.11.
# Output seen.
#   blocks, farther than the halo from the border: 1.1e-06 from percentiles of the image
#   whole,  farther than the halo from the border: 8.2e-01 from percentiles of the image
# Who meets it. Everybody who compares results of `bioimageio predict` with those of ilastik, Fiji or his own
# script, with a model whose preprocessing measures the image (scale_range, zero_mean_unit_variance).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "bioimageio.core==0.11.0" "bioimageio.spec==0.5.12.0" \
    "pydantic<2.14" "numpy<2.4" "onnx==1.19.1" "onnxruntime==1.23.2"
cat > "$folder/show.py" <<'PYTHON'
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import create_sample_for_model
from bioimageio.spec import load_description
from onnx import TensorProto, helper

HALO, SIDE = 16, 208
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

# Dark, and one bright spot in a corner, where mirroring makes four of it.
image = np.random.default_rng(0).uniform(0, 1, (1, 1, SIDE, SIDE)).astype(np.float32)
image[..., :8, :8] += 5
low, high = np.percentile(image, [2, 99.8])
expected = (image - low) / (high - low)
np.save(folder / "input.npy", image)
np.save(folder / "output.npy", expected.astype(np.float32))


def file(name):
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}


def axes(sizes):
    return [{"type": "batch"}, {"type": "channel", "channel_names": ["c0"]}, *sizes]


scale = {"axes": ["channel", "y", "x"], "min_percentile": 2.0, "max_percentile": 99.8}
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
            "axes": axes([{"type": "space", "id": a, "size": {"min": 48, "step": 16}} for a in "yx"]),
            "preprocessing": [{"id": "scale_range", "kwargs": scale}],
            "test_tensor": file("input.npy"),
        }
    ],
    "outputs": [
        {
            "id": "output",
            "axes": axes(
                [
                    {
                        "type": "space",
                        "id": a,
                        "halo": HALO,
                        "size": {"tensor_id": "input", "axis_id": a},
                    }
                    for a in "yx"
                ]
            ),
            "test_tensor": file("output.npy"),
        }
    ],
    "weights": {"onnx": {**file("model.onnx"), "opset_version": 17}},
}
(folder / "rdf.yaml").write_text(json.dumps(description))
loaded = load_description(folder / "rdf.yaml")


def farthest(predict):
    with create_prediction_pipeline(loaded, weight_format="onnx") as pipeline:
        sample = create_sample_for_model(loaded, inputs={"input": folder / "input.npy"})
        result = getattr(pipeline, predict)(sample).members["output"].to_numpy()
    inside = (..., slice(HALO, -HALO), slice(HALO, -HALO))
    return float(np.abs(result - expected)[inside].max())


whole = farthest("predict_sample_without_blocking")
blocks = farthest("predict_sample_with_blocking")
where = "farther than the halo from the border"
print(f"blocks, {where}: {blocks:.1e} from percentiles of the image")
print(f"whole,  {where}: {whole:.1e} from percentiles of the image")
sys.exit(0 if blocks < 1e-5 and whole > 0.1 else "This behaviour has changed.")
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/show.py" "$folder"
