"""publish.toml: what it states is checked, and reaches the description and documentation."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from imaging.cli import UserError
from packages.build import build
from packages.care.model import UNet
from packages.checks.completeness import completeness
from packages.package import open_package
from packages.publish_toml import read_publication
from tests.trained import trained_weights

EXAMPLE = Path(__file__).parents[2] / "docs" / "publish.toml"
NETWORK: dict[str, Any] = {"depth": 1, "filters": 8, "kernel_size": 3, "coarsen": 4}
MAINTAINED = "[[maintainers]]\ngithub_user = 'me'\n"

Building = Callable[[str], Path]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as training writes them, of a network too small to restore anything."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("run") / "weights.pt"
    trained_weights(UNet(**NETWORK), "care", NETWORK).write(file)
    return file


@pytest.fixture(scope="module")
def published(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package built with the example."""
    out = tmp_path_factory.mktemp("dist") / "care.zip"
    return build("care", checkpoint=checkpoint, out=out, publish=EXAMPLE)


@pytest.fixture
def building(checkpoint: Path, tmp_path: Path) -> Building:
    """Build a package with a publish.toml of this text."""

    def build_with(text: str) -> Path:
        file = tmp_path / "publish.toml"
        file.write_text(text, "utf-8")
        return build("care", checkpoint=checkpoint, out=tmp_path / "care.zip", publish=file)

    return build_with


def described(package: Path) -> dict[str, Any]:
    with zipfile.ZipFile(package) as archive:
        return yaml.safe_load(archive.read("rdf.yaml"))


def documented(package: Path) -> str:
    with zipfile.ZipFile(package) as archive:
        return archive.read("documentation.md").decode()


def test_the_example_is_as_complete_as_the_zoo_can_count(published: Path) -> None:
    with open_package(published) as package:
        assert completeness(package.description).share >= 0.95


def test_authors_made_the_weights_and_the_package(published: Path) -> None:
    description = described(published)
    author = {
        "name": "Josiah Carberry",
        "affiliation": "Brown University",
        "orcid": "0000-0002-1825-0097",
        "email": "josiah@example.org",
    }
    assert description["authors"] == [author]
    assert description["packaged_by"] == [author]
    assert [w["authors"] for w in description["weights"].values() if w] == [[author]] * 3


def test_a_doi_of_data_is_their_id_in_the_zoo(published: Path) -> None:
    assert described(published)["training_data"] == {"id": "10.5072/my-images", "version": None}


def test_the_method_is_still_cited(published: Path) -> None:
    cited = [entry["doi"] for entry in described(published)["cite"]]
    assert cited == ["10.5072/my-paper", "10.1038/s41592-018-0216-7"]


def test_tags_are_added_to_the_models(published: Path) -> None:
    tags = described(published)["tags"]
    assert tags[-2:] == ["tissue", "brain"]
    assert "denoising" in tags


def test_the_model_card_tells_who_paid_and_where_it_was_trained(published: Path) -> None:
    card = described(published)["config"]["bioimageio"]
    assert card["funded_by"] == "Example Research Council (grant ABC-123)"
    assert card["environmental_impact"]["co2_emitted"] == 0.02
    assert card["environmental_impact"]["hardware_type"] == "test CPU"


def test_the_documentation_names_people_and_sources(published: Path) -> None:
    text = documented(published)
    assert "- Josiah Carberry, Brown University, <https://orcid.org/0000-0002-1825-0097>" in text
    assert "- Training data: <https://doi.org/10.5072/my-images>" in text
    assert "- Licence: BSD-3-Clause" in text


def test_what_nobody_stated_is_not_invented(building: Building) -> None:
    description = described(building("license = 'MIT'"))
    assert description["license"] == "MIT"
    assert description["authors"] == [{"name": "The restoration-zoo authors"}]
    assert not {"training_data", "uploader", "timestamp", "git_repo"} & description.keys()


def test_a_title_is_that_of_description_and_documentation(building: Building) -> None:
    package = building("title = 'My microscope'\ndescription = 'Mine.'")
    assert described(package)["name"] == "My microscope"
    assert described(package)["description"] == "Mine."
    assert documented(package).startswith("# My microscope\n")


