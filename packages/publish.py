"""Give a package to the zoo: checked first, sent once, as a draft or for review.

What is there the server is asked, and nothing is kept here: the manifest of a draft holds the
SHA-256 of the zip it was made of. A command that broke off goes on when it is given again, from any
machine.
"""

import json
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from bioimageio.spec.utils import read_yaml

from imaging.cli import UserError, console
from imaging.files import sha256
from packages.check import apply
from packages.checks import contents
from packages.checks.subject import Subject
from packages.package import Package, open_package
from packages.rdf import RDF
from packages.zoo_client import (
    SERVER,
    TOKEN,
    Artifact,
    Collection,
    HyphaZoo,
    Rehearsal,
    StoredFile,
    Zoo,
)

__all__ = ["publish"]

_COLLECTION = "bioimage-io/bioimage.io"
_PAGE = 1000  # the most that the server lists at once
_FORMAT = (
    contents.old_readers_can_open,
    contents.onnx_is_portable,
    contents.torchscript_loads,
    contents.architecture_is_self_contained,
    contents.has_what_the_zoo_asks,
)
_REVIEWERS = {"rw", "rw+", "*"}
_PACKAGE, _FILES = "package_sha256", "file_sha256"  # in a manifest; the latter is the website's


def publish(
    package_path: Path, /, *, draft: bool = False, send: bool = False, server: str = SERVER
) -> None:
    """Upload a package to the zoo, or show what would be sent.

    Parameters are those of `python -m packages publish`, described in its help.

    Raises
    ------
    UserError
        The package is not fit for the zoo, there is no token, or the server refused, did not answer
        or answered nonsense; the same command then goes on.
    """
    if package_path.is_dir():
        raise UserError(f"{package_path} is a folder: give the zip that `build` made.")
    token = os.environ.get(TOKEN, "")
    if send and not token:
        raise UserError(
            f"{TOKEN} is not set: make a token on https://bioimage.io/#/api, which agrees to the "
            "zoo's terms, and put it into this environment variable."
        )
    with open_package(package_path, trust=True) as package, closing(Subject(package)) as subject:
        upload = _checked(package, subject)
        nobody = _names_nobody(package)
        if not send:
            upload.give_to(Rehearsal(server), draft=draft)
            console.print(
                "\nNothing was sent. Capitals stand for what the server chooses, and rdf.yaml is "
                f"sent with its choice: give --send, with a token in {TOKEN}.",
                soft_wrap=True,
            )
            if nobody:
                console.print(f"As it is it would be refused: {nobody}", soft_wrap=True)
            return
        if nobody:
            raise UserError(nobody)
        with closing(HyphaZoo(server, token)) as zoo:
            console.print(upload.give_to(zoo, draft=draft), soft_wrap=True)


def _names_nobody(package: Package) -> str | None:
    """Say that nobody answers for a package, where that is so."""
    described = package.description
    if described.maintainers or any(author.github_user for author in described.authors):
        return None
    return (
        f"{package.path} names nobody whom the zoo could ask: build it with a publish.toml that "
        "states maintainers, or the github_user of an author."
    )


def _checked(package: Package, subject: Subject) -> "_Upload":
    """Refuse what the zoo would refuse, or its readers could not open."""
    path, folder = package.path, Path(str(package.description.root))
    for check in _FORMAT:
        result = apply(check, subject)
        if result.status == "failed":
            raise UserError(f"{path} is not fit for the zoo: {result.detail} Build it again.")
    nested = [file for file in folder.iterdir() if file.is_dir()]
    if nested:
        raise UserError(f"{path} has a folder '{nested[0].name}': the zoo takes flat packages.")
    name = package.description.file_name or RDF
    content: Any = read_yaml((folder / name).read_text(encoding="utf-8"))
    content.pop("id", None)  # the zoo gives one of its own
    for file, stated in _hashes(content):
        if sha256(folder / file) != stated:
            raise UserError(f"{path}: '{file}' has another sha256 than {name} states: get it anew.")
    # YAML knows dates, JSON does not.
    manifest = json.loads(json.dumps(content, default=str))
    return _Upload(path, package.sha256, folder, name, manifest)


def _hashes(entry: Any) -> list[tuple[str, str]]:
    """List the files of a description whose hash it states."""
    if isinstance(entry, list):
        return [found for each in entry for found in _hashes(each)]
    if not isinstance(entry, dict):
        return []
    stated = entry.get("sha256") and "://" not in str(entry.get("source", "://"))
    own = [(entry["source"], entry["sha256"])] if stated else []
    return own + _hashes(list(entry.values()))


