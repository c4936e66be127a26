from pathlib import Path
from typing import Any

import pytest

from imaging.cli import UserError
from tests.benchmark.annotation.marked import imported

# A soma of three nodes from which a neurite comes that forks, and a node by itself.
TREE = """# traced by hand
1 1 1.0 1.0 0.0 0.5 -1
2 1 1.0 0.5 0.0 0.5 1
3 1 1.0 1.5 0.0 0.5 1
4 3 2.0 1.0 0.0 0.1 1   # the stem
5 3 3.0 1.0 2.1 0.1 4
6 3 4.0 2.0 2.0 0.1 5
7 3 4.0 0.5 3.9 0.1 5
8 3 5.0 0.5 4.0 0.1 7

9 0 6.0 6.0 6.0 0.1 -1
"""


def of(folder: Path, text: str, **options: str) -> list[str]:
    file = folder / "a.swc"
    file.write_text(text)
    given: dict[str, Any] = {shape: [f"{kind}={file}"] for shape, kind in options.items()}
    found = imported(folder, **given)
    places = [
        f"{x:g} {y:g} {z}"
        for line in found.lines
        for x, y, z in [*zip(line.x_um, line.y_um, line.plane, strict=True), (0, 0, line.object)]
    ]
    return places + [f"{p.object}: {p.x_um:g} {p.y_um:g} {p.plane}" for p in found.points]


def test_branches_reach_from_fork_to_fork_and_depths_are_in_planes(tmp_path: Path) -> None:
    assert of(tmp_path, TREE, lines="dendrite") == [
        *("1 1 0", "2 1 0", "3 1 1", "0 0 dendrite 1"),
        *("3 1 1", "4 2 1", "0 0 dendrite 2"),
        *("3 1 1", "4 0.5 2", "5 0.5 2", "0 0 dendrite 3"),
    ]


def test_single_nodes_are_points(tmp_path: Path) -> None:
    assert of(tmp_path, TREE, points="seed") == ["seed 1: 6 6 3"]


def test_what_is_no_branch_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of(tmp_path, TREE, lines="dendrite")
    assert "1 single node, 2 soma outlines not taken as lines." in capsys.readouterr().out


def test_children_may_stand_before_parents(tmp_path: Path) -> None:
    text = "2 3 2 1 0 1 1\n1 3 1 1 0 1 -1\n"
    assert of(tmp_path, text, lines="axon") == ["1 1 0", "2 1 0", "0 0 axon 1"]


def test_a_root_in_the_middle_divides_its_neurite(tmp_path: Path) -> None:
    text = "1 3 2 1 0 1 -1\n2 3 1 1 0 1 1\n3 3 3 1 0 1 1\n"
    assert of(tmp_path, text, lines="axon") == [
        *("2 1 0", "1 1 0", "0 0 axon 1"),
        *("2 1 0", "3 1 0", "0 0 axon 2"),
    ]


def test_depths_count_for_nothing_in_one_plane(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.swc").write_text(TREE)
    found = imported(tmp_path, "yx", lines=[f"axon={tmp_path / 'a.swc'}"])
    assert [line.plane.max() for line in found.lines] == [0, 0, 0]
    assert "depths, for the image has one plane" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 1 1 1 0 1 -1\n", r"holds no lines \(it holds 1 single node\)"),
        ("# nothing\n", "holds no lines"),
        ("1 3 1 1 0 1\n", "row 1: 6 values, where SWC has seven"),
        ("1 3 1 x 0 1 -1\n2 3 1 1 0 1 1\n", "row 1: y is 'x', not a number"),
        ("1 3 1 1 0 1 -1\n2 3 1 1 0 1 7\n", "row 2: there is no node 7"),
        ("1 3 1 1 0 1 -1\n1 3 1 1 0 1 1\n", "row 2: node 1 stands in row 1, too"),
        ("1 3 1 1 0 1 2\n2 3 1 1 0 1 1\n", "their own forebears"),
        ("1 3 1 1 0 1 -1\n2 3 50 1 0 1 1\n", "a.swc, row 1: mark 'axon 1' at x = 50 µm lies out"),
    ],
)
def test_a_tracing_that_cannot_be_right_is_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        of(tmp_path, text, lines="axon")
