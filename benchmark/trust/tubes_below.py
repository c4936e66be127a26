"""Empty fields with tubes below them, in one image, as `benchmark.trust.empty` needs them."""

import json
import shutil
from pathlib import Path

import numpy as np
import xarray as xr

from benchmark.trust.phantom_datasets import PhantomDataset
from imaging.datasets import Dataset, Item, open_dataset
from imaging.files import read_stamp, replacing, write_json
from imaging.images import read, write
from imaging.resample import linear
from imaging.source_files import source_sha256

_APART_UM = 1.0
"""Light of the tubes may reach so far into the field: there nothing is counted."""

_EDGE_UM = 0.4


def join_tubes(fields: PhantomDataset, tubes: PhantomDataset, folder: Path) -> PhantomDataset:
    """Join what a microscope recorded of empty fields with what it recorded of tubes.

    The upper half of a record of tubes comes below each field, on the microscope's own pixels, and
    both are interpolated as one.

    Both come from one microscope. There are as many images as fields; their geometry has the
    `tubes`, and in `fields` two opposite corners of where nothing is.
    """
    out = folder / f"{fields.plan.name}-beside-tubes"
    made_of = f"{fields.sha256} {tubes.sha256} {source_sha256(__name__)}"
    stamp = out / "made_of.json"
    if read_stamp(stamp) != {"sha256": made_of}:
        with replacing(out) as partial:
            _write(fields.dataset, tubes.dataset, partial)
            write_json(partial / stamp.name, {"sha256": made_of})
    return PhantomDataset(fields.plan, open_dataset(out), made_of)


def _write(fields: Dataset, tubes: Dataset, out: Path) -> None:
    for i, field in enumerate(fields.items):
        other = tubes.items[i % len(tubes.items)]
        half = _image(other, "native").sizes["y"] // 2
        sampling = _image(other, "target").sizes["y"] // _image(other, "native").sizes["y"]
        native = _below(_image(field, "native"), _image(other, "native")[:half])
        target = _below(_image(field, "target"), _image(other, "target")[: half * sampling])
        input = target.copy(data=linear(native, (target.sizes["y"], target.sizes["x"])))
        for part, image in (("native", native), ("target", target), ("input", input)):
            write(out / part / f"{field.name}.tif", image)
        geometry = json.loads((tubes.path / "geometry" / f"{other.name}.json").read_text())
        pixel_um = target.attrs["pixel_size_um"]["y"]
        height_um, width_um = (n * pixel_um for n in _image(field, "target").shape)
        shown = [np.add(tube["points_um"], [height_um, 0]) for tube in geometry["tubes"]]
        corners = [[_EDGE_UM, _EDGE_UM], [height_um - _APART_UM, width_um - _EDGE_UM]]
        content = {
            "tubes": [{"points_um": points_um.tolist()} for points_um in shown],
            "fields": [{"points_um": corners}],
        }
        write_json(out / "geometry" / f"{field.name}.json", content)
    shutil.copy(fields.path / "dataset.toml", out)


def _image(item: Item, part: str) -> xr.DataArray:
    return read(item.input.parent.parent / part / item.input.name)


def _below(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Put another image of the same pixels under one."""
    values = np.concatenate([one.values, other.values])
    return xr.DataArray(values, dims=("y", "x"), attrs=one.attrs)
