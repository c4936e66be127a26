"""Images of any of the formats below as xarray, with named axes and pixel sizes in micrometres.

======================  ==========================================================================
.tif .tiff              plain, ImageJ hyperstack and OME-TIFF are read; ImageJ is written, or
                        OME-TIFF where ImageJ lacks the pixel type
.ome.tif .ome.tiff      OME-TIFF; of a recording in several files, each stands for its own planes
.btf .tf2 .tf8          BigTIFF, also .ome.btf and so on; only read
.lsm .stk               TIFF of Zeiss LSM microscopes and of MetaMorph; only read
.png                    one greyscale plane of 8 or 16 bits
.mrc .dv .r3d           MRC2014 is read and written; Priism and DeltaVision are read
.czi .nd2               Zeiss, Nikon; only read, by libraries of the extra ``formats``
.lif .lof .xlif         Leica; likewise
.oif .oib .ims          Olympus, Imaris; likewise
.zarr .ome.zarr         OME-Zarr 0.1 to 0.5 are read, 0.4 and 0.5 written
======================  ==========================================================================

Axes are b (time points, positions: whatever is processed one by one), c, z, y and x, in this order.
"""

import re
from collections.abc import Container, Generator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike
from xarray.core import indexing

from imaging.cli import UserError
from imaging.files import file_of, replacing, split_choice
from imaging.formats import czi, ims, lif, mrc, nd2, oif, ome_zarr, png, tiff
from imaging.formats.header import (
    DIMS,
    Format,
    Header,
    Storage,
    Writable,
    refuse_absurd,
)
from imaging.formats.lazy import Pixels, explained
from imaging.formats.microscopes import Microscope
from imaging.formats.ome_files import recording_of
from imaging.remarks import with_remarks

__all__ = ["create", "read", "write"]

_LARGEST = float(np.finfo(np.float32).max)  # models compute in float32
_TIFF = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
_OLYMPUS, _LEICA = Microscope("oiffile", oif.read), Microscope("liffile", lif.read)
_MICROSCOPES = {
    ".czi": Microscope("pylibCZIrw.czi", czi.read),
    ".nd2": Microscope("nd2", nd2.read),
    **dict.fromkeys((".lif", ".lof", ".xlif"), _LEICA),
    **dict.fromkeys((".oif", ".oib"), _OLYMPUS),
    ".ims": Microscope("h5py", ims.read),
}
_FORMATS: dict[str, Format] = {
    **_MICROSCOPES,
    **dict.fromkeys((*_TIFF, *(f".ome{suffix}" for suffix in _TIFF), ".lsm", ".stk"), tiff),
    **dict.fromkeys((".zarr", ".ome.zarr"), ome_zarr),
    ".png": png,
    **dict.fromkeys((".mrc", ".dv", ".r3d"), mrc),
}
SUFFIXES: tuple[str, ...] = tuple(sorted(_FORMATS, key=len, reverse=True))
_LISTS = (".xlef", ".xlcf")
_ZIPPED = (".zip", ".ozx", ".gz", ".7z", ".rar", ".tar")


def suffix_of(path: Path) -> str | None:
    """Find the ending that names an image's format.

    Parameters
    ----------
    path
        Any path; nothing is read.

    Returns
    -------
    str or None
        The longest of `SUFFIXES` the name ends with, as spelled in the name, with the number or
        name of an image in the file, or that of the Zarr folder it lies in; None if there is none.

    Examples
    --------
    >>> suffix_of(Path("cell.OME.tif")), suffix_of(Path("cell.tif#2")), suffix_of(Path("a.txt"))
    ('.OME.tif', '.tif#2', None)
    >>> suffix_of(Path("plate.zarr/A/1/0"))
    '.zarr'
    """
    whole = path.as_posix()  # names of images in a file may hold slashes
    ends = [len(whole), *(mark.start() for mark in re.finditer("#", whole))]
    for end, suffix in product(ends, SUFFIXES):  # the longer ones stand first
        if whole[:end].lower().endswith(suffix):
            return whole[end - len(suffix) :]
    return next(
        (folder.suffix for folder in path.parents if folder.suffix.lower() == ".zarr"), None
    )


def lacks_library(path: Path) -> bool:
    """Tell whether an image is of a format whose library is not installed."""
    format = _MICROSCOPES.get(path.suffix.lower())
    return format is not None and not format.installed


def absent(path: Path) -> UserError:
    """Return the sentence for a path at which nothing is."""
    start = path.parts[0] if path.parts else ""
    if start.endswith(":") and len(start) > 2:  # two are a drive of Windows
        address = str(path).replace(":/", "://", 1)
        return UserError(f"{address} is an address, and only files are read: download it first.")
    return UserError(f"{path} does not exist: check the path.")


