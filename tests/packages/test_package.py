import json
import zipfile
from pathlib import Path

import pytest
from torch import nn

from imaging.cli import UserError
from packages.models import Model
from packages.package import open_package
from tests import tiny_networks
from tests import tiny_packages as tiny


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "tiny.zip", nn.Conv2d(1, 2, 3, padding=1))


def change(folder: Path, **entries: object) -> Path:
    file = folder / "rdf.yaml"
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))
    return folder


def refuses(path: Path, sentence: str, *, trust: bool = False) -> None:
    with pytest.raises(UserError, match=sentence), open_package(path, trust=trust):
        pass


def test_zip_is_described(package: Path) -> None:
    with open_package(package) as opened:
        assert opened.name == "Tiny network"
        assert opened.pixel_size_um == {"y": 0.1, "x": 0.1}
        assert opened.channels == ["mean"]
        assert opened.weights == ("torchscript",)


def test_folder_is_read_in_place(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "tiny", nn.Conv2d(1, 1, 3, padding=1))

    with open_package(folder) as opened:
        assert opened.description.root == folder


def test_files_of_a_zip_are_removed_afterwards(package: Path) -> None:
    with open_package(package) as opened:
        folder = opened.description.root

    assert isinstance(folder, Path)
    assert not folder.exists()


def test_unknown_pixel_size_is_empty(tmp_path: Path) -> None:
    with open_package(tiny.write(tmp_path / "p", nn.Identity(), pixel_um=None)) as opened:
        assert opened.pixel_size_um == {}


def test_pixel_size_is_converted_to_micrometres(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())
    text = (folder / "rdf.yaml").read_text()
    (folder / "rdf.yaml").write_text(
        text.replace("micrometer", "nanometer").replace('"scale": 0.1', '"scale": 80.0')
    )

    with open_package(folder) as opened:
        assert opened.pixel_size_um == pytest.approx({"y": 0.08, "x": 0.08})


def stating_pixels(folder: Path, y: object) -> Path:
    """A package that says its pixel size in its own entries."""
    path = tiny.write(folder / "p", nn.Identity(), pixel_um=None)
    content = json.loads((path / "rdf.yaml").read_text())
    content["config"] = {"restoration_zoo": {"pixel_size_um": {"y": y, "x": 0.08}}}
    (path / "rdf.yaml").write_text(json.dumps(content))
    return path


def test_a_pixel_size_beside_the_axes_is_read(tmp_path: Path) -> None:
    with open_package(stating_pixels(tmp_path, 0.1)) as opened:
        assert opened.pixel_size_um == {"y": 0.1, "x": 0.08}


@pytest.mark.parametrize("size", ["0.08", 0, -1.0, None, [0.08], float("inf")])
def test_a_pixel_size_that_is_no_length_is_refused(tmp_path: Path, size: object) -> None:
    path = stating_pixels(tmp_path, size)
    with open_package(path) as opened, pytest.raises(UserError, match=r"pixel_size_um\.y .* is "):
        _ = opened.pixel_size_um


def test_missing_file_is_refused(tmp_path: Path) -> None:
    refuses(tmp_path / "none.zip", "does not exist")


def test_truncated_zip_is_refused(package: Path) -> None:
    package.write_bytes(package.read_bytes()[:-200])

    refuses(package, "not a whole zip")


def test_damaged_zip_is_refused(package: Path) -> None:
    content = bytearray(package.read_bytes())
    content[200:240] = bytes(40)
    package.write_bytes(content)

    refuses(package, "not a whole zip")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "C:\\evil", "..\\evil"])
def test_path_outside_is_refused(package: Path, name: str) -> None:
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr(name, "evil")

    refuses(package, "a path outside itself")


def test_zip_without_description_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.md", "nothing")

    refuses(path, "no rdf.yaml")


def test_other_resource_is_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())

    refuses(change(folder, type="dataset", format_version="0.3.0"), "describes no model")


def test_invalid_entry_is_named(tmp_path: Path) -> None:
    refuses(change(tiny.write(tmp_path / "p", nn.Identity()), name="?"), "'name'")


def test_text_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())
    (folder / "rdf.yaml").write_text("{ not: [ yaml")

    refuses(folder, "cannot be read")


@pytest.mark.parametrize("source", ["../torchscript.pt", "https://example.com/torchscript.pt"])
def test_weights_elsewhere_are_refused(tmp_path: Path, source: str) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())
    (folder / "torchscript.pt").rename(tmp_path / "torchscript.pt")
    entry = {"torchscript": {"source": source, "pytorch_version": "2.0"}}

    refuses(change(folder, weights=entry), "not inside it")


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())
    (folder / "torchscript.pt").unlink()

    refuses(folder, "lacks its file 'torchscript.pt'")


def test_two_required_inputs_are_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())
    first = json.loads((folder / "rdf.yaml").read_text())["inputs"][0]

    refuses(change(folder, inputs=[first, first | {"id": "second"}]), "needs 2 inputs")


def state_dict_package(tmp_path: Path, *more: str) -> Path:
    network = tiny_networks.load(tiny_networks.network_source())
    return tiny.write(tmp_path / "p", network, weights=("pytorch_state_dict", *more))


def test_foreign_code_needs_trust(tmp_path: Path) -> None:
    refuses(state_dict_package(tmp_path), "--trust")


def test_foreign_code_runs_with_trust(tmp_path: Path) -> None:
    with open_package(state_dict_package(tmp_path), trust=True) as opened:
        assert opened.weights == ("pytorch_state_dict",)


def test_foreign_code_is_passed_over_for_torchscript(tmp_path: Path) -> None:
    with open_package(state_dict_package(tmp_path, "torchscript")) as opened:
        assert opened.weights == ("torchscript",)


def test_code_of_a_room_needs_no_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Model("room", tmp_path / "room")
    room.folder.mkdir()
    room.model_file.write_text(tiny_networks.network_source())
    monkeypatch.setattr("packages.package.models", lambda: [room])

    with open_package(state_dict_package(tmp_path)) as opened:
        assert opened.weights == ("pytorch_state_dict",)


def test_callable_of_a_library_needs_trust(tmp_path: Path) -> None:
    folder = state_dict_package(tmp_path)
    weights = json.loads((folder / "rdf.yaml").read_text())["weights"]
    weights["pytorch_state_dict"]["architecture"] = {
        "callable": "Conv2d",
        "import_from": "torch.nn",
        "kwargs": {"in_channels": 1, "out_channels": 1, "kernel_size": 3},
    }

    refuses(change(folder, weights=weights), "--trust")
