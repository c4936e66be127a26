"""A folder with input/ and perhaps target/ is a dataset; so is an image, or a folder of images.

Training and benchmark both read datasets and do not know each other, so the contract lives here.

::

    DATASET/
      input/NAME.tif     what the network sees
      target/NAME.tif    the truth, where it is known: the same field, with the same or finer pixels
      native/NAME.tif    the microscope's own pixels, where they were kept
      repeat/NAME.tif    the same field recorded once more, with noise of its own, for any of the
                         images; on the grid of input/
      displaced/NAME.tif a stack: target/NAME.tif as far beside the input as registration may have
                         left it; `benchmark register` writes it
      annotations/NAME.csv    points and lines that people marked: see `imaging.annotations`
      annotations/NAME.tif    a mask that they drew, on the grid of input/: see `imaging.masks`
      dataset.toml       optional: see `imaging.dataset_facts.Facts`
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import xarray as xr

from imaging.annotations import Annotations, read_annotations
from imaging.cli import UserError
from imaging.dataset_facts import Facts, ImageFacts, Split
from imaging.files import file_of, read_toml, replacing
from imaging.image_folders import (
    OTHER_MARKS,
    Drawn,
    drawn_in,
    images_in,
    left_out,
    no_image,
    stem,
    unread_in,
)
from imaging.images import absent, read, suffix_of, unknown_ending
from imaging.masks import read_mask
from imaging.pixel_sizes import are_unlike
from imaging.recordings import recordings
from imaging.remarks import Remark, Remarks, with_remarks

__all__ = ["Dataset", "Item", "open_dataset"]

_CONTRADICTION = (
    "the file states another pixel size than dataset.toml: images are resampled by the file's, and "
    "models are described by that of dataset.toml (correct the wrong one)."
)


@dataclass(frozen=True)
class Item:
    """One image of a dataset: its files and what is known of it.

    Attributes
    ----------
    name
        Its file name without suffix.
    input, target, native, repeat
        Its files; None where there is none.
    source, split, microscope, level
        See `ImageFacts`; an image without a stated source is its own, or that of the first file of
        its recording.
    pixel_size_um, target_pixel_size_um, z_step_um, tolerance_um
        See `Facts`; `read_input` and `read_target` take a pixel size, and the distance of planes,
        where the file says none.
    expansion_factor
        See `Facts`; `read_target` divides pixel sizes by it.
    displaced
        The file of the displaced targets; None where there is none.
    annotations, mask
        Files of what people marked and drew in it; None where there is none.
    region
        What of its pixels training is to take, by axis; the whole image where it is empty.
    channel
        Which of its channels training is to take, from 0; None of an image that has but one.
    """

    name: str
    input: Path
    target: Path | None
    native: Path | None
    source: str
    split: Split | None
    microscope: dict[str, float | int | str]
    pixel_size_um: float | None
    repeat: Path | None = None
    target_pixel_size_um: float | None = None
    tolerance_um: float | None = None
    expansion_factor: float | None = None
    displaced: Path | None = None
    annotations: Path | None = None
    mask: Path | None = None
    region: dict[str, slice] = field(default_factory=dict[str, slice])
    level: int | None = None
    z_step_um: float | None = None
    channel: int | None = None

    @property
    def of_repeat(self) -> "Item | None":
        """Return the second recording as an image of its own, with nothing but its pixels."""
        if self.repeat is None:
            return None
        others = ("target", "native", "repeat", "displaced", "annotations", "mask")
        nothing = dict.fromkeys(others)
        return replace(self, input=self.repeat, **nothing)

    def read_input(self, *, lazy: bool = False) -> xr.DataArray:
        """Read the input, with the dataset's pixel size where the file does not say its own.

        Laziness and result are those of `imaging.images.read`.
        """
        image = read(self.input, lazy=lazy)
        image = _compared(image, self.pixel_size_um)
        return with_pixel_size(image, self.pixel_size_um, self.z_step_um)

    def read_target(self, *, lazy: bool = False) -> xr.DataArray | None:
        """Read the target in the same way, in µm before expansion; None where there is none."""
        if self.target is None:
            return None
        image = read(self.target, lazy=lazy)
        if self.expansion_factor is None:
            pixel_size_um = self.target_pixel_size_um or self.pixel_size_um
            return with_pixel_size(image, pixel_size_um, self.z_step_um)
        image = with_pixel_size(image, self.target_pixel_size_um)
        recorded: dict[str, float] = image.attrs["pixel_size_um"]
        before = {dim: size / self.expansion_factor for dim, size in recorded.items()}
        return with_pixel_size(image.assign_attrs(pixel_size_um=before), None, self.z_step_um)

    def read_annotations(self) -> Annotations | None:
        """Read the marks, all of which lie in the input; None where there are none."""
        if self.annotations is None:
            return None
        return read_annotations(self.annotations, self.read_input(lazy=True))

    def read_mask(self) -> xr.DataArray | None:
        """Read the mask, which is of the input's size; None where there is none."""
        if self.mask is None:
            return None
        return read_mask(self.mask, self.read_input(lazy=True))