def unknown_ending(path: Path) -> UserError:
    """Return the sentence for a file that is none of the formats by its name."""
    if path.suffix.lower() in _ZIPPED:
        return UserError(f"{path} is zipped: unpack it, and give what is inside.")
    if path.suffix.lower() in _LISTS:
        return UserError(f"{path} lists images of a project: give one of the .xlif files it names.")
    return UserError(f"{path} has no known ending: images end in {', '.join(sorted(SUFFIXES))}.")


def marks_of(path: Path, known: Container[str]) -> frozenset[str]:
    """Return what an image has in common with the other files of its recording, if anything.

    Parameters are those of `imaging.formats.ome_files.recording_of`.
    """
    return recording_of(file_of(path), known) if _format_of(path) is tiff else frozenset()


def read(path: Path, *, lazy: bool = False) -> xr.DataArray:
    """Read an image.

    Parameters
    ----------
    path
        A file (or folder, for OME-Zarr) with one of `SUFFIXES`. Of a TIFF file, or one of a
        microscope's formats, that holds several images, ``cell.tif#2`` is the second, and
        ``cell.czi#TR1`` the one of this name. Without either all of the largest are read, along
        b, and smaller versions and thumbnails passed over, which a remark says.
    lazy
        Leave the pixels in the file: indexing the result with ``isel`` and then ``.values`` reads
        that region only. PNG is decoded as a whole all the same.

    Returns
    -------
    xr.DataArray
        Axes out of b, c, z, y, x, in this order; y and x always, the others where longer than 1.
        The pixel type is the file's. ``attrs["pixel_size_um"]`` maps those of z, y and x whose
        pixel size is known to micrometres. The coordinate c holds the channels' names, if known.
        ``attrs["interval_s"]`` are the seconds between time points, where the file says them;
        ``attrs["origin_um"]`` where the first pixel lies, where an OME-Zarr says it;
        ``attrs["scenes"]`` the names of the images that were chosen from several in a file;
        ``attrs["remarks"]`` holds what `imaging.remarks.remarks_of` returns, if anything.

    Raises
    ------
    UserError
        The file is missing, damaged, cut off, in colour, empty, of unknown axes, of complex or
        yes/no pixels, or (not if `lazy`) holds NaN or infinity.
    """
    format = _format_of(path)
    path, choice = split_choice(path)
    if not path.exists():
        raise absent(path)
    of_several = tiff if format is tiff else _MICROSCOPES.get(path.suffix.lower())
    if choice is not None and of_several is None:
        raise UserError(f"{path} holds one image: leave #{choice} out.")
    if path.is_dir() != (format is ome_zarr):
        kind = "a folder" if path.is_dir() else "a file"
        raise UserError(f"{path} is {kind}, which {path.suffix} images are not: check the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise UserError(f"{path} is empty: copy or export it again.")
    with explained(path):
        header, pixels = (
            of_several.read(path, choice) if choice and of_several else format.read(path)
        )
    if not {"y", "x"} <= set(header.dims):
        raise UserError(f"{path} has no rows and columns of pixels: copy or export it again.")
    _refuse_dtype_and_shape(path, header.dtype, header.shape)
    if path.is_file():
        refuse_absurd(path, header.nbytes)

    array = Pixels(path, header, pixels)
    variable = xr.Variable(array.dims, indexing.LazilyIndexedArray(array))
    sizes = {dim: header.pixel_size_um[dim] for dim in array.dims if dim in header.pixel_size_um}
    image = with_remarks(xr.DataArray(variable, attrs={"pixel_size_um": sizes}), header.remarks)
    if header.interval_s is not None and "b" in array.dims:
        image.attrs["interval_s"] = header.interval_s
    if header.origin_um:
        image.attrs["origin_um"] = header.origin_um
    if header.scenes:
        image.attrs["scenes"] = header.scenes
    names = header.channels or []
    if len(names) == header.size("c"):
        image = image.assign_coords(c=("c", names) if "c" in image.dims else names[0])
    if not lazy:
        image = image.load()
        _refuse_nan(path, image.values)
    return image


def write(path: Path, image: xr.DataArray) -> None:
    """Write an image, whole or not at all.

    Parameters
    ----------
    path
        Its suffix chooses the format; what was there is replaced.
    image
        Axes out of b, c, z, y, x, with attributes and coordinates as `read` returns them.

    Raises
    ------
    UserError
        The format cannot hold the pixel type or the axes, or there is nothing to write,
        or it holds NaN or infinity.
    """
    dims = tuple(str(dim) for dim in image.dims)
    if unknown := [dim for dim in dims if dim not in DIMS]:
        raise UserError(f"{path}: the axis '{unknown[0]}' cannot be written; use b, c, z, y and x.")
    ordered = image.transpose(*(dim for dim in DIMS if dim in dims))
    channels = [str(name) for name in np.atleast_1d(image["c"])] if "c" in image.coords else None
    with create(
        path,
        dims=tuple(str(dim) for dim in ordered.dims),
        shape=ordered.shape,
        dtype=ordered.dtype,
        pixel_size_um=image.attrs.get("pixel_size_um", {}),
        channels=channels,
        interval_s=image.attrs.get("interval_s"),
        origin_um=image.attrs.get("origin_um"),
    ) as out:
        _refuse_nan(path, ordered.values)
        out[...] = ordered.values


@contextmanager
def create(
    path: Path,
    *,
    dims: Sequence[str],
    shape: Sequence[int],
    dtype: DTypeLike,
    pixel_size_um: Mapping[str, float],
    channels: Sequence[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    interval_s: float | None = None,
    origin_um: Mapping[str, float] | None = None,
    storage: Storage | None = None,
) -> Generator[Writable]:
    """Write an image region by region.

    TIFF and OME-Zarr go to the disk as they are written, so they may be larger than memory; PNG
    and MRC are collected in memory.

    Parameters
    ----------
    path
        Its suffix chooses the format. It appears when the context ends without an exception.
    dims
        Out of b, c, z, y, x, in this order.
    shape, dtype
        Of the whole.
    pixel_size_um
        Micrometres per pixel along those of z, y, x where it is known.
    channels
        Their names.
    annotations
        What else the file is to say, by name: as map annotation of OME-XML, in ImageJ's
        description, or in the attributes of OME-Zarr; PNG and MRC hold none.
    interval_s
        Seconds from one time point to the next, where there are several.
    origin_um
        Where the centre of the first pixel lies along z, y, x, if known; OME-Zarr holds it.
    storage
        How the pixels lie in the files of an OME-Zarr.

    Yields
    ------
    Writable
        Takes ``out[index] = array``. What is never written is 0.

    Raises
    ------
    UserError
        The format cannot hold such an image.
    """
    header = header_of(
        path,
        dims=dims,
        shape=shape,
        dtype=dtype,
        pixel_size_um=pixel_size_um,
        channels=channels,
        annotations=annotations,
        interval_s=interval_s,
        origin_um=origin_um,
        storage=storage,
    )
    with replacing(path) as temporary, _format_of(path).create(temporary, header) as out:
        yield out


def header_of(
    path: Path,
    *,
    dims: Sequence[str],
    shape: Sequence[int],
    dtype: DTypeLike,
    pixel_size_um: Mapping[str, float],
    channels: Sequence[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    interval_s: float | None = None,
    origin_um: Mapping[str, float] | None = None,
    storage: Storage | None = None,
) -> Header:
    """Describe an image that is to be written; parameters and errors are those of `create`."""
    header = Header(
        tuple(dims),
        tuple(shape),
        np.dtype(dtype).newbyteorder("="),
        {dim: float(size) for dim, size in pixel_size_um.items() if dim in dims},
        None if channels is None else list(channels),
        annotations=dict(annotations or {}),
        interval_s=interval_s if "b" in dims else None,
        origin_um={dim: um for dim, um in (origin_um or {}).items() if dim in dims},
        storage=storage,
    )
    if header.dims != tuple(dim for dim in DIMS if dim in dims) or not {"y", "x"} <= set(dims):
        raise UserError(
            f"{path}: axes {', '.join(dims)} cannot be written; use y and x, and before them "
            "b, c and z in this order."
        )
    if channels is not None and len(channels) != header.size("c"):
        raise UserError(
            f"{path}: {len(channels)} names do not fit {header.size('c')} channels; name each one."
        )
    _refuse_dtype_and_shape(path, header.dtype, header.shape)
    if reason := _format_of(path).refusal(path, header):
        raise UserError(f"{path}: {reason}.")
    return header


def _format_of(path: Path) -> Format:
    suffix = suffix_of(path)
    if suffix is None:
        raise unknown_ending(path)
    return _FORMATS[suffix.lower().partition("#")[0]]


def _refuse_dtype_and_shape(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype.kind == "c":
        raise UserError(f"{path}: complex pixels cannot be handled; save their magnitude instead.")
    if dtype.kind not in "iuf":
        raise UserError(f"{path}: pixels of type {dtype} cannot be handled; save them as uint8.")
    if min(shape) < 1:
        raise UserError(f"{path}: there are no pixels (shape {shape}); choose another image.")


def _refuse_nan(path: Path, pixels: np.ndarray) -> None:
    if pixels.dtype.kind != "f":
        return
    if not np.isfinite(pixels).all():
        raise UserError(
            f"{path}: NaN or infinite values cannot be handled; crop them away, or replace those "
            "around the field by 0, for such a border is left out as no data."
        )
    if pixels.itemsize > 4 and (largest := float(np.abs(pixels).max())) > _LARGEST:
        raise UserError(f"{path}: values as large as {largest:.2g} cannot be handled; rescale it.")
