import pytest
import xarray as xr

from imaging.remarks import Remark, Remarks, remarks_of, with_remarks


def test_one_sentence_about_several_images_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    remarks = Remarks()
    for name in "abcde":
        remarks.add(name, [Remark("They are clipped.", f"{name} %")])
    remarks.say()
    assert capsys.readouterr().out == (
        "5 images (a: a %; b: b %; c: c %; and 2 more): They are clipped.\n"
    )


def test_an_image_without_detail_is_named_alone() -> None:
    remarks = Remarks()
    remarks.add("a", [Remark("It is empty.")])
    assert remarks.entries[0].where == "1 image (a)"


def test_remarks_of_others_join_the_same_sentence() -> None:
    remarks, others = Remarks(), Remarks()
    remarks.add("a", [Remark("One.")])
    others.add("b", [Remark("One.", "2 %"), Remark("Two.")])
    remarks.update(others)
    assert [(entry.sentence, entry.images) for entry in remarks.entries] == [
        ("One.", {"a": "", "b": "2 %"}),
        ("Two.", {"b": ""}),
    ]


def test_remarks_stay_with_an_image_that_is_cut() -> None:
    image = xr.DataArray([[1, 2], [3, 4]], dims=("y", "x"))
    image = with_remarks(with_remarks(image, [Remark("One.")]), [Remark("Two.")])
    assert remarks_of(image.isel(y=0)) == (Remark("One."), Remark("Two."))