@dataclass(frozen=True)
class _Upload:
    """A package on its way; the protocol stands in `packages.zoo_client`."""

    path: Path
    sha256: str
    folder: Path
    rdf: str
    manifest: dict[str, Any]

    def give_to(self, zoo: Zoo, *, draft: bool) -> str:
        """Send what the zoo does not have; return a sentence that tells where it is."""
        status = "draft" if draft else "in-review"
        there = self._find(zoo)
        manifest = (there.manifest if there else None) or {}
        if there and _FILES in manifest:
            reached = "published" if there.versions else str(manifest.get("status"))
            if draft or reached != "draft":
                return f"{self.path} is already there, {reached}: {_page(there)}"
        else:
            collection = zoo.call("read", {"artifact_id": _COLLECTION, "silent": True}, Collection)
            there = there or self._create(zoo, collection)
            manifest = self._complete(zoo, there, collection)
        whole = {"artifact_id": there.id, "manifest": manifest | {"status": status}, "stage": True}
        zoo.call("edit", whole, object)
        return f"Sent {self.path} to the zoo, {status}: {_page(there)}"

    def _find(self, zoo: Zoo) -> Artifact | None:
        offset = 0
        while True:
            page = zoo.call(
                "list",
                {
                    "parent_id": _COLLECTION,
                    "stage": "all",
                    "limit": _PAGE,
                    "offset": offset,
                    "silent": True,
                },
                list[Artifact],
            )
            for child in page:
                if (child.manifest or {}).get(_PACKAGE) == self.sha256:
                    # The list shows a draft as it was created; a published one has no draft.
                    where = {"artifact_id": child.id, "stage": not child.versions}
                    return zoo.call("read", where, Artifact)
            if len(page) < _PAGE:
                return None
            offset += _PAGE

    def _create(self, zoo: Zoo, collection: Collection) -> Artifact:
        reviewers = {
            user: "rw+"
            for user, code in collection.config.permissions.items()
            if isinstance(code, str) and code in _REVIEWERS
        }
        return zoo.call(
            "create",
            {
                "parent_id": _COLLECTION,
                "alias": "{animal_adjective}-{animal}",
                "type": "model",
                "manifest": self.manifest | {"status": "draft", _PACKAGE: self.sha256},
                "config": {"permissions": reviewers},
                "stage": True,
            },
            Artifact,
        )

    def _complete(self, zoo: Zoo, there: Artifact, collection: Collection) -> dict[str, Any]:
        """Send the files that are not there; return the manifest of a whole draft."""
        manifest = self._named(there, collection)
        files = sorted(self.folder.iterdir())
        for file in self._missing(zoo, there, files):
            weight = {"download_weight": 1} if file.name in self._weights() else {}
            place = {"artifact_id": there.id, "file_path": file.name} | weight
            zoo.put(zoo.call("put_file", place, str), file)
        lost = self._missing(zoo, there, files)
        if lost:
            raise UserError(
                f"The server took '{lost[0].name}' of {self.path} and does not have it: wait and "
                "give the same command again."
            )
        hashes = {file.name: sha256(file) for file in files}
        return manifest | {_PACKAGE: self.sha256, _FILES: hashes}

    def _named(self, there: Artifact, collection: Collection) -> dict[str, Any]:
        """Write id and emoji into rdf.yaml, as deepImageJ reads no model without an id."""
        alias = there.id.rpartition("/")[2]
        parts = collection.config.id_parts
        emoji = dict(zip(parts.animal, parts.animal_emoji, strict=False))
        manifest = self.manifest | {"id": alias, "id_emoji": emoji.get(alias.rpartition("-")[2])}
        text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=100)
        (self.folder / self.rdf).write_text(text, encoding="utf-8")
        return manifest

    def _missing(self, zoo: Zoo, there: Artifact, files: list[Path]) -> list[Path]:
        # The storage shows a file when it is whole; each draft is of one zip.
        listed = zoo.call(
            "list_files",
            {"artifact_id": there.id, "stage": True, "limit": _PAGE},
            list[StoredFile],
        )
        sizes = {file.name: file.size for file in listed}
        return [file for file in files if sizes.get(file.name) != file.stat().st_size]

    def _weights(self) -> set[str]:
        return {entry["source"] for entry in self.manifest["weights"].values() if entry}


def _page(there: Artifact) -> str:
    return f"https://bioimage.io/#/edit/{quote(there.id, safe='')}/stage"
