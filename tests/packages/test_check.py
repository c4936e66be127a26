import json
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.external_data_helper import set_external_data

from imaging.cli import UserError, console
from packages.check import SUITE, apply, check
from packages.checks import contents, numbers
from packages.checks.subject import Subject
from packages.models import Model
from packages.package import open_package
from tests import checking, tiny_networks
from tests import tiny_packages as tiny
from tests.checking import result_of


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("good") / "tiny.zip")


def statuses(report: Path) -> dict[str, str]:
    [package] = json.loads(report.read_text())["packages"]
    return {row["check"]: row["result"]["status"] for row in package["rows"]}


@dataclass(frozen=True)
class Run:
    status: int
    report: Path
    table: str
    strays: str


@pytest.fixture(scope="module")
def run(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of the whole suite on the good package."""
    report = tmp_path_factory.mktemp("run") / "report.json"
    strays = StringIO()
    with redirect_stdout(strays), redirect_stderr(strays), console.capture() as capture:
        status = check([good], json=report, trust=True)
    return Run(status, report, capture.get(), strays.getvalue())


def test_every_check_holds_for_a_good_package(run: Run) -> None:
    expected = dict.fromkeys(SUITE, "passed")
    expected |= {"architecture is the room's": "n/a", "metadata completeness": "missing"}
    assert statuses(run.report) == expected


def test_a_good_package_gives_status_0(run: Run) -> None:
    assert run.status == 0


def test_prints_a_table_and_nothing_else(run: Run) -> None:
    assert "Tiny network" in run.table
    strays = [line for line in run.strays.splitlines() if not line.startswith("tiny.zip")]
    assert strays == []  # beside the lines of progress on a slow machine


# One planted defect per check -------------------------------------------------------------------


def shift_test_output(package: tiny.Files) -> None:
    package["test_output.npy"] = tiny.npy(np.ones((1, 1, 48, 64), np.float32))


def give_torchscript_other_weights(package: tiny.Files) -> None:
    network = tiny_networks.load(package["model.py"].decode())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.01)
    package["torchscript.pt"] = tiny_networks.torchscript(network)


def put_nan_in_sample(package: tiny.Files) -> None:
    package["sample_input.tif"] = tiny.tiff(np.full((1, 1, 48, 64), np.nan, np.float32))


def export_opset_18(package: tiny.Files) -> None:
    package["model.onnx"] = tiny_networks.onnx(
        tiny_networks.load(package["model.py"].decode()), opset=18
    )


def change_onnx(change: Callable[[onnx.ModelProto], None]) -> Callable[[tiny.Files], None]:
    def spoil(package: tiny.Files) -> None:
        model = onnx.load_from_string(package["model.onnx"])
        change(model)
        package["model.onnx"] = model.SerializeToString()

    return spoil


def raise_ir(model: onnx.ModelProto) -> None:
    model.ir_version = 9


def fix_width(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 16


def move_weights_out(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        set_external_data(tensor, "model.onnx.data")
        tensor.ClearField("raw_data")


def import_numpy(package: tiny.Files) -> None:
    package["model.py"] = b"import numpy\n" + package["model.py"]


def drop_validation_heading(package: tiny.Files) -> None:
    package["documentation.md"] = b"# Tiny\n\nValidation is mentioned, but has no heading.\n"


def spoil_torchscript(package: tiny.Files) -> None:
    package["torchscript.pt"] = b"not TorchScript"


FILE_DEFECTS = {
    "wrong test output": ("bioimageio test, each format", shift_test_output, "disagree"),
    "NaN in a sample": ("no NaN or Inf", put_nan_in_sample, "sample tensor 'input'"),
    "other weights": ("formats agree", give_torchscript_other_weights, "torchscript/onnx"),
    "opset 18": ("ONNX for older engines", export_opset_18, "opset 18 is newer"),
    "IR 9": ("ONNX for older engines", change_onnx(raise_ir), "IR 9 is newer"),
    "fixed width": ("ONNX for older engines", change_onnx(fix_width), "fixed size 16"),
    "external data": ("ONNX for older engines", change_onnx(move_weights_out), "second file"),
    "broken TorchScript": ("TorchScript opens", spoil_torchscript, "RuntimeError"),
    "numpy": ("architecture imports", import_numpy, "it imports numpy"),
    "no Validation heading": ("what the zoo asks for", drop_validation_heading, "'Validation'"),
}


@pytest.mark.parametrize("defect", FILE_DEFECTS)
def test_catches_a_bad_file(defect: str, tmp_path: Path) -> None:
    name, spoil, reason = FILE_DEFECTS[defect]
    package = tiny.build(tmp_path / "tiny.zip", spoil_files=spoil)
    result = result_of(name, package)
    assert result.status == "failed"
    assert reason in result.detail


NETWORK_DEFECTS = {
    "no NaN or Inf": ("(lambda x: x * float('nan'))", "values are NaN or Inf"),
    "tiled equals whole": ("(lambda x: x - x.mean((2, 3), keepdim=True))", "269x261 tiles differ"),
    "batch of 2 equals 2 of 1": ("(lambda x: x - x.mean(0, keepdim=True))", "share a batch"),
    "same input, same bits": ("(lambda x: x + torch.rand_like(x))", "other values when run again"),
}


@pytest.mark.parametrize("name", NETWORK_DEFECTS)
def test_catches_a_bad_network(name: str, tmp_path: Path) -> None:
    change, reason = NETWORK_DEFECTS[name]
    result = result_of(name, tiny.build(tmp_path / "tiny.zip", change=change))
    assert result.status == "failed"
    assert reason in result.detail


def test_catches_too_small_a_halo(tmp_path: Path) -> None:
    def spoil(description: tiny.Description) -> None:
        for axis in description["outputs"][0]["axes"][2:]:
            axis["halo"] = 1

    result = result_of(
        "tiled equals whole", tiny.build(tmp_path / "tiny.zip", spoil_description=spoil)
    )
    assert result.status == "failed"
    assert "269x261 tiles differ" in result.detail


@pytest.mark.parametrize(("halo", "status"), [(4, "passed"), (1, "failed")])
def test_tiles_of_volumes_are_small(halo: int, status: str, tmp_path: Path) -> None:
    axes = ("batch", "channel", "z", "y", "x")
    folder = tiny.write(tmp_path / "p", tiny_networks.Blur(ndim=3), axes=axes, halo=halo)
    result = result_of("tiled equals whole", folder)
    assert result.status == status
    assert list(result.values) == ["77x69"]


def write_as_format_0_5_12(description: tiny.Description) -> None:
    description["format_version"] = "0.5.12"
    description["covers"] = [{"source": "cover.png"}]
    description["documentation"] = {"source": "documentation.md"}


def write_covers_as_maps(description: tiny.Description) -> None:
    description["covers"] = [{"source": "cover.png"}]


def write_documentation_as_map(description: tiny.Description) -> None:
    description["documentation"] = {"source": "documentation.md"}


def put_space_in_channel_name(description: tiny.Description) -> None:
    description["outputs"][0]["axes"][1]["channel_names"] = ["the mean"]


def drop_axis_id(description: tiny.Description) -> None:
    del description["inputs"][0]["axes"][0]["id"]


def add_output_of(description: tiny.Description) -> None:
    description["inputs"][0]["output_of"] = None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (write_as_format_0_5_12, "0.5.12 is newer"),
        (write_covers_as_maps, "covers[0] is not a plain string"),
        (write_documentation_as_map, "documentation is not a plain string"),
        (put_space_in_channel_name, "'the mean' of outputs[0]"),
        (drop_axis_id, "inputs[0].axes[0] has no id"),
        (add_output_of, "inputs[0] has output_of"),
    ],
)
def test_catches_what_older_readers_refuse(
    spoil: Callable[[tiny.Description], None], reason: str, tmp_path: Path
) -> None:
    package = tiny.build(tmp_path / "tiny.zip", spoil_description=spoil)
    result = result_of("YAML for older readers", package)
    assert result.status == "failed"
    assert reason in result.detail


def test_catches_an_architecture_that_left_its_room(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rdf.yaml").write_text("name: Tiny network\n")
    (tmp_path / "model.py").write_text("# Another network.\n")
    monkeypatch.setattr(contents, "models", lambda: [Model("tiny", tmp_path)])
    assert result_of("architecture is the room's", good).status == "failed"


# What does not fail ------------------------------------------------------------------------------


def test_unmet_wishes_are_noted_without_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(description: tiny.Description) -> None:
        del description["config"]

    package = tiny.build(tmp_path / "tiny.zip", spoil_description=spoil)
    monkeypatch.setattr("packages.check.SUITE", {"model card": contents.has_model_card})
    report = tmp_path / "report.json"
    assert check([package], json=report, trust=True) == 0
    assert statuses(report) == {"model card": "missing"}


def test_stated_tolerance_allows_formats_to_differ(tmp_path: Path) -> None:
    def spoil(description: tiny.Description) -> None:
        description["config"]["bioimageio"]["reproducibility_tolerance"] = [
            {"relative_tolerance": 0.009, "absolute_tolerance": 0.09}
        ]

    package = tiny.build(
        tmp_path / "tiny.zip",
        spoil_files=give_torchscript_other_weights,
        spoil_description=spoil,
    )
    assert result_of("formats agree", package).status == "passed"


# How it fails ------------------------------------------------------------------------------------


def test_untrusted_code_is_not_run_and_not_called_good(good: Path) -> None:
    with open_package(good) as opened, closing(Subject(opened)) as subject:
        result = apply(SUITE["bioimageio test, each format"], subject)
    assert result.status == "failed"
    assert "--trust" in result.detail
    assert set(result.values) == {"torchscript", "onnx"}


def test_an_unreadable_package_fails_and_others_go_on(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"not a zip")
    report = tmp_path / "report.json"
    monkeypatch.setattr("packages.check.SUITE", {"covers": contents.has_good_covers})
    assert check([bad, good], json=report, trust=True) == 1
    first, second = json.loads(report.read_text())["packages"]
    assert [row["check"] for row in first["rows"]] == ["opens"]
    assert second["holds"]


def test_an_exception_is_one_failed_row(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = {"explodes": checking.explode, "covers": contents.has_good_covers}
    monkeypatch.setattr("packages.check.SUITE", suite)
    report = tmp_path / "report.json"
    assert check([good], json=report, trust=True) == 1
    assert statuses(report) == {"explodes": "failed", "covers": "passed"}


def test_a_check_that_kills_or_hangs_costs_its_own_row(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = {"dies": checking.crash, "hangs": checking.hang, "covers": contents.has_good_covers}
    monkeypatch.setattr("packages.check.SUITE", suite)
    report = tmp_path / "report.json"
    assert check([good], json=report, minutes=0.1, trust=True) == 1
    [package] = json.loads(report.read_text())["packages"]
    assert package["name"] == "Tiny network"
    assert {row["check"]: row["result"]["detail"] for row in package["rows"][:2]} == {
        "dies": "The package's process was ended by SIGSEGV.",
        "hangs": "The package's process was ended, as it took more than 6 s.",
    }
    assert statuses(report) == {"dies": "failed", "hangs": "failed", "covers": "passed"}


def test_a_package_that_ends_its_process_lets_the_others_be_checked(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(package: tiny.Files) -> None:
        package["model.py"] += b"\nimport os\nos._exit(3)\n"

    bad = tiny.build(tmp_path / "bad.zip", spoil_files=spoil)
    report = tmp_path / "report.json"
    monkeypatch.setattr("packages.check.SUITE", {"no NaN or Inf": numbers.has_no_nan})
    assert check([bad, good], json=report, trust=True) == 1
    assert [package["holds"] for package in json.loads(report.read_text())["packages"]] == [
        False,
        True,
    ]


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(good: Path, minutes: float) -> None:
    with pytest.raises(UserError, match=r"--minutes .* is no time: give minutes above 0\."):
        check([good], minutes=minutes)


# The measure -------------------------------------------------------------------------------------


def test_relative_difference_is_a_fraction_of_the_range() -> None:
    a = np.array([0.0, 5.0, 10.0])
    assert numbers.relative_difference(a, a + np.array([0, 0, 1])) == pytest.approx(0.1)


def test_relative_difference_of_other_shapes_is_infinite() -> None:
    assert numbers.relative_difference(np.zeros(2), np.zeros(3)) == float("inf")


def test_relative_difference_with_nan_is_never_small() -> None:
    assert not numbers.relative_difference(np.array([0.0, 1.0]), np.array([0.0, np.nan])) <= 1
