"""One image of a file restored with one package: by this process, or prepared for several."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import xarray as xr

from imaging import images
from imaging.channels import ALL, Chosen, choose
from imaging.cli import UserError
from imaging.datasets import Item
from imaging.formats.header import OmeZarrVersion, Storage
from imaging.inspection import inspect
from imaging.remarks import Remark
from packages.channel_choice import Place, together
from packages.familiarity import familiarity
from packages.package import Weights
from packages.processing import IntensityScale
from packages.resampling import grid
from packages.restoration import Known, Layout, Report, Restoration
from packages.runner import Runner, Scale
from packages.trust_mask import read_trust_mask, write_mask

# Steps between planes that differ by less are the same: stages are no better.
_SAME_STEP = 0.1
_OTHER_STEP = (
    "the planes are another step apart than those the package was trained with; along z nothing is "
    "resampled (interpolate the stack to that step if it matters)."
)


@dataclass(frozen=True)
class Options:
    """How images are to be restored; the entries are those of `packages.predict.predict_file`."""

    package: Path
    weights: Weights | None = None
    device: str | None = None
    scale: Scale = "stack"
    trust: bool = False
    pixel_size: float | None = None
    z_step: float | None = None
    tile: int | None = None
    channel: str | None = None
    shard: int | None = None
    ome_zarr: OmeZarrVersion = "0.5"

    @property
    def given_um(self) -> dict[str, float]:
        """What the user states of the pixels, by axis."""
        stated = {"z": self.z_step, "y": self.pixel_size, "x": self.pixel_size}
        return {axis: size for axis, size in stated.items() if size is not None}


@dataclass(frozen=True)
class Opened:
    """An image that can be restored region by region.

    Attributes
    ----------
    image
        As it was read, lazily.
    chosen
        Its channels that are to be restored.
    restorations
        Of each.
    layout
        Of all results together.
    """

    image: xr.DataArray
    chosen: Sequence[Chosen]
    restorations: Sequence[Restoration]
    layout: Layout

    @property
    def known(self) -> tuple[Known, ...]:
        """What was measured of each channel."""
        return tuple(one.known for one in self.restorations)

    def result(self, options: Options) -> dict[str, Any]:
        """Describe the result as `imaging.images.create` takes it."""
        layout, first = self.layout, self.restorations[0]
        chunks = first.chunks(options.tile)
        shards = None
        if options.shard is not None:
            places = first.regions(options.tile, options.shard)[0].places
            lengths = {d: place.stop for d, place in places.items()}
            shards = tuple(lengths.get(d, 1) for d in layout.dims)
        scales = {
            one.name: restoration.intensity_scales
            for one, restoration in zip(self.chosen, self.restorations, strict=True)
        }
        return {
            "dims": layout.dims,
            "shape": layout.shape,
            "dtype": "float32",
            "pixel_size_um": layout.pixel_size_um,
            "channels": layout.channels,
            "interval_s": self.image.attrs.get("interval_s"),
            "annotations": _annotations(scales) | _scenes(self.image),
            "origin_um": self._origin_um(),
            "storage": Storage(chunks, shards, options.ome_zarr, pyramid=True),
        }

    def _origin_um(self) -> dict[str, float]:
        """Return where the first pixel's centre lies: the field keeps its edges."""
        own: dict[str, float] = self.image.attrs["pixel_size_um"]
        origin: dict[str, float] = self.image.attrs.get("origin_um", {})
        finer = self.layout.pixel_size_um
        return {d: at + (finer[d] - own[d]) / 2 for d, at in origin.items() if d in finer}


@dataclass(frozen=True)
class Told:
    """What is said of an image that was restored.

    Attributes
    ----------
    remarks
        By what is remarked on: the image, or a channel of it.
    familiar
        How many of its channels are like the images that the model was trained on.
    """

    remarks: list[tuple[str, list[Remark]]] = field(default_factory=list[tuple[str, list[Remark]]])
    familiar: int = 0


