"""What is too large to be drawn, whatever makes it so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from imaging.cli import UserError
from imaging.images import write
from simulation import stack_arguments
from simulation.simulate import simulate


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"volumes": True, "size": 2048}, "voxels, .* a smaller --size or a smaller --depth-px"),
        ({"volumes": True, "depth_px": 10**9}, "voxels, .* --size or a smaller --depth-px"),
        ({"size": 20000}, r"million pixels, .* give a smaller --size\."),
        ({"size": 1024, "thickness": 50.0}, "pixels, .* a smaller --size or a smaller --thickness"),
        ({"pixel_size": 1e-5}, r"million pixels, .* give coarser pixels by --pixel-size\."),
    ],
)
def test_what_memory_does_not_hold_is_refused(
    arguments: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "data", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("volumes", [False, True])
def test_whole_fields_are_looked_at_too(
    volumes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_arguments, "MOST_VOXELS", 20_000)
    sizes = {"z": 0.25, "y": 0.08, "x": 0.08}
    rng = np.random.default_rng(0)
    for number, side in enumerate((32, 400, 32)):
        pixels = rng.integers(0, 255, (16, side, 32)).astype(np.uint8)
        image = xr.DataArray(pixels, dims=("z", "y", "x"), attrs={"pixel_size_um": sizes})
        write(tmp_path / f"stacks/{number}.tif", image)
    depth_px = 8 if volumes else None
    with pytest.raises(UserError, match=r"32 x 400 pixels .* a --size, which cuts images"):
        simulate(
            tmp_path / "data",
            expanded=tmp_path / "stacks",
            size=0,
            volumes=volumes,
            depth_px=depth_px,
        )
