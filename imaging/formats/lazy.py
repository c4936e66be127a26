"""Pixels that stay in their file until they are asked for, and what libraries raise over them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from imaging.cli import UserError
from imaging.formats.header import DIMS, Header, Readable


class Pixels(BackendArray):
    """A file's pixels for xarray: axes in our order, spare axes dropped, read where indexed.

    Parameters
    ----------
    path
        The file, for sentences about it.
    header, pixels
        As its format reads them.

    Attributes
    ----------
    dims, shape, dtype
        Of what xarray sees.
    """

    def __init__(self, path: Path, header: Header, pixels: Readable) -> None:
        self._path = path
        self._pixels = pixels
        self._file_ndim = len(header.shape)
        self._axes = [
            axis
            for dim in DIMS
            for axis, name in enumerate(header.dims)
            if name == dim and (dim in "yx" or header.shape[axis] > 1)
        ]
        self.dims = tuple(header.dims[axis] for axis in self._axes)
        self.shape = tuple(header.shape[axis] for axis in self._axes)
        self.dtype = header.dtype.newbyteorder("=")

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._region
        )

    def _region(self, key: tuple[int | slice, ...]) -> np.ndarray:
        places: list[int | slice] = [0] * self._file_ndim
        for axis, place in zip(self._axes, key, strict=True):
            places[axis] = place if isinstance(place, slice) else slice(place, place + 1)
        with explained(self._path):
            region = np.array(self._pixels[tuple(places)], self.dtype)
        kept = sorted(self._axes)
        region = region.transpose([kept.index(axis) for axis in self._axes])
        return region[tuple(slice(None) if isinstance(place, slice) else 0 for place in key)]


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turn what a library raises over a damaged file into a sentence about it."""
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(
            f"{path} needs more memory than there is: it is damaged if it should be small (copy it "
            "again), otherwise save it in parts."
        ) from error
    except Exception as error:
        # With a number it is the operating system's refusal, which names its own reason.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} is damaged, cut off or not of this format ({reason}): copy or export it again."
        ) from error
