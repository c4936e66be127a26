from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from imaging import images
from imaging.remarks import remarks_of
from tests.small_images import ramp

OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" Name="cell">
<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="5" SizeY="4" SizeC="2" SizeZ="3"
SizeT="1" PhysicalSizeX="0.08" PhysicalSizeY="0.08" PhysicalSizeZ="0.25">
<Channel ID="Channel:0:0" Name="red"/><Channel ID="Channel:0:1" Name="green"/>
<TiffData/></Pixels></Image></OME>"""
PIXELS = ramp((6, 4, 5))


def ome(path: Path, *changes: tuple[str, str], cut: int | None = None) -> Any:
    """Write six planes under OME-XML with something replaced, or cut off, and read them."""
    xml = OME
    for old, new in changes:
        assert old in xml
        xml = xml.replace(old, new)
    tifffile.imwrite(path, PIXELS, description=xml[:cut].encode(), metadata=None)
    return images.read(path)


def test_planes_of_ome_are_in_the_order_that_it_states(tmp_path: Path) -> None:
    fast_channels = ome(tmp_path / "czt.ome.tif")
    fast_z = ome(tmp_path / "zct.ome.tif", ("XYCZT", "XYZCT"))
    assert fast_channels.dims == fast_z.dims == ("c", "z", "y", "x")
    np.testing.assert_array_equal(fast_channels.values, PIXELS.reshape(3, 2, 4, 5).swapaxes(0, 1))
    np.testing.assert_array_equal(fast_z.values, PIXELS.reshape(2, 3, 4, 5))
    assert fast_z["c"].values.tolist() == ["red", "green"]
    assert remarks_of(fast_z) == ()


@pytest.mark.parametrize(
    ("length", "unit", "expected"),
    [
        ("0,08", "", 0.08),
        (" 8e-2 ", "", 0.08),
        ("80", 'PhysicalSizeXUnit="nm"', 0.08),
        ("800", 'PhysicalSizeXUnit="Å"', 0.08),
        ("0.00008", 'PhysicalSizeXUnit="mm"', 0.08),
        ("0.08", 'PhysicalSizeXUnit="Âµm"', 0.08),
        ("0.001", 'PhysicalSizeXUnit="thou"', 0.0254),
    ],
)
def test_lengths_of_ome(tmp_path: Path, length: str, unit: str, expected: float) -> None:
    stated = ('PhysicalSizeX="0.08"', f'PhysicalSizeX="{length}" {unit}')
    found = ome(tmp_path / "lengths.ome.tif", stated)
    assert found.attrs["pixel_size_um"] == pytest.approx({"z": 0.25, "y": 0.08, "x": expected})
    assert remarks_of(found) == ()


@pytest.mark.parametrize(
    ("stated", "detail"),
    [
        ('PhysicalSizeX="-0.08"', "x: -0.08 'µm'"),
        ('PhysicalSizeX="NaN"', "x: NaN 'µm'"),
        ('PhysicalSizeX="INF"', "x: INF 'µm'"),
        ('PhysicalSizeX="about 3"', "x: about 3 'µm'"),
        ('PhysicalSizeX="3" PhysicalSizeXUnit="furlong"', "x: 3 'furlong'"),
    ],
)
def test_a_length_of_ome_that_cannot_be_is_remarked_on(
    tmp_path: Path, stated: str, detail: str
) -> None:
    found = ome(tmp_path / "odd.ome.tif", ('PhysicalSizeX="0.08"', stated))
    assert found.attrs["pixel_size_um"] == {"z": 0.25, "y": 0.08}
    assert [remark.detail for remark in remarks_of(found)] == [detail]


@pytest.mark.parametrize("length", ["300", "0.00008"])
def test_a_pixel_size_of_no_microscope_is_remarked_on(tmp_path: Path, length: str) -> None:
    stated = ('PhysicalSizeX="0.08"', f'PhysicalSizeX="{length}"')
    found = ome(tmp_path / "odd.ome.tif", stated)
    assert found.attrs["pixel_size_um"]["x"] == float(length)
    assert [remark.detail for remark in remarks_of(found)] == [f"x: {float(length):g} µm"]


@pytest.mark.parametrize(
    "stated",
    ['PhysicalSizeX="0"', 'PhysicalSizeX="1" PhysicalSizeXUnit="reference frame"', ""],
)
def test_files_that_say_that_they_do_not_know_are_not_remarked_on(
    tmp_path: Path, stated: str
) -> None:
    found = ome(tmp_path / "unknown.ome.tif", ('PhysicalSizeX="0.08"', stated))
    assert found.attrs["pixel_size_um"] == {"z": 0.25, "y": 0.08}
    assert remarks_of(found) == ()


DAMAGE: dict[str, tuple[tuple[str, str], ...]] = {
    "ampersand": (("cell", "cell & nucleus"),),
    "angle": (("red", "<red"),),
    "no order": (('DimensionOrder="XYCZT"', ""),),
    "odd order": (("XYCZT", "XYCZQ"),),
    "no size": (('SizeC="2"', ""),),
    "odd size": (('SizeC="2"', 'SizeC="two"'),),
    "no size at all": (('SizeC="2"', 'SizeC="0"'),),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_damaged_ome_metadata_leave_the_pixels(
    tmp_path: Path, kind: str, compression: str | None
) -> None:
    path = tmp_path / "damaged.ome.tif"
    ((old, new),) = DAMAGE[kind]
    xml = OME.replace(old, new).encode()
    tifffile.imwrite(path, PIXELS, description=xml, metadata=None, compression=compression)
    found = images.read(path)
    np.testing.assert_array_equal(found.values, PIXELS)
    assert ["OME metadata are damaged" in remark.sentence for remark in remarks_of(found)] == [True]


@pytest.mark.parametrize("cut", [200, 420, -8])
def test_ome_metadata_that_are_cut_off(tmp_path: Path, cut: int) -> None:
    found = ome(tmp_path / "cut.ome.tif", cut=cut)
    np.testing.assert_array_equal(found.values, PIXELS)
    assert ["OME metadata are damaged" in remark.sentence for remark in remarks_of(found)] == [True]


def test_ome_metadata_of_another_encoding_than_they_say(tmp_path: Path) -> None:
    path = tmp_path / "latin.ome.tif"
    xml = OME.replace('PhysicalSizeX="0.08"', 'PhysicalSizeX="0.08" PhysicalSizeXUnit="µm"')
    tifffile.imwrite(path, PIXELS, description=xml.encode("latin-1"), metadata=None)
    found = images.read(path)
    assert found.attrs["pixel_size_um"]["x"] == 0.08
    assert remarks_of(found) == ()


def test_ome_metadata_of_no_encoding(tmp_path: Path) -> None:
    path = tmp_path / "bytes.ome.tif"
    xml = OME.encode().replace(b"cell", b"cell \x81\x8d")
    tifffile.imwrite(path, PIXELS, description=xml, metadata=None)
    found = images.read(path)
    np.testing.assert_array_equal(found.values, PIXELS)
    assert ["OME metadata are damaged" in remark.sentence for remark in remarks_of(found)] == [True]


def test_ome_metadata_with_something_behind_them(tmp_path: Path) -> None:
    found = ome(tmp_path / "comment.ome.tif", ("</OME>", "</OME>\n<!-- written by hand -->\n"))
    assert found.dims == ("c", "z", "y", "x")
    assert found.attrs["pixel_size_um"]["x"] == 0.08


@pytest.mark.parametrize("description", ["cell 7 & 8", "<note>A home</note>", "a ZOME>"])
def test_descriptions_that_are_not_ome(tmp_path: Path, description: str) -> None:
    path = tmp_path / "described.tif"
    tifffile.imwrite(path, PIXELS, description=description, metadata=None)
    found = images.read(path)
    np.testing.assert_array_equal(found.values, PIXELS)


def test_fewer_planes_than_pages_are_remarked_on(tmp_path: Path) -> None:
    found = ome(tmp_path / "fewer.ome.tif", ('SizeC="2"', 'SizeC="1"'))
    assert found.shape == (3, 4, 5)
    assert [remark.detail for remark in remarks_of(found)] == ["3 of 6"]


def test_more_planes_than_pages_are_remarked_on(tmp_path: Path) -> None:
    found = ome(tmp_path / "more.ome.tif", ('SizeC="2"', 'SizeC="3"'))
    assert found.dims == ("z", "y", "x")
    np.testing.assert_array_equal(found.values, PIXELS)
    assert found.attrs["pixel_size_um"]["x"] == 0.08
    assert [remark.detail for remark in remarks_of(found)] == ["6 of 9"]


def test_of_damaged_ome_metadata_the_pixel_size_may_be_left(tmp_path: Path) -> None:
    found = ome(tmp_path / "half.ome.tif", ('DimensionOrder="XYCZT"', ""))
    assert found.attrs["pixel_size_um"] == {"z": 0.25, "y": 0.08, "x": 0.08}


def test_metadata_in_a_companion_file_are_remarked_on(tmp_path: Path) -> None:
    path = tmp_path / "companion.ome.tif"
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><BinaryOnly '
        'MetadataFile="set.companion.ome" UUID="urn:uuid:0"/></OME>'
    )
    tifffile.imwrite(path, PIXELS, description=xml, metadata=None)
    found = images.read(path)
    np.testing.assert_array_equal(found.values, PIXELS)
    assert "set.companion.ome" in [remark.detail for remark in remarks_of(found)]


def imagej(path: Path, description: str, **options: Any) -> Any:
    """Write three planes as ImageJ does, with a description of one's own, and read them."""
    text = f"ImageJ=1.54f\nimages=3\nslices=3\n{description}\n".encode()
    options = {"resolution": (12.5, 12.5), "resolutionunit": "NONE"} | options
    tifffile.imwrite(
        path, PIXELS[:3], description=text, metadata=None, photometric="minisblack", **options
    )
    return images.read(path)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("unit=micron\nspacing=-0.5", {"z": 0.5, "y": 0.08, "x": 0.08}),
        ("unit=um\nspacing=0,5", {"z": 0.5, "y": 0.08, "x": 0.08}),
        ("unit=um\nspacing=5e-1", {"z": 0.5, "y": 0.08, "x": 0.08}),
        ("unit=um\nspacing=0", {"y": 0.08, "x": 0.08}),
        ("unit=Âµm", {"y": 0.08, "x": 0.08}),
        ("unit=?m", {"y": 0.08, "x": 0.08}),
        ("unit=um\nyunit=thou\nzunit=mm\nspacing=2", {"z": 2000.0, "y": 2.032, "x": 0.08}),
        ("unit=pixel\nspacing=1.0", {}),
        ("spacing=1.0", {}),
    ],
)
def test_calibrations_of_imagej(
    tmp_path: Path, description: str, expected: dict[str, float]
) -> None:
    found = imagej(tmp_path / "imagej.tif", description)
    assert found.attrs["pixel_size_um"] == pytest.approx(expected)
    assert remarks_of(found) == ()


