"""Draw which structures of a restored image are to be believed, as its package promises."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from imaging import images
from imaging.cli import UserError
from imaging.files import first_fault
from imaging.structures import paint
from imaging.tiles import AxisGeometry, Window, windows
from imaging.trust_mask import TrustMask
from packages.package import Package

_WINDOW_PX = 2048
_OVERLAP = 16  # radii of a piece: what lies further away does not change where a piece lies


def read_trust_mask(package: Package) -> TrustMask:
    """Read what a package promises of the structures that it restores.

    Parameters
    ----------
    package
        An open package.

    Returns
    -------
    TrustMask
        As ``config.restoration_zoo.trust_mask`` of its rdf.yaml says.

    Raises
    ------
    UserError
        It says nothing, or something odd.
    """
    stated = package.own_entries.get("trust_mask")
    if stated is None:
        raise UserError(
            f"{package.path} promises nothing of structures, so there is no trust mask: calibrate "
            "its weights (`python -m training calibrate`), and build it again from the result."
        )
    try:
        return TypeAdapter(TrustMask).validate_python(stated)
    except ValidationError as error:
        raise UserError(
            f"{package.path}: config.restoration_zoo.trust_mask of its rdf.yaml cannot be used, "
            f"{first_fault(error)}: build the package again, or leave --trust-mask out."
        ) from error


def write_mask(restored: Path, out: Path, trust: TrustMask, channels: Mapping[str, int]) -> None:
    """Draw the trust mask of a restored image, block by block.

    Parameters
    ----------
    restored
        The file that was written.
    out
        File to write: whole numbers of 8 bits, on the pixels of the restored image.
    trust
        What its package promises.
    channels
        Which channels of `restored` are restored images, by name; the only one may have none.
    """
    image = images.read(restored, lazy=True)
    several = len(channels) > 1
    sizes = {str(dim): size for dim, size in image.sizes.items()} | {"c": len(channels)}
    dims = [str(dim) for dim in image.dims if dim != "c" or several]
    outer = [dim for dim in dims if dim not in "cyx"]
    with images.create(
        out,
        dims=dims,
        shape=[sizes[dim] for dim in dims],
        dtype="uint8",
        pixel_size_um=image.attrs["pixel_size_um"],
        channels=list(channels) if several else None,
        interval_s=image.attrs.get("interval_s"),
        annotations={"trust_mask": trust.sentence},
    ) as drawn:
        for places in itertools.product(*(range(sizes[dim]) for dim in outer)):
            for number, channel in enumerate(channels.values()):
                here = dict(zip(outer, places, strict=True))
                plane = image.isel(here | ({"c": channel} if "c" in image.dims else {}))
                at = here | ({"c": number} if several else {})
                for y, x in _windows(plane.shape, trust.scale_px):
                    window = plane[y.start : y.stop, x.start : x.stop].values
                    mask = paint(window, trust.levels, trust.scale_px)
                    index = at | {"y": y.place, "x": x.place}
                    drawn[tuple(index[dim] for dim in dims)] = mask[y.keep, x.keep]


def _windows(shape: tuple[int, ...], scale_px: int) -> Iterator[tuple[Window, ...]]:
    """Yield windows that overlap, whose kept parts cover a plane."""
    axis = AxisGeometry(minimum=1, step=1, halo=_OVERLAP * scale_px)
    return itertools.product(*(windows(length, axis, _WINDOW_PX) for length in shape))
