"""The one pixel size of what a model is trained on, which its package states."""

from collections.abc import Iterator

from imaging import images
from imaging.cli import UserError
from imaging.datasets import Dataset, Item
from imaging.pixel_sizes import are_unlike
from imaging.remarks import Remark, Remarks
from training.factor import factor_between, find_factor

_UNSTATED = Remark(
    "the pixel size is unknown and taken for that of the other images: if it is another, what is "
    "learnt from the image is wrong (state it in the file, or leave the image out)."
)


def find_pixel_size_um(dataset: Dataset) -> float | None:
    """Find the side of a pixel that a dataset states of its inputs.

    Parameters
    ----------
    dataset
        Its dataset.toml and the headers of its inputs and targets are looked at.

    Returns
    -------
    float or None
        As first stated; None where nothing is.

    Raises
    ------
    UserError
        Two statements differ by more than 2 %, targets are as recorded after expansion, or do not
        fit their inputs.
    """
    if dataset.facts.expansion_factor is not None:
        raise UserError(
            f"{dataset.path / 'dataset.toml'} states an expansion_factor, so that targets do not "
            "lie on their inputs: bring them there with `python -m benchmark register`."
        )
    found: tuple[str, float] | None = None
    for who, size_um in _statements(dataset):
        found = found or (who, size_um)
        if are_unlike(found[1], size_um):
            raise UserError(
                f"{found[0]} states pixels of {found[1]:g} µm and {who} of {size_um:g} µm: a model "
                "is trained on pixels of one size. Correct what is stated wrongly; if both are "
                "right, bring the images to one size (in Fiji: Image > Scale) or train two models."
            )
    return found[1] if found else None


def find_z_step_um(dataset: Dataset) -> float:
    """Find the distance of the planes of a dataset of volumes.

    Parameters
    ----------
    dataset
        Its dataset.toml and the headers of its inputs are looked at.

    Returns
    -------
    float
        As first stated, µm.

    Raises
    ------
    UserError
        Nothing states it, or two statements differ by more than 2 %.
    """
    found: tuple[Item, float] | None = None
    for item in dataset.items:
        size_um: float | None = item.read_input(lazy=True).attrs["pixel_size_um"].get("z")
        if size_um is None:
            continue
        found = found or (item, size_um)
        if are_unlike(found[1], size_um):
            raise UserError(
                f"{found[0].input} states planes {found[1]:g} µm apart and {item.input} "
                f"{size_um:g} µm: a model is trained on volumes of one kind. Correct what is "
                "stated wrongly, or train two models."
            )
    if found is None:
        raise UserError(
            f"{dataset.path} does not say how far apart its planes are, which a model of volumes "
            "must know: state z_step_um in dataset.toml, or restore plane by plane with --planes."
        )
    return found[1]


def remark_on_unstated(dataset: Dataset) -> Remarks:
    """Find the inputs that state no pixel size where others do, and dataset.toml does not."""
    found = Remarks()
    if dataset.facts.pixel_size_um is not None or find_pixel_size_um(dataset) is None:
        return found
    for item in dataset.items:
        if not images.read(item.input, lazy=True).attrs["pixel_size_um"].keys() & {"y", "x"}:
            found.add(item.name, [_UNSTATED])
    return found


def _statements(dataset: Dataset) -> Iterator[tuple[str, float]]:
    """Yield who states which pixel size."""
    facts, toml = dataset.facts, dataset.path / "dataset.toml"
    if facts.pixel_size_um is not None:
        yield f"{toml} (pixel_size_um)", facts.pixel_size_um
    if facts.target_pixel_size_um is not None:
        finer = find_factor(dataset)
        yield f"{toml} (target_pixel_size_um{_times(finer)})", finer * facts.target_pixel_size_um
    for item in dataset.items:
        image = images.read(item.input, lazy=True)
        found = [(item.input, image, 1)]
        if item.target is not None:
            truth = images.read(item.target, lazy=True)
            finer = factor_between(item.input, image.sizes, item.target, truth.sizes)
            found.append((item.target, truth, finer))
        for file, read, times in found:
            stated: dict[str, float] = read.attrs["pixel_size_um"]
            for axis in "xy":
                if axis in stated:
                    yield f"{file} (along {axis}{_times(times)})", times * stated[axis]


def _times(factor: int) -> str:
    return f", times {factor}" if factor > 1 else ""