def test_without_a_unit_imagej_takes_that_of_the_tags(tmp_path: Path) -> None:
    found = imagej(
        tmp_path / "cm.tif", "spacing=0.00005", resolution=(125e3, 125e3), resolutionunit=3
    )
    assert found.attrs["pixel_size_um"] == pytest.approx({"z": 0.5, "y": 0.08, "x": 0.08})


def test_an_imagej_unit_of_time_is_remarked_on(tmp_path: Path) -> None:
    found = imagej(tmp_path / "kymograph.tif", "unit=um\nyunit=sec")
    assert found.attrs["pixel_size_um"] == {"x": 0.08}
    assert [remark.detail for remark in remarks_of(found)] == ["y: 0.08 'sec'"]


def test_a_print_resolution_that_imagej_kept_is_none(tmp_path: Path) -> None:
    found = imagej(
        tmp_path / "dpi.tif", "unit=inch\nspacing=1.0", resolution=(300, 300), resolutionunit=2
    )
    assert found.attrs["pixel_size_um"] == {}


@pytest.mark.parametrize(
    ("resolution", "unit"),
    [
        ((1, 1), "INCH"),
        ((1, 1), "CENTIMETER"),
        ((0, 0), "INCH"),
        ((118.11, 118.11), "CENTIMETER"),  # 300 per inch
        ((1200, 1200), "INCH"),
    ],
)
def test_resolutions_of_no_microscope_are_unknown(
    tmp_path: Path, resolution: tuple[float, float], unit: str
) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, PIXELS, resolution=resolution, resolutionunit=unit, metadata=None)
    found = images.read(path)
    assert (found.attrs["pixel_size_um"], remarks_of(found)) == ({}, ())


def test_the_pixel_size_is_that_of_the_image_that_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for width, size_um in ((50, 0.1), (30, 0.3)):
            sizes = {"PhysicalSizeX": size_um, "PhysicalSizeY": size_um}
            writer.write(ramp((40, width)), metadata={"axes": "YX"} | sizes)
    found = images.read(tmp_path / "two.ome.tif#2")
    assert found.shape == (40, 30)
    assert found.attrs["pixel_size_um"] == {"y": 0.3, "x": 0.3}
