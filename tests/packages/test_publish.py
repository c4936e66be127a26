"""Uploads to a server that refuses, falls silent, answers nonsense and breaks off."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from imaging.cli import UserError
from packages import zoo_client
from packages.publish import publish
from tests import tiny_packages
from tests.packages.zoo_server import TOKEN, Failure, StandIn, serving

HTML = b"<!DOCTYPE html><title>Be back soon</title>"


def build(path: Path, **change: Any) -> Path:
    """Write a package that somebody answers for, with entries changed."""
    entries = {"maintainers": [{"github_user": "octocat"}], **change}
    return tiny_packages.build(path, spoil_description=lambda d: d.update(entries))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("packages") / "tiny.zip")


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv(zoo_client.TOKEN, TOKEN)
    monkeypatch.setattr(zoo_client, "_ANSWER_S", 0.5)
    monkeypatch.setattr(zoo_client, "_UPLOAD_S", 0.5)
    with serving() as server:
        yield server


def send(package: Path, zoo: StandIn, **options: Any) -> None:
    publish(package, send=True, server=zoo.address, **options)


def contents(package: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_file_arrives_as_it_was(package: Path, zoo: StandIn) -> None:
    send(package, zoo)
    there = zoo.files["bioimage-io/affable-shark"]
    expected = contents(package)
    assert there.keys() == expected.keys()
    del there["rdf.yaml"], expected["rdf.yaml"]
    assert there == expected


def test_rdf_yaml_gets_the_id_and_emoji_and_nothing_else(package: Path, zoo: StandIn) -> None:
    send(package, zoo)
    there = yaml.safe_load(zoo.files["bioimage-io/affable-shark"]["rdf.yaml"])
    assert (there.pop("id"), there.pop("id_emoji")) == ("affable-shark", "🦈")
    expected = yaml.safe_load(contents(package)["rdf.yaml"])
    del expected["id"]
    assert there == expected


def test_a_model_is_created_as_a_draft_that_reviewers_may_change(
    package: Path, zoo: StandIn
) -> None:
    send(package, zoo)
    (created,) = [arguments for function, arguments in zoo.bodies if function == "create"]
    assert created["parent_id"] == "bioimage-io/bioimage.io"
    assert created["alias"] == "{animal_adjective}-{animal}"
    assert created["stage"] is True
    assert created["config"] == {"permissions": {"github|1": "rw+", "owner": "rw+"}}
    assert created["manifest"]["status"] == "draft"


def test_it_is_handed_in_with_the_hashes_of_what_is_there(package: Path, zoo: StandIn) -> None:
    send(package, zoo)
    manifest = zoo.artifacts["bioimage-io/affable-shark"]["manifest"]
    assert manifest["status"] == "in-review"
    assert manifest["file_sha256"] == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in zoo.files["bioimage-io/affable-shark"].items()
    }


def test_weights_count_as_downloads(package: Path, zoo: StandIn) -> None:
    send(package, zoo)
    counted = {
        arguments["file_path"]
        for function, arguments in zoo.bodies
        if function == "put_file" and arguments.get("download_weight") == 1
    }
    assert counted == {"weights.pt", "torchscript.pt", "model.onnx"}


def test_a_draft_stays_a_draft_until_it_is_handed_in(package: Path, zoo: StandIn) -> None:
    send(package, zoo, draft=True)
    assert zoo.artifacts["bioimage-io/affable-shark"]["manifest"]["status"] == "draft"
    zoo.log.clear()
    send(package, zoo)
    assert zoo.artifacts["bioimage-io/affable-shark"]["manifest"]["status"] == "in-review"
    assert zoo.log == ["list", "read", "edit"]


def test_what_a_user_changed_in_his_draft_is_kept(package: Path, zoo: StandIn) -> None:
    send(package, zoo, draft=True)
    zoo.artifacts["bioimage-io/affable-shark"]["manifest"]["name"] = "Better name"
    send(package, zoo)
    assert zoo.artifacts["bioimage-io/affable-shark"]["manifest"]["name"] == "Better name"


def test_nothing_is_sent_twice(
    package: Path, zoo: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    send(package, zoo)
    zoo.log.clear()
    send(package, zoo)
    assert zoo.log == ["list", "read"]
    assert "is already there, in-review" in capsys.readouterr().out


def test_it_is_found_behind_the_first_page_of_the_list(
    package: Path, zoo: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        zoo.artifacts[f"bioimage-io/other-{number}"] = {"id": f"bioimage-io/other-{number}"}
    send(package, zoo)
    monkeypatch.setattr("packages.publish._PAGE", 2)
    send(package, zoo)
    assert len(zoo.artifacts) == 4


@pytest.mark.parametrize(
    "failure", ["silent", "cut off", "lost answer", 401, 403, 404, 409, 500, HTML, b'{"a": 1}']
)
@pytest.mark.parametrize("what", ["list", "create", "put_file"])
def test_after_any_failure_the_same_command_finishes(
    what: str, failure: Failure, package: Path, zoo: StandIn
) -> None:
    zoo.failures[what] = failure
    with pytest.raises(UserError) as refusal:
        send(package, zoo)
    told = str(refusal.value)
    assert what in told
    assert "\n" not in told
    assert TOKEN not in told
    send(package, zoo)
    assert list(zoo.artifacts) == ["bioimage-io/affable-shark"]
    assert zoo.artifacts["bioimage-io/affable-shark"]["manifest"]["status"] == "in-review"
    assert zoo.files["bioimage-io/affable-shark"].keys() == contents(package).keys()


@pytest.mark.parametrize("failure", ["silent", "cut off", "lost answer", 403, 500])
def test_after_a_broken_upload_only_the_rest_is_sent(
    failure: Failure, package: Path, zoo: StandIn
) -> None:
    zoo.failures["model.onnx"] = failure
    with pytest.raises(UserError, match=r"'model\.onnx'"):
        send(package, zoo)
    zoo.log.clear()
    send(package, zoo)
    assert "cover.png" not in zoo.log
    assert zoo.log.count("model.onnx") == (0 if failure == "lost answer" else 1)
    assert zoo.files["bioimage-io/affable-shark"].keys() == contents(package).keys()


def test_a_lost_answer_to_the_last_request_changes_nothing(package: Path, zoo: StandIn) -> None:
    zoo.failures["edit"] = "lost answer"
    with pytest.raises(UserError, match="broke off at edit"):
        send(package, zoo)
    zoo.log.clear()
    send(package, zoo)
    assert zoo.log == ["list", "read"]


def test_a_server_that_keeps_nothing_gets_no_request_for_review(
    package: Path, zoo: StandIn
) -> None:
    zoo.forgets = True
    with pytest.raises(UserError, match="does not have it"):
        send(package, zoo)
    assert "edit" not in zoo.log


@pytest.mark.parametrize("config", [b"{}", b'{"permissions": []}', b"null"])
def test_nothing_is_created_that_no_reviewer_could_change(
    config: bytes, package: Path, zoo: StandIn
) -> None:
    zoo.failures["read"] = b'{"id": "bioimage-io/bioimage.io", "config": ' + config + b"}"
    with pytest.raises(UserError, match="did not answer read as the zoo does"):
        send(package, zoo)
    assert zoo.artifacts == {}


def test_an_upload_goes_nowhere_unencrypted(package: Path, zoo: StandIn) -> None:
    zoo.failures["put_file"] = b'"http://example.org/storage"'
    with pytest.raises(UserError, match="which is not encrypted"):
        send(package, zoo)


def test_nobody_there(package: Path, zoo: StandIn) -> None:
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9 broke off at list"):
        publish(package, send=True, server="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "make a new token"),
        (403, "use a token of an account that may do this"),
        (404, "check --server"),
        (409, "look at your drafts"),
        (500, "give the same command again"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, remedy: str, package: Path, zoo: StandIn) -> None:
    zoo.failures["create"] = status
    with pytest.raises(UserError, match=f"refused create with status {status} .*{remedy}"):
        send(package, zoo)


def test_without_send_nothing_leaves(
    package: Path, zoo: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(package, server=zoo.address)
    assert zoo.log == []
    assert "Nothing was sent" in capsys.readouterr().out


def test_what_is_shown_is_what_would_be_sent(
    package: Path, zoo: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(package, server=zoo.address)
    shown = capsys.readouterr().out
    send(package, zoo)
    posted = [line.rpartition("/")[2] for line in shown.splitlines() if line.startswith("POST")]
    assert posted == [function for function, _ in zoo.bodies]
    created = shown.partition("/create\n")[2].partition("\nPOST")[0]
    (sent,) = [arguments for function, arguments in zoo.bodies if function == "create"]
    assert json.loads(created)["manifest"] == sent["manifest"]
    onnx = contents(package)["model.onnx"]
    assert f"{len(onnx)} bytes, sha256 {hashlib.sha256(onnx).hexdigest()}" in shown
    assert TOKEN not in shown


def test_showing_needs_no_token(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(zoo_client.TOKEN, raising=False)
    publish(package)
    assert "POST https://hypha.aicell.io/public/services" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("token", "complaint"),
    [("", "is not set: make a token"), ("two words", "holds no token"), ("a\n", "holds no token")],
)
def test_no_token_no_request(
    token: str, complaint: str, package: Path, zoo: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(zoo_client.TOKEN, token)
    with pytest.raises(UserError, match=f"BIOIMAGEIO_HYPHA_UPLOAD_TOKEN {complaint}"):
        send(package, zoo)
    assert zoo.log == []


def test_a_token_never_travels_unencrypted(package: Path, zoo: StandIn) -> None:
    with pytest.raises(UserError, match=r"http://example\.org is not encrypted"):
        publish(package, send=True, server="http://example.org")


def test_a_folder_is_no_zip(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder: give the zip"):
        publish(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"license": None}, "is not fit for the zoo: no license"),
        ({"icon": {"source": "cover.png"}}, "is not fit for the zoo: icon is not a plain string"),
    ],
)
def test_what_the_zoo_would_refuse_is_not_sent(
    change: dict[str, Any], complaint: str, zoo: StandIn, tmp_path: Path
) -> None:
    file = build(tmp_path / "bad.zip", **change)
    with pytest.raises(UserError, match=complaint):
        send(file, zoo)
    assert zoo.log == []


def test_what_nobody_answers_for_is_not_sent(zoo: StandIn, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names nobody whom the zoo could ask"):
        send(build(tmp_path / "a.zip", maintainers=[]), zoo)
    assert zoo.log == []


def test_what_nobody_answers_for_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(build(tmp_path / "a.zip", maintainers=[]))
    assert "would be refused" in capsys.readouterr().out


def test_an_id_gives_way_to_that_of_the_zoo(zoo: StandIn, tmp_path: Path) -> None:
    file = build(tmp_path / "own.zip", id="my-own")
    send(file, zoo)
    there = zoo.files["bioimage-io/affable-shark"]["rdf.yaml"]
    assert yaml.safe_load(there)["id"] == "affable-shark"
    assert "my-own" not in json.dumps(zoo.bodies)


def test_a_damaged_file_is_not_sent(package: Path, zoo: StandIn, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(damaged, "w") as archive:
        for name, content in contents(package).items():
            archive.writestr(name, content + b" " if name == "test_input.npy" else content)
    with pytest.raises(UserError, match=r"'test_input\.npy' has another sha256"):
        send(damaged, zoo)
    assert zoo.log == []
