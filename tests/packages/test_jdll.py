"""Tiles and rules of JDLL; the numbers follow its Java by hand."""

from typing import Any

import pytest

from packages.checks import jdll
from packages.checks.jdll import TiledAxis

Content = dict[str, Any]


def content(
    *,
    minimum: int = 160,
    step: int = 32,
    halo: int = 64,
    input_scale: float = 1,
    output_scale: float = 1,
    offset: int = 0,
    identity: str | None = "tiny-network",
) -> Content:
    """Describe one image in, one image out."""
    reference = {"tensor_id": "input", "offset": offset}
    before = [
        {"type": "space", "id": a, "size": {"min": minimum, "step": step}, "scale": input_scale}
        for a in "yx"
    ]
    after = [
        {
            "type": "space",
            "id": a,
            "size": reference | {"axis_id": a},
            "scale": output_scale,
            "halo": halo,
        }
        for a in "yx"
    ]
    batch = {"type": "batch", "id": "batch"}
    return {
        "id": identity,
        "inputs": [{"id": "input", "axes": [batch, *before]}],
        "outputs": [{"id": "output", "axes": [batch, *after]}],
    }


@pytest.mark.parametrize(
    ("length", "minimum", "step", "halo", "expected"),
    [
        (2048, 208, 16, 96, 2240),  # 2240 / 16 = 140
        (300, 160, 32, 64, 416),  # 428 / 32 = 13.4, cut to 13
        (100, 208, 16, 96, 288),  # 292 / 16 = 18.3, cut to 18; 288 are less than 3 * 100
        (40, 16, 16, 48, 112),  # 136 / 16 = 8.5: 128 are more than 120, one step less are not
        (20, 32, 16, 64, 32),  # 144 and 128 are more than 60; without the halo 32
        (100, 320, 32, 128, 320),  # 352 are more than 300, so are 320, and 128 are below min
        (100, 256, 0, 0, 256),  # a fixed size
    ],
)
def test_tiles_are_those_of_the_java(
    length: int, minimum: int, step: int, halo: int, expected: int
) -> None:
    assert jdll.tile(length, TiledAxis("y", minimum, step, halo=halo)) == expected


@pytest.mark.parametrize(("length", "refused"), [(106, True), (107, False)])
def test_an_image_is_too_small_for_more_than_three_of_it(length: int, refused: bool) -> None:
    # 106 + 256 are 362, 11 steps are 352 and 10 are 320 of 318; 107 allow 321.
    assert jdll.too_small(length, TiledAxis("y", 320, 32, halo=128)) is refused


def test_a_halo_is_divided_by_the_scale() -> None:
    assert TiledAxis("y", 160, 32, scale=0.5, halo=64).input_halo == 128


def test_a_good_description_has_no_fault() -> None:
    good = content()
    rules = (
        jdll.lacks_id,
        jdll.misread_axes,
        jdll.physical_scales,
        jdll.other_sizes,
        jdll.untiled_images,
        jdll.refused_images,
    )
    assert [rule(good) for rule in rules] == [[]] * len(rules)


def test_an_id_is_needed() -> None:
    assert jdll.lacks_id(content(identity=None)) == ["cannot read it: give it an id"]


def test_a_nickname_will_do() -> None:
    named = content(identity=None) | {"config": {"bioimageio": {"nickname": "tiny"}}}
    assert jdll.lacks_id(named) == []


def test_pixel_sizes_are_taken_for_resizing() -> None:
    [fault] = jdll.physical_scales(content(input_scale=0.08, output_scale=0.08))
    assert "output's axes (y 0.08, x 0.08)" in fault


def test_twice_the_size_by_half_the_scale_is_misread() -> None:
    wrong = jdll.other_sizes(content(output_scale=0.5))
    assert len(wrong) == 2
    assert "by 0.5, the network by 2: a scale of 4 for the input and 2 for the output" in wrong[0]


def test_twice_the_size_can_be_said_so_that_both_agree() -> None:
    assert jdll.other_sizes(content(input_scale=4, output_scale=2)) == []


def test_an_offset_is_added_on_both_sides() -> None:
    assert jdll.other_sizes(content(offset=-8)) == [
        "adds the offset along y twice",
        "adds the offset along x twice",
    ]


def test_min_must_be_a_multiple_of_step() -> None:
    faults = jdll.untiled_images(content(minimum=200))
    assert "tiles of 384 pixels along y are not 200 + n * 32" in " ".join(faults)


def test_something_must_be_left_of_a_tile() -> None:
    # 100 + 256 are 356, in steps of 128 they are 256, and twice the halo as many.
    faults = jdll.untiled_images(content(minimum=128, step=128, halo=128))
    assert "nothing is left of its tiles of 256 pixels along y" in faults[0]


def test_small_images_that_are_refused_are_named() -> None:
    assert jdll.refused_images(content(minimum=320, halo=128)) == [
        "refuses images of 100 pixels and less as too small"
    ]


def test_long_ids_are_read_letter_by_letter() -> None:
    timed = content()
    timed["inputs"][0]["axes"].append({"type": "time", "id": "time", "size": 5})
    [fault] = jdll.misread_axes(timed)
    assert "'time' of 'input'" in fault


def test_a_size_that_refers_to_another_is_taken_for_one_pixel() -> None:
    square = content()
    square["inputs"][0]["axes"][2]["size"] = {"tensor_id": "input", "axis_id": "y"}
    [fault] = jdll.misread_axes(square)
    assert "takes 'x' of 'input'" in fault


def test_tensors_without_an_id_are_judged_too() -> None:
    space = {"type": "space", "id": "long", "size": {"axis_id": "y"}}
    found = jdll.misread_axes({"inputs": [{"axes": [space]}], "outputs": [{"axes": []}]})
    assert len(found) == 2
