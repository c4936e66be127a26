from pathlib import Path

from benchmark.running.cell import compute_cell
from benchmark.running.restore import Method
from benchmark.running.run import describe_run
from imaging.benchmark_run import DatasetEntry, ImageEntry, MetricEntry
from imaging.dataset_facts import Facts, ImageFacts, write_facts
from imaging.datasets import open_dataset
from imaging.files import sha256
from imaging.protocol import Protocol
from imaging.source_files import source_sha256
from tests.benchmark import stand_ins


def described(folder: Path, facts: Facts | None = None) -> DatasetEntry:
    if facts is not None:
        write_facts(folder, facts)
    files = [*folder.rglob("*.tif")]
    run = describe_run([], [open_dataset(folder)], {file: sha256(file) for file in files})
    return run.datasets[0]


def test_the_files_of_an_image_are_named(tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data", 2)
    (data / "native").mkdir()
    (data / "repeat").mkdir()
    (data / "annotations").mkdir()
    files = {kind: data / kind / "0001.tif" for kind in ("input", "target", "repeat", "native")}
    files["mask"] = data / "annotations" / "0001.tif"
    files["mask"].write_bytes(files["input"].read_bytes())
    files["native"].write_bytes(files["input"].read_bytes())
    files["repeat"].write_bytes(files["target"].read_bytes())
    alone, whole = described(data).images
    assert (alone.repeat, alone.repeat_sha256, alone.native) == ("", "", "")
    assert whole == ImageEntry(
        name="0001",
        source="specimen 1",
        input=str(files["input"]),
        input_sha256=sha256(files["input"]),
        target=str(files["target"]),
        target_sha256=sha256(files["target"]),
        repeat=str(files["repeat"]),
        repeat_sha256=sha256(files["repeat"]),
        native=str(files["native"]),
        mask=str(files["mask"]),
        mask_sha256=sha256(files["mask"]),
    )


def test_a_dataset_is_described_as_its_dataset_toml_does(tmp_path: Path) -> None:
    facts = Facts(
        name="cells",
        description="Cells of nobody.",
        licence="CC0-1.0",
        pixel_size_um=0.1,
        target_pixel_size_um=0.05,
        registration="registered",
        registered={"0000": {"kept": "affine", "scale": 1.5}},
        provenance={"seed": 3, "command": "simulate"},
        protocol=Protocol(name="p", version=1, split_by="cell", normalisation="none"),
        images={
            "0000": ImageFacts(split="train"),
            "0001": ImageFacts(split="validation", level=4),
        },
    )
    found = described(stand_ins.dataset(tmp_path / "data", 2), facts)
    told = (found.name, found.description, found.licence)
    assert told == ("cells", "Cells of nobody.", "CC0-1.0")
    assert (found.pixel_size_um, found.target_pixel_size_um) == (0.1, 0.05)
    assert (found.registration, found.registered) == ("registered", facts.registered)
    assert found.provenance == facts.provenance
    assert (found.protocol, found.images[0].level) == (facts.protocol, 4)
    assert (found.part, [image.name for image in found.images]) == ("validation", ["0001"])


def test_a_dataset_of_which_nothing_is_stated_is_used_as_a_whole(tmp_path: Path) -> None:
    found = described(stand_ins.dataset(tmp_path / "data", 2))
    assert (found.registration, found.registered, found.part) == ("", {}, "all")
    assert (found.description, found.target_pixel_size_um) == ("", None)


def test_who_ran_is_described() -> None:
    net = Method(
        "net",
        "A net",
        Path("net.zip"),
        "1" * 64,
        {"y": 0.1},
        "onnx",
        interval_factors={"0.9": 1.5},
        delivery="own",
    )
    control, package = describe_run([Method("input", "control: input"), net], [], {}).packages
    assert (control.control, control.file, control.sha256) == (True, "", "")
    assert (package.control, package.file, package.sha256) == (False, "net.zip", "1" * 64)
    assert (package.weights, package.delivery, package.pixel_size_um) == ("onnx", "own", {"y": 0.1})
    assert (package.title, package.interval_factors) == ("A net", {"0.9": 1.5})


def test_metrics_and_costs_are_described() -> None:
    metrics = describe_run([], [], {}).metrics
    assert metrics["si_psnr_a"] == MetricEntry("higher", "dB")
    assert metrics["coverage_90"] == MetricEntry("closest", "", 0.9)
    assert metrics["peak_mib"] == MetricEntry("lower", "MiB")


def test_the_code_that_numbers_come_from_is_that_of_cells() -> None:
    expected = source_sha256(compute_cell.__module__)
    assert describe_run([], [], {}).benchmark_sha256 == expected
