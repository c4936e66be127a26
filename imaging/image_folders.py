"""What lies in a folder of images: these, and what seems to be one of a kind that is not read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imaging.cli import UserError
from imaging.files import parts_of
from imaging.formats.microscopes import INSTALL
from imaging.images import SUFFIXES, lacks_library, suffix_of
from imaging.remarks import Remark

_UNREAD = Remark(
    "of a kind that cannot be read, and left out (export such images as OME-TIFF, unpack archives)."
)
_NO_LIBRARY = Remark(
    f'of a kind whose library is not installed, and left out (run "{INSTALL}" to read such images).'
)
OTHER_MARKS = Remark(
    "neither CSV nor an image, and left out (`python -m benchmark annotate` makes a CSV of what "
    "ImageJ, napari and tracing programs write)."
)
# What microscopes and other programs write. What is none of these may lie beside images in peace.
_OTHER_KINDS = frozenset(
    {
        *(
            ".zvi",
            ".nd",
            ".xlef",
            ".xlcf",
            ".oir",
            ".vsi",
            ".ets",
            ".sld",
            ".sldy",
            ".ipl",
            ".flex",
            ".mvd2",
            ".svs",
            ".scn",
            ".mrxs",
        ),
        *(".bif", ".ndpi", ".qptiff", ".dcm", ".dm3", ".dm4", ".ser", ".emd", ".eer", ".mrcs"),
        *(".spe", ".sif", ".pic", ".ics", ".ids", ".nrrd", ".nhdr", ".mha", ".mhd", ".nii"),
        *(".fits", ".h5", ".hdf5", ".hdf", ".n5", ".mat", ".npy", ".npz", ".raw", ".avi", ".mp4"),
        *(".mov", ".sdt", ".ptu", ".jpg", ".jpeg", ".jp2", ".jxl", ".gif", ".bmp", ".webp"),
        *(".heic", ".psd", ".pgm", ".zip", ".ozx", ".gz", ".tar", ".7z", ".rar"),
    }
)
_NAMED = 3  # files that a refusal names before it counts the rest


@dataclass(frozen=True)
class Drawn:
    """What people marked and drew in the images of a dataset.

    Attributes
    ----------
    marks, masks
        Files by the names of images.
    others
        Files that are neither.
    """

    marks: dict[str, Path] = field(default_factory=dict[str, Path])
    masks: dict[str, Path] = field(default_factory=dict[str, Path])
    others: tuple[Path, ...] = ()


def stem(path: Path) -> str:
    """Return the name of an image: that of its file without what says its format."""
    return path.name.removesuffix(suffix_of(path) or "")


def of_scene(path: Path, scene: str | None) -> Path:
    """Return the path of an image in a file that holds several, as `imaging.images.read` takes it.

    Parameters
    ----------
    path
        The file.
    scene
        Number of the image from 1, or its name; None for the file as it is.

    Raises
    ------
    UserError
        The path is a folder of images.
    """
    if scene is None:
        return path
    if path.is_dir() and suffix_of(path) is None:
        raise UserError(f"{path} is a folder of images: --scene is for one file, give that.")
    return Path(f"{path}#{scene}")


def images_in(folder: Path) -> dict[str, Path]:
    """Find the images of a folder.

    Parameters
    ----------
    folder
        Of which files that begin with a dot are passed over, as are those that an XLIF names.

    Returns
    -------
    dict
        Files by the names of images.

    Raises
    ------
    UserError
        Two images have one name.
    """
    found: dict[str, Path] = {}
    parts = {part.resolve() for file in folder.iterdir() for part in parts_of(file)}
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or suffix_of(file) is None or lacks_library(file):
            continue
        if file.resolve() in parts:
            continue
        if stem(file) in found:
            raise UserError(
                f"{folder} holds {found[stem(file)].name} and {file.name}: "
                "two images of one name cannot be told apart, rename one."
            )
        found[stem(file)] = file
    return found


def drawn_in(folder: Path) -> Drawn:
    """Find the CSV files and the masks of a folder of annotations.

    Parameters and exceptions are those of `images_in`.
    """
    masks = images_in(folder)
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    marks = {file.stem: file for file in files if file.suffix.lower() == ".csv"}
    known = {*masks.values(), *marks.values()}
    return Drawn(marks, masks, tuple(file for file in files if file not in known))


def unread_in(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Find what seems to be an image of another kind, or of one whose library is absent."""
    return tuple(
        file
        for folder in folders
        for file in sorted(folder.iterdir())
        if (file.suffix.lower() in _OTHER_KINDS or lacks_library(file))
        and not file.name.startswith(".")
    )


def left_out(file: Path) -> Remark:
    """Say why a file is left out that `unread_in` found."""
    return _NO_LIBRARY if lacks_library(file) else _UNREAD


def no_image(path: Path, unread: Sequence[Path]) -> UserError:
    """Return the refusal of a folder without images."""
    sentence = f"{path} holds no image: expected files ending in {', '.join(SUFFIXES)}"
    if not unread:
        return UserError(f"{sentence}.")
    more = f" and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
    names = ", ".join(file.name for file in unread[:_NAMED])
    if any(lacks_library(file) for file in unread):
        return UserError(f'{sentence}; run "{INSTALL}" to read {names}{more}.')
    return UserError(f"{sentence}; export as OME-TIFF, or unpack, {names}{more}.")
