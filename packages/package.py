"""A package of the BioImage Model Zoo on disk: opened safely, described, and nothing fetched."""

import math
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Literal, cast, get_args

from bioimageio.spec import InvalidDescr, ValidationContext, build_description
from bioimageio.spec.common import RelativeFilePath
from bioimageio.spec.model import v0_5
from bioimageio.spec.utils import read_yaml
from loguru import logger
from pydantic import BaseModel, TypeAdapter, ValidationError

from imaging.cli import UserError
from imaging.files import first_fault, sha256
from imaging.formats.units import micrometres
from imaging.known_images import KnownImages
from packages.models import models
from packages.source import self_contained

__all__ = ["Package", "open_package"]

Weights = Literal["pytorch_state_dict", "torchscript", "onnx"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)

_DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
LARGEST_BYTES = 8 * 2**30
"""Of a zip, unpacked: more would fill a disk by a mistake, or by intent."""

# The spec logs every warning of a description to stderr; what matters is raised here.
logger.disable("bioimageio")


@dataclass(frozen=True)
class Package:
    """An opened package.

    Attributes
    ----------
    path
        What was opened: a zip or a folder.
    sha256
        Of the zip, or of the folder's files and names.
    description
        What rdf.yaml says, older formats converted to 0.5.
    weights
        The weights that may run here, the preferred first.
    """

    path: Path
    sha256: str
    description: v0_5.ModelDescr
    weights: tuple[Weights, ...]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.description.name

    @property
    def input(self) -> v0_5.InputTensorDescr:
        """The image that goes in."""
        return next(i for i in self.description.inputs if not i.optional)

    @property
    def output(self) -> v0_5.OutputTensorDescr:
        """The image that comes out: of several outputs the first that is one.

        An image has the spatial axes of the input, with sizes that follow from the input's. Where
        no output does, it is the first, and running it will say what is wrong with it.
        """
        outputs = self.description.outputs
        return next((o for o in outputs if _is_image_of(o, self.input)), outputs[0])

    @property
    def pixel_size_um(self) -> dict[str, float]:
        """Input pixel along z, y, x in µm, as far as the package says it.

        Ours say it beside the axes, for deepImageJ takes the scale of an output axis for a factor
        by which the network resizes.

        Raises
        ------
        UserError
            What it says is no length.
        """
        stated = self.own_entries.get("pixel_size_um")
        if not isinstance(stated, Mapping):
            return pixel_size_um(self.input)
        sizes = {d: stated[d] for d in spatial_axes(self.input) if d in stated}
        for dimension, size in sizes.items():
            if not isinstance(size, int | float) or not 0 < size < math.inf:
                raise UserError(
                    f"{self.path}: config.restoration_zoo.pixel_size_um.{dimension} of its "
                    f"rdf.yaml is {size!r}, not a length in µm: correct it."
                )
        return {dimension: float(size) for dimension, size in sizes.items()}

    @property
    def own_entries(self) -> dict[str, Any]:
        """What a package of this project says that the zoo has no field for; empty in others."""
        stated = (self.description.config.model_extra or {}).get("restoration_zoo", {})
        return dict(stated) if isinstance(stated, Mapping) else {}

    @property
    def known_images(self) -> KnownImages | None:
        """What images the model was trained on; None in packages that do not say it.

        Raises
        ------
        UserError
            What it says is damaged.
        """
        stated = self.own_entries.get("known_images")
        if stated is None:
            return None
        try:
            return TypeAdapter(KnownImages).validate_python(stated)
        except ValidationError as error:
            raise UserError(
                f"{self.path}: config.restoration_zoo.known_images of its rdf.yaml is damaged "
                f"({first_fault(error)}): build the package again."
            ) from error

    @property
    def channels(self) -> list[str]:
        """Names of the output's channels; the output's own name where it has no channel axis."""
        return _channels(self.output)

    @property
    def restores_channels(self) -> bool:
        """Whether it gives the several channels that it takes."""
        return len(self.channels) > 1 and self.channels == _channels(self.input)


def _channels(tensor: v0_5.InputTensorDescr | v0_5.OutputTensorDescr) -> list[str]:
    for axis in tensor.axes:
        if isinstance(axis, v0_5.ChannelAxis):
            return [str(name) for name in axis.channel_names]
    return [str(tensor.id)]