def test_a_title_is_not_asked_twice(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "publish.toml"
    file.write_text("title = 'My microscope'")
    with pytest.raises(UserError, match=r"publish\.toml states a title: leave --title out"):
        build("care", checkpoint=checkpoint, out=tmp_path / "x.zip", title="Other", publish=file)


def test_images_beside_the_file_are_packed(building: Building, tmp_path: Path) -> None:
    Image.new("L", (64, 32)).save(tmp_path / "mine.jpg")
    Image.new("L", (32, 32)).save(tmp_path / "mine.png")
    package = building("covers = ['mine.jpg']\nicon = 'mine.png'")
    assert described(package)["covers"] == ["cover-1.jpg"]
    assert described(package)["icon"] == "icon.png"
    assert {"cover-1.jpg", "icon.png"} < set(zipfile.ZipFile(package).namelist())
    assert "cover.png" not in zipfile.ZipFile(package).namelist()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("licence = 'MIT'", "there is no entry 'licence': remove it or correct its name"),
        ("[[authors]]\nname = 'A'\nage = 3", "there is no entry 'authors.0.age': remove it"),
        ("license = 'BSD'", "entry 'license': 'BSD' is not an SPDX identifier"),
        (
            MAINTAINED + "[[authors]]\nname = 'A'\norcid = '0000-0002-1825-0098'",
            "entry 'authors.0.orcid': '0000-0002-1825-0098' is not an ORCID iD",
        ),
        (
            MAINTAINED + "[[authors]]\nname = 'A'\norcid = 'https://orcid.org/0000-0002-1825-0097'",
            "entry 'authors.0.orcid'",
        ),
        ("[[authors]]\nname = 'A/B'\ngithub_user = 'a'", "'A/B' is not a name without slashes"),
        ("[[authors]]\nname = 'A'", "entry 'maintainers' is missing, and no author has a github"),
        ("[[maintainers]]\nname = 'A'", "entry 'maintainers.0.github_user' is missing"),
        (
            "[[maintainers]]\ngithub_user = 'https://github.com/me'",
            "entry 'maintainers.0.github_user': 'https://github.com/me' is not a GitHub user name",
        ),
        ("[uploader]\nemail = 'me'", "entry 'uploader.email'"),
        ("[[cite]]\ntext = 'A'", "entry 'cite.0': neither doi nor url says where to find it"),
        ("[[cite]]\ntext = 'A'\ndoi = 'https://doi.org/10.1/2'", "'cite.0.doi'.*is not a DOI as"),
        ("[[cite]]\ntext = 'A'\nurl = 'example'", "'cite.0.url': 'example' is not a web address"),
        ("git_repo = 'my-lab/my-model'", "'git_repo': 'my-lab/my-model' is not a web address"),
        ("[training_data]\nid = 'a'\ndoi = '10.5072/a'", "'training_data': either id or doi"),
        ("[training_data]\nversion = '1'", "'training_data': either id or doi must be stated"),
        ("[training_data]\ndoi = '10.5072/a(b)'", "is not a DOI that can be an id of the zoo"),
        ("[parent]\nid = 'Affable Shark'", "'parent.id': 'Affable Shark' is not an id of the zoo"),
        ("links = ['Deep ImageJ']", "'links.0': 'Deep ImageJ' is not an id of the zoo"),
        ("version = 'first'", "'version': 'first' is not a version as"),
        ("title = 'µm'", "'title': 'µm' is not 5 to 128 English letters"),
        ("released = 'soon'", "entry 'released'"),
        ("[environment]\nco2_emitted = -1", "entry 'environment.co2_emitted'"),
        ("covers = ['none.png']", r"entry 'covers.0': .*none.png does not exist"),
        ("covers = ['none.tif']", "entry 'covers.0': 'none.tif' is no image that the zoo shows"),
        ("icon = 'fish.txt'", "entry 'icon': 'fish.txt' is no image that the zoo shows"),
        ("license = ", "is not a TOML file"),
    ],
)
def test_faults_are_one_sentence_that_names_file_and_entry(
    text: str, fault: str, tmp_path: Path
) -> None:
    file = tmp_path / "publish.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(UserError, match=fault) as refusal:
        read_publication(file)
    assert str(refusal.value).startswith(str(file))
    assert "\n" not in str(refusal.value)