@dataclass(frozen=True)
class Dataset:
    """A named list of images with what is known of them.

    Attributes
    ----------
    name, path, facts, items
        Its name, where it is, what dataset.toml says, and its images.
    unread
        Files beside the images that seem to be images of another kind.
    other_marks
        Files in annotations/ that are neither CSV nor an image.
    """

    name: str
    path: Path
    facts: Facts
    items: tuple[Item, ...]
    unread: tuple[Path, ...] = ()
    other_marks: tuple[Path, ...] = ()

    def split(self, part: Split) -> tuple[Item, ...]:
        """Return the items of one part; empty when the dataset is not split."""
        return tuple(item for item in self.items if item.split == part)

    @property
    def evaluation_items(self) -> tuple[Item, ...]:
        """Return what a benchmark may look at: the validation part, or all when not split."""
        return self.split("validation") if any(i.split for i in self.items) else self.items

    @property
    def remarks(self) -> Remarks:
        """Return what was found in its folders."""
        found = Remarks()
        remarks = [(file, left_out(file)) for file in self.unread]
        for file, remark in (*remarks, *((file, OTHER_MARKS) for file in self.other_marks)):
            found.add(f"{self.name}/{file.relative_to(self.path).as_posix()}", [remark])
        return found


def open_dataset(path: Path) -> Dataset:
    """Find the images of a dataset and pair them by file name.

    Parameters
    ----------
    path
        A dataset folder, a folder of images, or one image, as `imaging.images.read` takes it.

    Returns
    -------
    Dataset
        Items in the order of their names. No image is read, of TIFF files no more than a header.

    Raises
    ------
    UserError
        Nothing there, no images, files of input/ and target/ that do not pair, a repeat or
        annotations of no input, or files of one recording in different parts.
    """
    if not file_of(path).exists():
        raise absent(path)
    facts = Facts()
    unread = unread_in(_folders(path))
    targets: dict[str, Path] = {}
    natives: dict[str, Path] = {}
    repeats: dict[str, Path] = {}
    displaced: dict[str, Path] = {}
    drawn = Drawn()
    if path.is_dir() and suffix_of(path) is None and (path / "input").is_dir():
        inputs = images_in(path / "input")
        natives = images_in(path / "native") if (path / "native").is_dir() else {}
        repeats = images_in(path / "repeat") if (path / "repeat").is_dir() else {}
        _refuse_unknown(path / "repeat", "holds", repeats, inputs)
        displaced = images_in(path / "displaced") if (path / "displaced").is_dir() else {}
        _refuse_unknown(path / "displaced", "holds", displaced, inputs)
        if (path / "annotations").is_dir():
            drawn = drawn_in(path / "annotations")
        _refuse_unknown(path / "annotations", "holds", {**drawn.marks, **drawn.masks}, inputs)
        if (path / "dataset.toml").exists():
            facts = read_toml(path / "dataset.toml", Facts)
        if (path / "target").is_dir():
            targets = images_in(path / "target")
            _refuse_unpaired(path, inputs, targets, unread)
        _refuse_unknown(path / "dataset.toml", "describes", facts.images, inputs)
    elif path.is_dir() and suffix_of(path) is None:
        inputs = images_in(path)
    elif suffix_of(path) is None:
        raise unknown_ending(path)
    else:
        inputs = {stem(path): path}
    if not inputs:
        raise no_image(path, unread)
    first_of = recordings(
        {
            name: [file, targets[name]] if name in targets else [file]
            for name, file in inputs.items()
        }
    )
    _refuse_divided(path, facts, first_of)
    items: list[Item] = []
    for name, file in sorted(inputs.items()):
        of_image = facts.images.get(name, ImageFacts())
        items.append(
            Item(
                name=name,
                input=file,
                target=targets.get(name),
                native=natives.get(name),
                source=of_image.source or first_of[name],
                split=of_image.split,
                microscope=of_image.microscope,
                pixel_size_um=facts.pixel_size_um,
                repeat=repeats.get(name),
                target_pixel_size_um=facts.target_pixel_size_um,
                tolerance_um=facts.tolerance_um,
                expansion_factor=facts.expansion_factor,
                displaced=displaced.get(name),
                annotations=drawn.marks.get(name),
                mask=drawn.masks.get(name),
                level=of_image.level,
                z_step_um=facts.z_step_um,
            )
        )
    name = facts.name or stem(path.resolve())
    return Dataset(name, path, facts, tuple(items), unread, drawn.others)