@contextmanager
def open_package(path: Path, *, trust: bool = False) -> Generator[Package, None, None]:
    """Open a package, offline, reading its description afresh.

    Parameters
    ----------
    path
        A zip, or a folder with rdf.yaml.
    trust
        Whether Python code of the package may run. Without it TorchScript and ONNX run, and state
        dicts whose architecture file is that of one of our models.

    Yields
    ------
    Package
        Its files are gone when the block ends if they came from a zip.

    Raises
    ------
    UserError
        Not a package, not a model, damaged, with files outside itself, with several images as
        input, or with nothing that may run here.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: give a package, a zip with an rdf.yaml.")
    with tempfile.TemporaryDirectory(prefix="package-", ignore_cleanup_errors=True) as temporary:
        folder = path if path.is_dir() else Path(temporary)
        if not path.is_dir():
            _extract(path, folder)
        description = _describe(path, folder)
        for file in _files_named_in(description):
            if not (folder / file).resolve().is_relative_to(folder.resolve()):
                raise UserError(
                    f"{path} refers to '{file}', which is not inside it: get the complete package."
                )
        required = [i for i in description.inputs if not i.optional]
        if len(required) != 1:
            raise UserError(
                f"{path} needs {len(required)} inputs: only models that take one image can be run."
            )
        yield Package(
            path=path,
            sha256=sha256(path),
            description=description,
            weights=_runnable(path, folder, description, trust),
        )


def pixel_size_um(
    tensor: v0_5.InputTensorDescr | v0_5.OutputTensorDescr,
) -> dict[str, float]:
    """Return the pixel size of a tensor's spatial axes in µm.

    Parameters
    ----------
    tensor
        An input or output of a description.

    Returns
    -------
    dict
        By z, y, x; axes without a unit are left out.
    """
    sizes = {d: micrometres(axis.scale, axis.unit) for d, axis in spatial_axes(tensor).items()}
    return {dimension: size for dimension, size in sizes.items() if size is not None}


def spatial_axes(
    tensor: v0_5.InputTensorDescr | v0_5.OutputTensorDescr,
) -> dict[str, v0_5.SpaceInputAxis | v0_5.SpaceOutputAxis | v0_5.SpaceOutputAxisWithHalo]:
    """Return the spatial axes of a tensor by z, y, x.

    Parameters
    ----------
    tensor
        An input or output of a description.

    Returns
    -------
    dict
        By their ids where these are among z, y, x; otherwise the last axis is x, the one before
        y, then z.
    """
    axes = [a for a in tensor.axes if isinstance(a, v0_5.SpaceAxisBase)]
    named = {str(axis.id): axis for axis in axes}
    if not set(named) <= set("zyx"):
        named = dict(zip("xyz", reversed(axes), strict=False))
    return {dimension: named[dimension] for dimension in "zyx" if dimension in named}


def _is_image_of(output: v0_5.OutputTensorDescr, given: v0_5.InputTensorDescr) -> bool:
    before, after = spatial_axes(given), spatial_axes(output)
    return before.keys() == after.keys() and all(
        isinstance(axis.size, v0_5.SizeReference)
        or (isinstance(axis.size, int) and axis.size > 1 and isinstance(before[d].size, int))
        for d, axis in after.items()
    )


def _extract(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            # Weights are often zips themselves: of a package cut short, theirs is what is found.
            if min((file.header_offset for file in archive.infolist()), default=0) > 0:
                raise zipfile.BadZipFile("its end is missing")
            for name in archive.namelist():
                if _leaves(name):
                    raise UserError(
                        f"{path} holds '{name}', a path outside itself: do not use this file."
                    )
            # No more than what a file states is ever unpacked of it.
            stated = sum(file.file_size for file in archive.infolist())
            if stated > LARGEST_BYTES:
                raise UserError(
                    f"{path} would unpack to {stated / 2**30:.0f} GiB, more than the "
                    f"{LARGEST_BYTES / 2**30:.0f} that a package may have: unpack it yourself and "
                    "give the folder, if you trust its authors."
                )
            archive.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{path} is not a whole zip ({error}): download or build it again."
        ) from error


def _leaves(name: str) -> bool:
    """Tell whether a path inside a zip would leave the folder it is unpacked to, on any system."""
    windows = PureWindowsPath(name)
    return bool(windows.anchor) or PurePosixPath(name).is_absolute() or ".." in windows.parts


def _describe(path: Path, folder: Path) -> v0_5.ModelDescr:
    file = next((folder / n for n in _DESCRIPTIONS if (folder / n).is_file()), None)
    if file is None:
        raise UserError(f"{path} has no rdf.yaml at its top: it is not a model package.")
    # Input and output checks would ask the network about authors and links.
    context = ValidationContext(
        root=folder, file_name=file.name, perform_io_checks=False, log_warnings=False
    )
    try:
        content: Any = read_yaml(file.read_text(encoding="utf-8"))
        description = build_description(content, context=context, format_version="latest")
    except Exception as error:
        # The YAML parser and the spec raise whatever they stumble on.
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path}: {file.name} cannot be read: {first[0]}.") from error
    if description.type != "model":
        raise UserError(
            f"{path}: {file.name} describes no model (its type is '{description.type}'): "
            "give a model package."
        )
    if isinstance(description, InvalidDescr) or not isinstance(description, v0_5.ModelDescr):
        raise UserError(f"{path}: {file.name} is not valid: {_first_error(description)}.")
    return description


def _files_named_in(entry: object) -> Iterator[PurePath]:
    """Yield every file of this machine that a description, or an entry of it, names."""
    if isinstance(entry, RelativeFilePath):
        yield entry.path
    elif isinstance(entry, PurePath):
        yield entry
    elif isinstance(entry, BaseModel):
        for name in type(entry).model_fields:
            yield from _files_named_in(getattr(entry, name))
    elif isinstance(entry, list | tuple):
        for each in cast(Sequence[object], entry):
            yield from _files_named_in(each)


def _first_error(description: object) -> str:
    summary = getattr(description, "validation_summary", None)
    for detail in summary.details if summary else ():
        for error in detail.errors:
            where = ".".join(str(part) for part in error.loc)
            return f"'{where}': {error.msg.splitlines()[0].rstrip('.')}"
    return "it does not follow the model format"


def _runnable(
    path: Path, folder: Path, description: v0_5.ModelDescr, trust: bool
) -> tuple[Weights, ...]:
    """Return the weights that may run, or say why there are none."""
    for tensor in (*description.inputs, *description.outputs):
        processing = (
            tensor.preprocessing
            if isinstance(tensor, v0_5.InputTensorDescr)
            else tensor.postprocessing
        )
        if not trust and any(isinstance(p, v0_5.CustomProcessingDescr) for p in processing):
            raise UserError(
                f"{path} brings Python code that processes '{tensor.id}': "
                "run it with --trust if you trust its authors."
            )
    present: list[Weights] = [w for w in WEIGHTS if getattr(description.weights, w) is not None]
    for format_ in present:
        _refuse_absent(path, folder, getattr(description.weights, format_).source)
    state = description.weights.pytorch_state_dict
    if state and isinstance(state.architecture, v0_5.ArchitectureFromFileDescr):
        _refuse_absent(path, folder, state.architecture.source)
    if state and not trust and not _is_ours(folder, state.architecture):
        present.remove("pytorch_state_dict")
        if not present:
            raise UserError(
                f"{path} brings its network as Python code: "
                "run it with --trust if you trust its authors."
            )
    if not present:
        raise UserError(f"{path} has no weights that run here ({', '.join(WEIGHTS)}).")
    return tuple(present)


def _refuse_absent(path: Path, folder: Path, source: object) -> None:
    """Refuse a file that would have to be fetched, or that is missing."""
    file = folder / source.path if isinstance(source, RelativeFilePath) else None
    if file is None:
        raise UserError(
            f"{path} refers to '{source}', which is not inside it: get the complete package."
        )
    if not file.is_file():
        raise UserError(f"{path} lacks its file '{source}': download or build it again.")


def _is_ours(
    folder: Path,
    architecture: v0_5.ArchitectureFromFileDescr | v0_5.ArchitectureFromLibraryDescr,
) -> bool:
    # A library's callable is no safer than a file: with arguments of the package's choosing it
    # could be anything that is installed.
    if not isinstance(architecture, v0_5.ArchitectureFromFileDescr):
        return False
    source = architecture.source
    if not isinstance(source, RelativeFilePath):
        return False
    code = (folder / source.path).read_bytes()
    return any(code == self_contained(each.model_file).encode() for each in models())
