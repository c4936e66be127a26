"""What lies in a folder of images: these, and what seems to be one of a kind that is not read."""

from collections.abc import Sequence
from pathlib import Path

from imaging.cli import UserError
from imaging.images import SUFFIXES, suffix_of
from imaging.remarks import Remark

UNREAD = Remark(
    "of a kind that cannot be read, and left out (export such images as OME-TIFF, unpack archives)."
)
# What microscopes and other programs write. What is none of these may lie beside images in peace.
_OTHER_KINDS = frozenset(
    {
        *(".czi", ".zvi", ".nd2", ".nd", ".lif", ".lof", ".xlef", ".oib", ".oif", ".oir", ".vsi"),
        *(".ets", ".sld", ".sldy", ".ims", ".ipl", ".flex", ".mvd2", ".svs", ".scn", ".mrxs"),
        *(".bif", ".ndpi", ".qptiff", ".dcm", ".dm3", ".dm4", ".ser", ".emd", ".eer", ".mrcs"),
        *(".spe", ".sif", ".pic", ".ics", ".ids", ".nrrd", ".nhdr", ".mha", ".mhd", ".nii"),
        *(".fits", ".h5", ".hdf5", ".hdf", ".n5", ".mat", ".npy", ".npz", ".raw", ".avi", ".mp4"),
        *(".mov", ".sdt", ".ptu", ".jpg", ".jpeg", ".jp2", ".jxl", ".gif", ".bmp", ".webp"),
        *(".heic", ".psd", ".pgm", ".zip", ".ozx", ".gz", ".tar", ".7z", ".rar"),
    }
)
_NAMED = 3  # files that a refusal names before it counts the rest


def stem(path: Path) -> str:
    """Return the name of an image: that of its file without what says its format."""
    return path.name.removesuffix(suffix_of(path) or "")


def images_in(folder: Path) -> dict[str, Path]:
    """Find the images of a folder.

    Parameters
    ----------
    folder
        Of which files that begin with a dot are passed over.

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
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or suffix_of(file) is None:
            continue
        if stem(file) in found:
            raise UserError(
                f"{folder} holds {found[stem(file)].name} and {file.name}: "
                "two images of one name cannot be told apart, rename one."
            )
        found[stem(file)] = file
    return found


def unread_in(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Find what seems to be an image of another kind."""
    return tuple(
        file
        for folder in folders
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in _OTHER_KINDS and not file.name.startswith(".")
    )


def no_image(path: Path, unread: Sequence[Path]) -> UserError:
    """Return the refusal of a folder without images."""
    sentence = f"{path} holds no image: expected files ending in {', '.join(SUFFIXES)}"
    if not unread:
        return UserError(f"{sentence}.")
    more = f" and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
    names = ", ".join(file.name for file in unread[:_NAMED])
    return UserError(f"{sentence}; export as OME-TIFF, or unpack, {names}{more}.")
