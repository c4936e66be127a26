"""``python -m packages``: list, build, check, predict and publish.

A verb imports what it needs when it runs, so that help and refusals need not wait for it.
"""

from pathlib import Path
from typing import Literal

from cyclopts import App

from imaging.cli import run

app = App(name="python -m packages", help="Make, check and run packages of the BioImage Model Zoo.")


@app.command(name="list")
def list_models() -> None:
    """Show the models that can be built.

    For instance:
        python -m packages list
    """
    from packages.models import show

    show()


@app.command
def build(
    name: str,
    /,
    *,
    checkpoint: Path | None = None,
    out: Path | None = None,
    samples: int | None = None,
    steps: int | None = None,
    title: str | None = None,
    results: Path | None = None,
    trust_results: Path | None = None,
    publish: Path | None = None,
) -> None:
    """Make one zip of a model: weights in three formats, tests, documentation, model card.

    The same model and weights give the same bytes.

    For instance:
        python -m packages build care --checkpoint runs/mine --out dist/mine.zip

    Parameters
    ----------
    name
        Name of the model; `python -m packages list` shows them.
    checkpoint
        Run folder of a training, or its weights.pt. The model's reference weights without it.
    out
        Zip to write; dist/NAME.zip without it.
    samples
        How many samples of the posterior are drawn for each image, where the model draws samples;
        as it was trained for without it.
    steps
        In how many solver steps each sample is made, where the model makes it in steps; as it was
        trained for without it.
    title
        Name of the package in the zoo, and its id. Without it, a checkpoint trained on other data
        than the reference is named after the model and its data. What is said of the reference
        data (description, tags, modality, structures, biases, documentation) stands only in
        packages of weights that were trained on them.
    results
        Folder of a finished `python -m benchmark run` of this package: its scores go into the
        model card, which has none without it.
    trust_results
        Folder of finished trust tests of this package: their verdict goes into the model card,
        which has none without it.
    publish
        A publish.toml: authors, licence, funding and whatever else the zoo asks of them, which the
        package lacks without it; docs/publish.toml is an example.
    """
    from packages.build import build

    build(
        name,
        checkpoint=checkpoint,
        out=out,
        samples=samples,
        steps=steps,
        title=title,
        results=results,
        trust_results=trust_results,
        publish=publish,
    )


@app.command
def check(
    paths: list[Path],
    /,
    *,
    json: Path | None = None,
    minutes: float = 10.0,
    trust: bool = False,
) -> int:
    """Check packages: what the zoo tests, and what it does not.

    For instance:
        python -m packages check dist/mine.zip

    Parameters
    ----------
    paths
        Packages, zips or folders with an rdf.yaml.
    json
        Where to write the same report as JSON; it is only printed without it.
    minutes
        Longest time of one check: one that takes longer fails, and the others go on.
    trust
        Run Python code that a package brings along and that is not ours.
    """
    from packages.check import check

    return check(paths, json=json, minutes=minutes, trust=trust)


@app.command
def predict(
    package_path: Path,
    input_path: Path,
    output_path: Path,
    /,
    *,
    pixel_size: float | None = None,
    z_step: float | None = None,
    tile: int | None = None,
    weights: Literal["pytorch_state_dict", "torchscript", "onnx"] | None = None,
    device: str | None = None,
    scale: Literal["stack", "plane", "first"] = "stack",
    channel: str | None = None,
    scene: str | None = None,
    trust: bool = False,
    trust_mask: Path | None = None,
    shard: int | None = None,
    ome_zarr: Literal["0.4", "0.5"] = "0.5",
    workers: int | None = None,
    scheduler: str | None = None,
) -> int:
    """Restore an image, a stack, or every image of a folder.

    For instance:
        python -m packages predict dist/mine.zip STACK.tif RESTORED.ome.tif

    Parameters
    ----------
    package_path
        A package: a zip, or a folder with rdf.yaml.
    input_path
        An image, or a folder of images; they are read region by region.
    output_path
        OME-TIFF (.ome.tif), an ImageJ hyperstack (.tif) or OME-Zarr (.ome.zarr); for a folder a
        folder, where results made from the same image and package are kept.
    pixel_size
        Of the input in µm; what its file or dataset states without it. Where it differs from the
        package's by more than 2 % the image is resampled, where it is unknown the image is used as
        it is.
    z_step
        Distance of the planes in µm; what the file or dataset states without it. Volumes are not
        resampled along z: where it differs from the package's by more than a quarter they are
        refused.
    tile
        Side of the tiles in pixels, approximately; default 1024, and of volumes about 300, or more
        where there are few planes.
    weights
        Which of the package's weights to run; the first that may run without it.
    device
        Such as cpu or cuda:0; without it a GPU where there is one.
    scale
        What shares a scale of intensities, by which they are normalised: all planes and time points
        of an image (stack), so that their brightness stays comparable; no two of them (plane); or
        all, with the scale of the first time point, or of the first plane where there is no time
        (first). The output's metadata say how to bring the intensities back.
    channel
        Of an image with several channels the one to restore, by its name or its number from 1; all
        restores each by itself. Without it such an image is refused, unless the package takes
        several channels at once.
    scene
        Of a file with several images (scenes, positions, series) the one to restore, by its number
        from 1 or its name; FILE.czi#2 and FILE.czi#NAME mean the same, in every command. Without it
        positions of one shape are restored together, and others are listed.
    trust
        Let Python code of the package run.
    trust_mask
        Where to write the trust mask, a file or, for a folder, a folder: an image like the restored
        one that is 0 where nothing is promised, 1 where of the restored structures at least 90 %
        are expected to be real, and 2 where 95 %, as an overlay or labels for Fiji and napari. None
        is written without it.
    shard
        Of OME-Zarr 0.5 the side in pixels, about, of what lies in one file; without it each tile is
        a file.
    ome_zarr
        Version of OME-Zarr to write.
    workers
        How many processes of this machine restore at once, each the only one on its GPU where there
        are as many; one, this one, without it (docs/cluster.md).
    scheduler
        Address of a dask scheduler whose workers restore, such as tcp://10.0.0.1:8786; none without
        it.
    """
    from packages.predict import predict_file

    return predict_file(
        package_path,
        input_path,
        output_path,
        pixel_size=pixel_size,
        z_step=z_step,
        tile=tile,
        weights=weights,
        device=device,
        scale=scale,
        channel=channel,
        scene=scene,
        trust=trust,
        trust_mask=trust_mask,
        shard=shard,
        ome_zarr=ome_zarr,
        workers=workers,
        scheduler=scheduler,
    )


@app.command
def publish(
    package_path: Path,
    /,
    *,
    draft: bool = False,
    send: bool = False,
    server: str = "https://hypha.aicell.io",
) -> None:
    """Upload a package to the zoo; without --send show each request instead.

    The package is checked first. What is there already is not sent again, so a command that broke
    off goes on when it is given again.

    For instance:
        python -m packages publish dist/mine-measured.zip

    Parameters
    ----------
    package_path
        The zip.
    draft
        Leave it as a draft; without this it is handed in for review.
    send
        Really send it, with the token in the environment variable BIOIMAGEIO_HYPHA_UPLOAD_TOKEN.
    server
        Address of the zoo's server.
    """
    from packages.publish import publish

    publish(package_path, draft=draft, send=send, server=server)


if __name__ == "__main__":
    run(app)