class ImageJob:
    """One package at work on one file after the other.

    Parameters
    ----------
    runner
        The package.
    options
        How.
    masked
        Whether trust masks are drawn, too.

    Raises
    ------
    UserError
        Masks are wanted and the package promises nothing.
    """

    def __init__(self, runner: Runner, options: Options, *, masked: bool = False) -> None:
        self.package = runner.package
        self.options = options
        self._known = runner.package.known_images
        self._runner = runner
        self._promised = read_trust_mask(runner.package) if masked else None

    def open(self, item: Item, known: Sequence[Known] | None = None) -> Opened:
        """Measure an image, unless what was measured is known.

        Raises
        ------
        UserError
            It cannot be read or restored.
        """
        image = item.read_input(lazy=True)
        given_um = self.options.given_um
        if given_um:
            image = image.assign_attrs(pixel_size_um=image.attrs["pixel_size_um"] | given_um)
        shape = grid(image, self.package.pixel_size_um, insisted="x" in given_um)
        chosen = choose(image, self.options.channel)
        restorations = [
            self._runner.prepare(one.image, shape, known[i] if known else None)
            for i, one in enumerate(chosen)
        ]
        layout = together([one.layout for one in restorations], [one.name for one in chosen])
        return Opened(image, chosen, restorations, layout)

    def restore(
        self,
        item: Item,
        target: Path,
        mask: Path | None = None,
        report: Callable[[str], Report] | None = None,
    ) -> Told:
        """Restore one file.

        Parameters
        ----------
        item, target
            What becomes which file.
        mask
            File of the trust mask, where one is drawn.
        report
            Given the name of a channel, returns what is told of its progress.

        Returns
        -------
        Told
            What is said of it.

        Raises
        ------
        UserError
            It cannot be restored; it names one of the files.
        """
        with naming(item.input, target):
            opened = self.open(item)
            with images.create(target, **opened.result(self.options)) as out:
                for i, restoration in enumerate(opened.restorations):
                    progress = report(opened.chosen[i].name) if report else None
                    parts = restoration.parts(self.options.tile, self.options.shard, progress)
                    restoration.collect(Place(out, restoration.layout, i), parts)
        return self.tell(item, opened, target, mask)

    def tell(self, item: Item, opened: Opened, target: Path, mask: Path | None) -> Told:
        """Draw the trust mask of a result where one is wanted, and say what is to be said of it.

        Parameters and errors are those of `restore`.
        """
        if self._promised is not None and mask is not None:
            count = len(self.package.channels)
            firsts = {one.name: i * count for i, one in enumerate(opened.chosen)}
            write_mask(target, mask, self._promised, firsts)
        shape = opened.layout.grid
        told = self._compare(item.input.name, opened.chosen, shape)
        of_image = [*inspect(opened.image), *self._on_pixel_size(opened.image, shape)]
        return replace(told, remarks=[*told.remarks, (item.input.name, of_image)])

    def _compare(self, name: str, chosen: Sequence[Chosen], shape: tuple[int, int]) -> Told:
        """Compare an image with those that the model was trained on, channel by channel."""
        if self._known is None:
            return Told()
        single = [
            of_channel
            for one in chosen
            for of_channel in (choose(one.image, ALL) if "c" in one.image.dims else [one])
        ]
        found = [(one.name, familiarity(self._known, one.image, shape)) for one in single]
        remarks = [(f"{name} {channel}".strip(), of.remarks) for channel, of in found]
        return Told(remarks, sum(of.is_known is True for _, of in found))

    def _on_pixel_size(self, image: xr.DataArray, shape: tuple[int, int]) -> list[Remark]:
        expected = self.package.pixel_size_um
        own: dict[str, float] = image.attrs["pixel_size_um"]
        found: list[Remark] = []
        if any(d in expected and d not in own for d in "yx"):
            found.append(
                Remark(
                    f"pixel size unknown, taken for the package's {_written(expected)} µm "
                    "(give --pixel-size if it is not)."
                )
            )
        elif shape != (image.sizes["y"], image.sizes["x"]):
            to = f"{_written(own)} to {_written(expected)}"
            found.append(Remark(f"resampled from {to} µm per pixel."))
        if "z" in expected.keys() & own.keys() and abs(own["z"] / expected["z"] - 1) > _SAME_STEP:
            found.append(Remark(_OTHER_STEP, f"{own['z']:g} µm, not {expected['z']:g} µm"))
        return found


@contextmanager
def naming(source: Path, target: Path) -> Generator[None]:
    """Name the image in sentences that name neither it nor its result."""
    try:
        yield
    except UserError as error:
        message = str(error)
        if str(source) in message or str(target) in message:
            raise
        raise UserError(f"{source}: {message}") from error


def _scenes(image: xr.DataArray) -> dict[str, str]:
    """Name the images of the input's file that the result is of, where it held several."""
    names: tuple[str, ...] = image.attrs.get("scenes", ())
    return {"scenes": "; ".join(names)} if names else {}


def _annotations(scales_of: Mapping[str, Sequence[IntensityScale]]) -> dict[str, str]:
    """Write how intensities of the input come back from those of the result, channel by channel."""
    found: dict[str, str] = {}
    for channel, scales in scales_of.items():
        of = f" of {channel}" if channel else ""
        for name in ("offset", "factor") if scales else ():
            numbers = (f"{getattr(scale, name):.9g}" for scale in scales)
            found[f"intensity_{name}{of}"] = " ".join(numbers)
    if not found:
        return {}
    several = any(len(scales) > 1 for scales in scales_of.values())
    said = (
        "on the input's scale: intensity_offset + intensity_factor * result, standard deviations "
        "times the factor alone"
    )
    order = "; one number for each plane or volume, in the order of t and z"
    return {"intensities": said + order * several} | found


def _written(pixel_size_um: dict[str, float]) -> str:
    """Write one length for square pixels, and both for oblong ones."""
    lengths = [f"{pixel_size_um[d]:g}" for d in "yx" if d in pixel_size_um]
    return lengths[0] if len(set(lengths)) == 1 else " x ".join(lengths) + " (y x x)"
