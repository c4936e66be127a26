"""Selections written by roifile; ImageJ's integer coordinates of points and lines are centres."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile

from imaging.cli import UserError
from tests.benchmark.annotation.marked import imported

PLACES = [[10, 20], [30.5, 40.25]]


def roi(kind: str, places: Any = PLACES, **fields: Any) -> roifile.ImagejRoi:
    made = roifile.ImagejRoi.frompoints(np.array(places, np.float32))
    made.roitype = roifile.ROI_TYPE[kind]
    for name, value in {"name": kind, **fields}.items():
        setattr(made, name, value)
    return made


def written(folder: Path, *rois: roifile.ImagejRoi) -> Path:
    roifile.roiwrite(folder / "RoiSet.zip", rois, name=[made.name for made in rois])
    return folder / "RoiSet.zip"


@pytest.mark.parametrize("kind", ["POLYLINE", "FREELINE"])
def test_vertices_are_counted_from_the_centre_of_the_first_pixel(tmp_path: Path, kind: str) -> None:
    file = written(tmp_path, roi(kind, z_position=3))
    (line,) = imported(tmp_path, lines=[f"shaft={file}"]).lines
    assert line.x_um == pytest.approx([1.0, 3.05])
    assert line.y_um == pytest.approx([4.0, 8.05])
    assert line.plane.tolist() == [2, 2]


def test_coordinate_0_is_the_centre_of_the_first_pixel(tmp_path: Path) -> None:
    file = written(tmp_path, roi("POINT", [[0, 0]], position=1))
    (point,) = imported(tmp_path, points=[f"spine={file}"]).points
    assert (point.x_um, point.y_um, point.plane) == (0, 0, 0)


def test_whole_pixels_are_counted_from_the_image_not_from_the_selection(tmp_path: Path) -> None:
    whole = roifile.ImagejRoi.frompoints(np.array([[10, 20], [12, 25]], np.int32))
    whole.roitype, whole.name, whole.position = roifile.ROI_TYPE.POINT, "two", 1
    found = imported(tmp_path, points=[f"spine={written(tmp_path, whole)}"]).points
    assert [(point.x_um, point.y_um) for point in found] == [(1.0, 4.0), (1.2, 5.0)]


def test_a_straight_line_has_its_two_ends(tmp_path: Path) -> None:
    straight = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE, name="straight", position=2)
    straight.x1, straight.y1, straight.x2, straight.y2 = 1, 2, 3.5, 4
    straight.version = 228
    (line,) = imported(tmp_path, lines=[f"shaft={written(tmp_path, straight)}"]).lines
    assert line.x_um == pytest.approx([0.1, 0.35])
    assert line.y_um == pytest.approx([0.4, 0.8])
    assert line.plane.tolist() == [1, 1]


def test_each_of_several_points_has_its_own_plane(tmp_path: Path) -> None:
    counters = {"counters": np.zeros(2, np.uint8), "counter_positions": np.array([1, 4], np.uint32)}
    file = written(tmp_path, roi("POINT", **counters))
    found = imported(tmp_path, points=[f"spine={file}"]).points
    assert [(point.object, point.plane) for point in found] == [("spine 1", 0), ("spine 2", 3)]


@pytest.mark.parametrize(("position", "plane"), [(1, 0), (2, 0), (3, 1), (8, 3)])
def test_slices_of_a_stack_with_channels_count_these(
    tmp_path: Path, position: int, plane: int
) -> None:
    file = written(tmp_path, roi("POINT", [[1, 1]], position=position))
    (point,) = imported(tmp_path, "czyx", points=[f"spine={file}"]).points
    assert point.plane == plane


def test_a_plane_needs_no_position(tmp_path: Path) -> None:
    roifile.roiwrite(tmp_path / "a.roi", roi("POINT", [[1, 1]]))
    assert imported(tmp_path, "yx", points=[f"spine={tmp_path / 'a.roi'}"]).points[0].plane == 0


def test_one_file_gives_points_and_lines_and_areas_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ("POINT", "POLYLINE", "POLYGON")
    file = written(tmp_path, *(roi(kind, position=1) for kind in kinds))
    found = imported(tmp_path, points=[f"spine={file}"], lines=[f"shaft={file}"])
    assert [len(found.points), len(found.lines)] == [2, 1]
    said = capsys.readouterr().out
    assert "1 polyline, 1 polygon not taken as points." in said
    assert "1 point, 1 polygon not taken as lines." in said


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "selection 'POINT' stands in no plane of the 4"),
        ({"position": 9}, "selection 'POINT': mark 'spine 1' in plane 8 lies outside"),
        ({"t_position": 2}, "stands at time point 2"),
    ],
)
def test_a_selection_without_its_place_is_refused(
    tmp_path: Path, fields: dict[str, int], sentence: str
) -> None:
    file = written(tmp_path, roi("POINT", **fields))
    with pytest.raises(UserError, match=sentence):
        imported(tmp_path, points=[f"spine={file}"])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UserError, match=r"a\.zip holds no selections of ImageJ"):
        imported(tmp_path, points=[f"spine={tmp_path / 'a.zip'}"])
