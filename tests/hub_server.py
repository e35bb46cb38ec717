"""A server that plays the Hugging Face Hub for one repository, as far as downloading a model needs it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"

Refusal = tuple[int, dict[str, str]]
"""Status and headers."""

MISSING: Refusal = (404, {"X-Error-Code": "RepoNotFound"})
NO_REVISION: Refusal = (404, {"X-Error-Code": "RevisionNotFound"})
GATED: Refusal = (403, {"X-Error-Code": "GatedRepo"})
ANONYMOUS: Refusal = (401, {})
BAD_TOKEN: Refusal = (401, {"X-Error-Message": "Invalid credentials in Authorization header"})
FORBIDDEN: Refusal = (403, {})
BROKEN: Refusal = (500, {})


@dataclass(frozen=True)
class Request:
    """What the Hub was asked, and with which token."""

    method: str
    path: str
    authorization: str | None


@dataclass
class Hub:
    """One repository: its files, what is refused, and every request so far.

    `info` answers requests about the repository, `resolve` those for a file; None lets them through. `cut` is the
    name of a file whose download breaks off in the middle, and is refused from then on until `cut` is None. Files are
    sent with `more_headers`.
    """

    model_id: str
    files: dict[str, bytes]
    revisions: tuple[str, ...] = ("main",)
    info: Refusal | None = None
    resolve: Refusal | None = None
    cut: str | None = None
    html: bool = False
    more_headers: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    _breaks: int = 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path = unquote(urlsplit(handler.path).path)
        self.requests.append(Request(handler.command, path, handler.headers.get("Authorization")))
        if self.html:
            return _send(handler, 200, {"Content-Type": "text/html"}, b"<h1>Please sign in to this network</h1>")
        api, files = f"/api/models/{self.model_id}", f"/{self.model_id}/resolve/"
        if path.startswith(files):
            return self._file(handler, *path.removeprefix(files).split("/", 1))
        if self.info:
            return _refuse(handler, self.info)
        if path == api:
            return self._info(handler, "main")
        if path.startswith(f"{api}/revision/"):
            return self._info(handler, path.removeprefix(f"{api}/revision/"))
        if path == f"{api}/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": _etag(content)}
                for name, content in self.files.items()
            ]
            return _send(handler, 200, {"Content-Type": "application/json"}, json.dumps(tree).encode())
        return _refuse(handler, MISSING)

    def _info(self, handler: BaseHTTPRequestHandler, revision: str) -> None:
        if revision not in (*self.revisions, COMMIT):
            return _refuse(handler, NO_REVISION)
        siblings = [{"rfilename": name, "size": len(content)} for name, content in self.files.items()]
        body = {"id": self.model_id, "modelId": self.model_id, "sha": COMMIT, "siblings": siblings}
        return _send(handler, 200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _file(self, handler: BaseHTTPRequestHandler, revision: str, name: str) -> None:
        if self.resolve:
            return _refuse(handler, self.resolve)
        if revision not in (*self.revisions, COMMIT) or name not in self.files:
            return _refuse(handler, (404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}))
        content = self.files[name]
        head = {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(content))}
        head |= self.more_headers
        if name == self.cut and handler.command == "GET":
            self._breaks += 1
            if self._breaks > 1:  # the client asks again for the rest by itself
                return _refuse(handler, BROKEN)
            return _send(handler, 200, head, content, stop_after=len(content) // 2)
        return _send(handler, 200, head, content)


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse(handler: BaseHTTPRequestHandler, refusal: Refusal) -> None:
    status, headers = refusal
    _send(handler, status, headers, b"")


def _send(
    handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes, stop_after: int | None = None
) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body[:stop_after])


@contextmanager
def serve(model_id: str, files: dict[str, bytes]) -> Iterator[Hub]:
    """A Hub on a free port of this machine; leaving the context shuts it down."""
    hub = Hub(model_id, files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.answer(self)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path in it."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
