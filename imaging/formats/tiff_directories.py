"""The list of a TIFF file's pages, each of which says where the next one is."""

from pathlib import Path

import tifffile

from imaging.cli import UserError


def refuse_circle(path: Path) -> None:
    """Refuse a list that leads back into itself, which tifffile would follow for ever.

    Parameters
    ----------
    path
        A TIFF file.

    Raises
    ------
    UserError
        It is such a file.
    """
    with tifffile.TiffFile(path) as tiff:
        layout, file = tiff.tiff, tiff.filehandle
        order = "little" if layout.byteorder == "<" else "big"
        page, seen = int(tiff.pages.first.offset), set[int]()
        while page:
            if page in seen:
                raise UserError(f"{path} is damaged (its pages have no end): save it again.")
            seen.add(page)
            file.seek(page)
            tags = int.from_bytes(file.read(layout.tagnosize), order)
            file.seek(page + layout.tagnosize + tags * layout.tagsize)
            page = int.from_bytes(file.read(layout.offsetsize), order)
