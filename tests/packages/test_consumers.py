from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from bioimageio.core import AxisId, Tensor
from bioimageio.core.io import save_tensor
from PIL import Image, UnidentifiedImageError
from torch import nn

from packages.checks.subject import CheckResult
from tests import tiny_networks
from tests import tiny_packages as tiny
from tests.checking import result_of

# Pools cells of 16 pixels, which must begin where those of the whole image do.
POOLS = (
    "(lambda x: torch.nn.functional.interpolate("
    "torch.nn.functional.avg_pool2d(x, 16), scale_factor=16.0))"
)
WHOLE = "bioimageio predict"
BLOCKS = "bioimageio predict, blocks"

Spoil = Callable[[tiny.Description], None]


def drop_id(description: tiny.Description) -> None:
    del description["id"]


def add_scales(description: tiny.Description) -> None:
    for tensor in (description["inputs"][0], description["outputs"][0]):
        for axis in tensor["axes"][2:]:
            axis |= {"unit": "micrometer", "scale": 0.08}


def halo_of(pixels: int | None) -> Spoil:
    def spoil(description: tiny.Description) -> None:
        for axis in description["outputs"][0]["axes"][2:]:
            axis.pop("halo")
            if pixels is not None:
                axis["halo"] = pixels

    return spoil


def built(path: Path, spoil: Spoil | None = None, change: str = "") -> Path:
    return tiny.build(path / "tiny.zip", spoil_description=spoil, change=change)


# bioimageio predict -----------------------------------------------------------------------------


@pytest.mark.parametrize("check", [WHOLE, BLOCKS])
def test_pooling_in_phase_gives_the_same_picture(check: str, tmp_path: Path) -> None:
    assert result_of(check, built(tmp_path, change=POOLS)).status == "passed"


@pytest.mark.parametrize("check", [WHOLE, BLOCKS])
def test_a_halo_out_of_step_gives_another_picture(check: str, tmp_path: Path) -> None:
    result = result_of(check, built(tmp_path, halo_of(8), POOLS))
    assert result.status == "failed"
    assert "another picture" in result.detail
    assert "make the halo of 8 a multiple of the step 16 along y, x" in result.detail


def test_a_halo_out_of_step_may_give_another_shape(tmp_path: Path) -> None:
    result = result_of(WHOLE, built(tmp_path, halo_of(4), POOLS))  # 48 + 8 are pooled to 48
    assert result.status == "failed"
    assert "makes (1, 1, 40, 56)" in result.detail


def test_a_network_that_refuses_the_padded_image_is_named_with_what_to_change(
    tmp_path: Path,
) -> None:
    in_rows = "(lambda x: x.reshape(x.shape[0], 1, x.shape[2] // 16, 16, x.shape[3]).flatten(2, 3))"
    result = result_of(WHOLE, built(tmp_path, halo_of(4), in_rows))
    assert result.status == "failed"
    assert "fails on the test input" in result.detail
    assert "make the halo of 4 a multiple of the step 16 along y, x" in result.detail


def test_a_network_that_sees_farther_than_its_halo_gives_another_picture_in_blocks(
    tmp_path: Path,
) -> None:
    result = result_of(BLOCKS, built(tmp_path, change="(lambda x: x.roll(32, 2))"))
    assert result.status == "failed"
    assert "state a larger halo" in result.detail


def test_a_stated_tolerance_of_tiles_holds_for_blocks_too(tmp_path: Path) -> None:
    def state(description: tiny.Description) -> None:
        description["config"]["restoration_zoo"]["tiles_tolerance"] = 0.002

    slightly = "(lambda x: x + 0.0018 * x.roll(32, 2))"
    strict = result_of(BLOCKS, built(tmp_path, change=slightly))
    assert (strict.status, strict.values["208x208"] < 0.01) == ("failed", True)
    assert result_of(BLOCKS, built(tmp_path, state, slightly)).status == "passed"


def test_statistics_of_the_padded_image_are_said_and_not_judged(tmp_path: Path) -> None:
    package = tiny.write(tmp_path / "package", tiny_networks.Blur())
    result = result_of(WHOLE, package)
    assert result.status == "passed"
    assert result.values["test input"] > 0


def test_without_a_halo_blocks_are_a_wish(tmp_path: Path) -> None:
    result = result_of(BLOCKS, built(tmp_path, halo_of(None)))
    assert result.status == "missing"
    assert "no halo is stated" in result.detail


