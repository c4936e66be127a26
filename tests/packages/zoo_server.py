"""A stand-in for the zoo's server, on this machine: it keeps what it is sent, and fails as told."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Literal

Failure = Literal["silent", "cut off", "lost answer"] | int | bytes
"""No answer, half an answer, an answer lost after the work was done; a status; another body."""

COLLECTION: dict[str, Any] = {
    "id": "bioimage-io/bioimage.io",
    "manifest": {"name": "BioImage Model Zoo"},
    "config": {
        "permissions": {"*": "r", "@": ["read", "create"], "github|1": "rw+", "owner": "*"},
        "id_parts": {"animal": ["ox", "shark"], "animal_emoji": ["🐂", "🦈"]},
    },
}
TOKEN = "a-token-that-nobody-may-see"


@dataclass
class StandIn:
    """What the server holds and how it shall fail.

    Attributes
    ----------
    address
        Where it listens.
    artifacts, files
        Models by id; contents by id and name.
    failures
        What happens at the next call of a function, or upload of a file.
    log
        Functions called and names of files put, in order.
    """

    address: str = ""
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    files: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])
    failures: dict[str, Failure] = field(default_factory=dict[str, Failure])
    forgets: bool = False
    log: list[str] = field(default_factory=list[str])
    bodies: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    closing: Event = field(default_factory=Event)

    def called(self, function: str, arguments: dict[str, Any]) -> Any:
        """Do what the artifact manager does."""
        self.bodies.append((function, arguments))
        name = arguments.get("artifact_id", "")
        match function:
            case "list":
                assert arguments["stage"] == "all"  # else drafts are not listed
                children = list(self.artifacts.values())
                return children[arguments["offset"] :][: arguments["limit"]]
            case "read":
                if name == COLLECTION["id"]:
                    return COLLECTION
                assert arguments["stage"] != bool(self.artifacts[name]["versions"])
                return self.artifacts[name]
            case "create":
                made = f"bioimage-io/affable-shark{len(self.artifacts) or ''}"
                self.artifacts[made] = {"id": made, "versions": [], **arguments}
                self.files[made] = {}
                return self.artifacts[made]
            case "put_file":
                return f"{self.address}/storage/{name}/{arguments['file_path']}"
            case "list_files":
                kept = self.files[name].items()
                return [{"name": n, "type": "file", "size": len(c)} for n, c in kept]
            case _:
                self.artifacts[name]["manifest"] = arguments["manifest"]
                return self.artifacts[name]


@contextmanager
def serving() -> Generator[StandIn]:
    """Serve on loopback until the block ends."""
    zoo = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            function = self.path.rpartition("/")[2]
            arguments = json.loads(self._body())
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._answer(401, b'{"detail": "no such token"}')
                return
            self._do(function, lambda: zoo.called(function, arguments))

        def do_PUT(self) -> None:
            assert "Authorization" not in self.headers
            _, _, workspace, alias, name = self.path.split("/")
            content = self._body()

            def keep() -> None:
                if not zoo.forgets:
                    zoo.files[f"{workspace}/{alias}"][name] = content

            self._do(name, keep)

        def _do(self, what: str, work: Any) -> None:
            zoo.log.append(what)
            failure = zoo.failures.pop(what, None)
            if failure is None:
                self._answer(200, json.dumps(work()).encode())
            elif failure == "silent":
                zoo.closing.wait()
            elif failure == "cut off":
                self._answer(200, b'{"id": "bioimage-io/aff', promised=1000)
            elif failure == "lost answer":
                work()
                self._answer(200, b'{"id": "bioimage-io/aff', promised=1000)
            elif isinstance(failure, int):
                detail = f"told to say {failure} to Bearer {TOKEN}"
                self._answer(failure, json.dumps({"detail": detail}).encode())
            else:
                assert isinstance(failure, bytes)
                self._answer(200, failure)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _answer(self, status: int, body: bytes, promised: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(promised or len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    zoo.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield zoo
    finally:
        zoo.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