@contextmanager
def new_dataset(path: Path) -> Generator[Path]:
    """Write a dataset, whole or not at all.

    Parameters
    ----------
    path
        A folder that does not exist, or is empty.

    Yields
    ------
    Path
        A folder to write input/ and the others into; it becomes `path` when all went well.

    Raises
    ------
    UserError
        Something is there.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is not empty: choose another folder for the dataset.")
    with replacing(path) as temporary:
        temporary.mkdir()
        yield temporary


def _compared(image: xr.DataArray, stated_um: float | None) -> xr.DataArray:
    """Return an image with a remark where it states another pixel size than its dataset."""
    if stated_um is None:
        return image
    sizes: dict[str, float] = image.attrs["pixel_size_um"]
    others = [own for dim, own in sizes.items() if dim in "yx" and are_unlike(stated_um, own)]
    remarks = [Remark(_CONTRADICTION, f"{own:g} µm, not {stated_um:g} µm") for own in others[:1]]
    return with_remarks(image, remarks)


def with_pixel_size(
    image: xr.DataArray, pixel_size_um: float | None, z_step_um: float | None = None
) -> xr.DataArray:
    """Return an image with the pixel size of its dataset, if there is one, where it says none.

    The same holds for the distance of its planes, if it has any.
    """
    known = {"z": z_step_um, "y": pixel_size_um, "x": pixel_size_um}
    stated = {dim: um for dim, um in known.items() if um is not None and dim in image.dims}
    return image.assign_attrs(pixel_size_um=stated | image.attrs["pixel_size_um"])


def _folders(path: Path) -> list[Path]:
    """Return the folders of a dataset in which images are expected."""
    if not path.is_dir() or suffix_of(path) is not None:
        return []
    if not (path / "input").is_dir():
        return [path]
    return [path / part for part in ("input", "target", "repeat") if (path / part).is_dir()]


def _refuse_divided(path: Path, facts: Facts, first_of: Mapping[str, str]) -> None:
    """Refuse a division that lets an image serve for training and its neighbours for judgement."""
    part_of: dict[str, tuple[str, Split]] = {}
    for name, first in sorted(first_of.items()):
        of_image = facts.images.get(name, ImageFacts())
        if of_image.source is not None or of_image.split is None:
            continue
        other, split = part_of.setdefault(first, (name, of_image.split))
        if split != of_image.split:
            raise UserError(
                f"{path / 'dataset.toml'} puts '{other}' into {split} and '{name}' into "
                f"{of_image.split}, but they are files of one recording: give them one split, or "
                "state their sources if these differ."
            )


def _refuse_unpaired(
    path: Path, inputs: Iterable[str], targets: Iterable[str], unread: Iterable[Path]
) -> None:
    alone = sorted(set(inputs) ^ set(targets))
    if alone:
        side = "target" if alone[0] in set(inputs) else "input"
        other = [file.name for file in unread if (file.parent.name, file.stem) == (side, alone[0])]
        reason = f", for {other[0]} is of a kind that cannot be read" if other else ""
        raise UserError(
            f"{path}: '{alone[0]}' has no partner in {side}/{reason} ({len(alone)} without "
            "partner): input/ and target/ must hold the same file names."
        )


def _refuse_unknown(path: Path, does: str, named: Iterable[str], inputs: Iterable[str]) -> None:
    unknown = sorted(set(named) - set(inputs))
    if unknown:
        raise UserError(
            f"{path} {does} '{unknown[0]}', which is not in input/: "
            "restore the image or remove what belongs to it."
        )