class WithoutChannels(nn.Module):
    """A network for planes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = tiny_networks.Blur()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image[:, None])[:, 0]


@pytest.mark.parametrize(("check", "status"), [(WHOLE, "passed"), (BLOCKS, "missing")])
def test_without_channels_blocks_are_a_wish(check: str, status: str, tmp_path: Path) -> None:
    axes = ("batch", "y", "x")
    package = tiny.write(tmp_path / "package", WithoutChannels(), axes=axes, preprocessing=[])
    assert result_of(check, package).status == status


def second_input(description: tiny.Description) -> None:
    [given] = description["inputs"]
    description["inputs"].append(given | {"id": "other", "optional": True})


@pytest.mark.parametrize("check", [WHOLE, BLOCKS])
def test_several_inputs_are_not_judged(check: str, tmp_path: Path) -> None:
    result = result_of(check, built(tmp_path, second_input))
    assert result == CheckResult("n/a", "It has several inputs.")


def test_of_a_fixed_size_only_the_test_input_is_predicted(tmp_path: Path) -> None:
    package = tiny.write(tmp_path / "package", tiny_networks.Blur(), size=32, halo=None)
    assert result_of(BLOCKS, package).status == "n/a"
    assert set(result_of(WHOLE, package).values) == {"test input"}


def test_large_blocks_of_volumes_are_not_tried(tmp_path: Path) -> None:
    package = tiny.write(
        tmp_path / "package",
        tiny_networks.Blur(ndim=3),
        axes=("batch", "channel", "z", "y", "x"),
        size={"min": 16, "step": 16},
    )
    assert "1x1x176x176x176 take too long" in result_of(BLOCKS, package).detail


# deepImageJ and ilastik -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (drop_id, "cannot read it: give it an id"),
        (add_scales, "resizes by the scale of the output's axes (y 0.08, x 0.08)"),
    ],
)
def test_what_bars_deepimagej_in_the_description_fails(
    spoil: Spoil, reason: str, tmp_path: Path
) -> None:
    result = result_of("deepImageJ", built(tmp_path, spoil))
    assert result.status == "failed"
    assert reason in result.detail


def add_softmax(description: tiny.Description) -> None:
    description["outputs"][0]["postprocessing"] = [{"id": "softmax"}]


def double_the_size(description: tiny.Description) -> None:
    for axis in description["outputs"][0]["axes"][2:]:
        axis["scale"] = 0.5


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(add_softmax, "does not know softmax"), (double_the_size, "resizes y by 0.5")],
)
def test_what_a_network_is_does_not_fail_for_deepimagej(
    spoil: Spoil, reason: str, tmp_path: Path
) -> None:
    result = result_of("deepImageJ", built(tmp_path, spoil))
    assert result.status == "missing"
    assert reason in result.detail


@pytest.mark.parametrize(("release", "status"), [("2.0.1", "passed"), ("2.1.0", "missing")])
def test_deepimagej_runs_torchscript_up_to_2_0(release: str, status: str, tmp_path: Path) -> None:
    def only_torchscript(description: tiny.Description) -> None:
        entry = {**description["weights"]["torchscript"], "pytorch_version": release}
        description["weights"] = {"torchscript": {k: v for k, v in entry.items() if k != "parent"}}

    assert result_of("deepImageJ", built(tmp_path, only_torchscript)).status == status


def rename_an_axis(description: tiny.Description) -> None:
    for tensor in (description["inputs"][0], description["outputs"][0]):
        tensor["axes"][2]["id"] = "r"
    description["outputs"][0]["axes"][2]["size"]["axis_id"] = "r"


def test_ilastik_knows_its_own_axes_only(tmp_path: Path) -> None:
    result = result_of("ilastik", built(tmp_path, rename_an_axis))
    assert result == CheckResult("missing", "ilastik (tiktorch 26.5) does not know the axis 'r'.")


# Tolerances, TIFF, pixel size -------------------------------------------------------------------

FAINT = "(lambda x: x * 1e-3)"


def test_a_faint_output_needs_a_smaller_tolerance(tmp_path: Path) -> None:
    result = result_of("tolerances", built(tmp_path, change=FAINT))
    assert result.status == "failed"
    assert "refuses the absolute tolerance 0.001 of 'output'" in result.detail


def state_a_small_tolerance(description: tiny.Description) -> None:
    description["config"]["bioimageio"]["reproducibility_tolerance"] = [
        {"absolute_tolerance": 1e-7}
    ]


def test_a_small_tolerance_suits_a_faint_output(tmp_path: Path) -> None:
    package = built(tmp_path, state_a_small_tolerance, FAINT)
    assert result_of("tolerances", package).status == "passed"


@pytest.mark.parametrize(
    ("channels", "status"),
    [(("a", "b"), "passed"), (("a", "b", "c"), "missing"), (("a", "b", "c", "d"), "missing")],
)
def test_three_and_four_channels_become_colours(
    channels: tuple[str, ...], status: str, tmp_path: Path
) -> None:
    network = tiny_networks.Blur(outputs=len(channels))
    package = tiny.write(tmp_path / "package", network, channels=channels)
    assert result_of("TIFF of bioimageio predict", package).status == status


def test_pillow_cannot_open_what_core_writes_of_three_channels(tmp_path: Path) -> None:
    values = np.zeros((1, 3, 64, 48), np.float32)
    tensor = Tensor(values, dims=[AxisId(name) for name in tiny.CHANNEL_FIRST])
    save_tensor(tmp_path / "three.tif", tensor)
    with pytest.raises(UnidentifiedImageError):
        Image.open(tmp_path / "three.tif")


def drop_pixel_size(description: tiny.Description) -> None:
    del description["config"]["restoration_zoo"]


def lower_min(description: tiny.Description) -> None:
    for axis in description["inputs"][0]["axes"][2:]:
        axis["size"]["min"] = 40  # the spec itself asks for more than 2 * halo


@pytest.mark.parametrize(
    ("spoil", "wish"),
    [
        (drop_pixel_size, "no pixel size in config.restoration_zoo.pixel_size_um"),
        (halo_of(None), "no halo along y"),
        (halo_of(8), "make the halo of 8 a multiple of the step 16 along y, x"),
        (lower_min, "min along y is less than 2 * halo + step"),
    ],
)
def test_wishes_for_pixel_size_and_halo(spoil: Spoil, wish: str, tmp_path: Path) -> None:
    result = result_of("pixel sizes and halo", built(tmp_path, spoil))
    assert result.status == "missing"
    assert wish in result.detail


def test_a_pixel_size_on_the_axes_will_do(tmp_path: Path) -> None:
    def move(description: tiny.Description) -> None:
        drop_pixel_size(description)
        add_scales(description)

    assert result_of("pixel sizes and halo", built(tmp_path, move)).status == "passed"
