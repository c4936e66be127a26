"""How the zoo takes a package: requests to the artifact manager of its Hypha server.

The protocol is that of the website (github.com/bioimage-io/bioimage.io at 645a3cc, August 2026:
``Upload.tsx``, ``ReviewPublishArtifact.tsx``, ``ApiDocs.tsx`` and ``roles.ts`` in ``src``) and what
its server does (github.com/amun-ai/hypha at 1476301: ``hypha/artifact.py``, ``hypha/http.py``).
Each call is ``POST {server}/public/services/artifact-manager/{function}``, arguments as JSON, the
token as ``Authorization: Bearer``; the answer is JSON, a refusal gives its reason as ``detail``.

1. ``list`` the children of ``bioimage-io/bioimage.io``, staged and committed. Staged ones are not
   indexed, so all are fetched and searched here.
2. ``read`` that collection, for its reviewers and the emoji of its animals. A permission counts
   only when it is given at creation, and without it no reviewer can work on the model.
3. ``create`` a child with ``stage``: the server chooses an adjective and an animal as its alias;
   the manifest is the content of rdf.yaml. ``status`` stands in the manifest alone, for
   bioimageio.spec refuses it in rdf.yaml.
4. ``list_files`` that are there; for each other one ``put_file`` returns an address, to which its
   content goes by ``PUT``, bare and with an empty Content-Type, as the storage (S3) wants. Weights
   count as downloads.
5. ``edit`` the manifest: id, emoji, SHA-256 of the files, the status ``draft`` or ``in-review``.
   A curator commits it later; nobody publishes by himself.

``bioimageio.spec.upload`` (0.5.12) goes the same way, but hands in with the status
``request-review``, which the website renamed in July 2026, names no reviewers, and wraps each file
as form data. Left out of the website's way: ``publish_to``, which makes an entry in a test archive,
and permissions of authors by e-mail, which the website gives when the draft is edited there.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from imaging.cli import UserError, console
from imaging.files import sha256

__all__ = [
    "SERVER",
    "TOKEN",
    "Artifact",
    "Collection",
    "HyphaZoo",
    "Rehearsal",
    "StoredFile",
    "Zoo",
]

T = TypeVar("T")

SERVER = "https://hypha.aicell.io"
TOKEN = "BIOIMAGEIO_HYPHA_UPLOAD_TOKEN"
"""Environment variable that bioimageio.spec reads, too."""

_SERVICE = "public/services/artifact-manager"
_ANSWER_S, _UPLOAD_S = 60.0, 600.0  # without a sign of life
_SHOWN = 160  # characters of an answer that is no answer
_PLACEHOLDERS = {
    "permissions": {"EACH-REVIEWER": "rw+"},
    "id_parts": {"animal": ["ANIMAL"], "animal_emoji": ["EMOJI"]},
}
_AGAIN = "give the same command again: what is there is not sent twice"
_REMEDIES = {
    401: f"make a new token on https://bioimage.io/#/api and set {TOKEN}",
    403: f"use a token of an account that may do this, as {TOKEN}",
    404: "check --server, and whether the draft was deleted",
    409: "look at your drafts on https://bioimage.io/#/my-artifacts",
    413: "make its files smaller",
    429: f"wait a few minutes and {_AGAIN}",
}


@dataclass(frozen=True)
class Artifact:
    """A model as the server describes it.

    Attributes
    ----------
    id
        Workspace and alias.
    manifest
        Content of its rdf.yaml, and the state of its review.
    versions
        What was committed; none of a draft.
    """

    id: str
    manifest: dict[str, Any] | None = None
    versions: list[Any] | None = None


@dataclass(frozen=True)
class Animals:
    """Of what ids are made, and their emoji."""

    animal: list[str]
    animal_emoji: list[str]


@dataclass(frozen=True)
class Rules:
    """What the collection of all models rules: who may do what, and how models are called."""

    permissions: dict[str, Any]
    id_parts: Animals


@dataclass(frozen=True)
class Collection:
    """The collection of all models."""

    config: Rules


@dataclass(frozen=True)
class StoredFile:
    """A file that the server has whole."""

    name: str
    size: int = 0


class Zoo(Protocol):
    """Whom a package is given to."""

    def call(self, function: str, arguments: Mapping[str, Any], answer: type[T]) -> T:
        """Call a function of the artifact manager."""
        ...

    def put(self, address: str, file: Path) -> None:
        """Send the content of a file to an address that `put_file` returned."""
        ...


class HyphaZoo:
    """The zoo's server.

    Parameters
    ----------
    server
        Address of the Hypha server.
    token
        Of the user. It is sent to this server only, and never shown.

    Raises
    ------
    UserError
        The token would travel unencrypted, or cannot be one.
    """

    def __init__(self, server: str, token: str) -> None:
        if not _is_safe(server):
            raise UserError(f"--server {server} is not encrypted: give an https address.")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise UserError(f"{TOKEN} holds no token: copy it again, without spaces.")
        self._server = server.rstrip("/")
        self._token = token
        self._http = httpx.Client()

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def call(self, function: str, arguments: Mapping[str, Any], answer: type[T]) -> T:
        """Call a function of the artifact manager.

        Parameters
        ----------
        function
            Its name.
        arguments
            By name.
        answer
            What it returns.

        Returns
        -------
        T
            Its answer.

        Raises
        ------
        UserError
            No answer, a refusal, or another answer than the zoo gives.
        """
        response = self._send(
            function,
            "POST",
            f"{self._server}/{_SERVICE}/{function}",
            content=json.dumps(arguments).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
            timeout=_ANSWER_S,
        )
        try:
            return TypeAdapter(answer).validate_json(response.content)
        except ValidationError as error:
            raise UserError(
                f"{self._server} did not answer {function} as the zoo does, but with "
                f"'{self._shown(response.text)}': check --server, or {_AGAIN}."
            ) from error

    def put(self, address: str, file: Path) -> None:
        """Send the content of a file.

        Parameters
        ----------
        address
            Where `put_file` said.
        file
            To be sent.

        Raises
        ------
        UserError
            No answer, a refusal, or no address.
        """
        if not _is_safe(address):
            raise UserError(
                f"{self._server} wants '{file.name}' at '{self._shown(address)}', which is not "
                f"encrypted: check --server, or {_AGAIN}."
            )
        with file.open("rb") as content:
            self._send(
                f"'{file.name}'",
                "PUT",
                address,
                content=content,
                headers={"Content-Type": ""},
                timeout=_UPLOAD_S,
            )
        console.print(f"Sent {file.name}", soft_wrap=True)

    def _send(self, what: str, method: str, address: str, **request: Any) -> httpx.Response:
        host = urlsplit(address).netloc
        try:
            response = self._http.request(method, address, **request)
        except httpx.TimeoutException as error:
            raise UserError(f"{host} did not answer {what} in time: {_AGAIN}.") from error
        except httpx.HTTPError as error:
            raise UserError(
                f"{host} broke off at {what} ({self._shown(str(error))}): check the connection and "
                f"{_AGAIN}."
            ) from error
        if not response.is_success:
            remedy = _REMEDIES.get(response.status_code, f"wait and {_AGAIN}")
            raise UserError(
                f"{host} refused {what} with status {response.status_code} "
                f"({self._shown(_detail(response))}): {remedy}."
            )
        return response

    def _shown(self, text: str) -> str:
        """Return one short line of a text from elsewhere, without the token."""
        line = " ".join(text.replace(self._token, "...").split())
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


class Rehearsal:
    """A server that prints each request and answers as an empty zoo would; nothing is sent.

    Parameters
    ----------
    server
        Address of the Hypha server.
    """

    def __init__(self, server: str) -> None:
        self._server = server.rstrip("/")
        self._kept: list[dict[str, Any]] = []

    def call(self, function: str, arguments: Mapping[str, Any], answer: type[T]) -> T:
        """Print a call; parameters are those of `HyphaZoo.call`.

        Returns
        -------
        T
            An answer with capitals in place of what the server chooses.
        """
        console.print(f"POST {self._server}/{_SERVICE}/{function}", soft_wrap=True)
        console.print(json.dumps(arguments, indent=2, ensure_ascii=False), soft_wrap=True)
        answers: dict[str, Any] = {
            "list": [],
            "read": {"config": _PLACEHOLDERS},
            "create": {"id": "bioimage-io/ADJECTIVE-ANIMAL"},
            "list_files": self._kept,
            "put_file": f"https://STORAGE/{arguments.get('file_path')}",
        }
        return TypeAdapter(answer).validate_python(answers.get(function))

    def put(self, address: str, file: Path) -> None:
        """Print an upload; parameters are those of `HyphaZoo.put`."""
        size = file.stat().st_size
        console.print(f"PUT {address}", soft_wrap=True)
        console.print(f"  {size} bytes, sha256 {sha256(file)}", soft_wrap=True)
        self._kept.append({"name": file.name, "size": size})


def _is_safe(address: str) -> bool:
    """Tell whether nobody can read along: encrypted, or on this machine."""
    try:
        place = urlsplit(address)
    except ValueError:
        return False
    loopback = place.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(place.netloc) and (place.scheme == "https" or (place.scheme == "http" and loopback))


def _detail(response: httpx.Response) -> str:
    """Return the reason that a refusal gives, as far as it gives one."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text or response.reason_phrase
