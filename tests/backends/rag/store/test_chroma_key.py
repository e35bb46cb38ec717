"""A Chroma server that wants a key, or is not where the settings say: the cause, a key that fits, and nobody else's."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from backends.errors import BackendError
from backends.rag.store.chroma_server import ChromaServer, connect_to_server
from backends.rag.store.index import Index
from backends.settings import RagSettings, load_settings
from tests.backends.rag.conftest import TEXTS, fill, nearest_texts
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

KEY = "chroma-key-0123456789"
EVERY = re.compile(".*")
PASSED_ON = ("content-type", "accept")


def proxy(url: str, prefix: str, allowed: Callable[[Request], bool]) -> Callable[[Request], Response]:
    """Passes requests under `prefix` on to the Chroma server at `url` if they may."""

    def respond(request: Request) -> Response:
        if not allowed(request):
            return Response('{"error": "AuthError", "message": "Forbidden"}', 401, content_type="application/json")
        target = url + request.full_path.removeprefix(prefix).rstrip("?")
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        with httpx.Client(trust_env=False) as client:
            answer = client.request(request.method, target, headers=headers, content=request.get_data())
        return Response(answer.content, answer.status_code, content_type=answer.headers.get("content-type"))

    return respond


def index(data: Path, **settings: object) -> Index:
    return Index(data, "behind a proxy", QuickEmbedder(), RagSettings.model_validate({**SETTINGS, **settings}))


def by_token(request: Request) -> bool:
    return request.headers.get("Authorization") == f"Bearer {KEY}"


def by_chroma_token(request: Request) -> bool:
    return request.headers.get("X-Chroma-Token") == KEY


def by_password(request: Request) -> bool:
    return request.headers.get("Authorization") == "Basic dXNlcjpwYXNz"


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "/chroma", "/api", "/with%20blank/deep/"])
@pytest.mark.parametrize(
    ("allowed", "settings"),
    [
        (by_token, {"chroma_api_key": KEY}),
        (by_chroma_token, {"chroma_api_key": f" {KEY}\n"}),
        (by_chroma_token, {"chroma_headers": {"x-chroma-token": KEY}}),
        (by_password, {"chroma_headers": {"Authorization": "Basic dXNlcjpwYXNz"}, "chroma_api_key": KEY}),
        (lambda _: True, {}),
    ],
)
def test_a_key_lets_in_and_the_path_is_kept(
    url: str,
    httpserver: HTTPServer,
    data: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
    allowed: Callable[[Request], bool],
    settings: dict[str, object],
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = proxy(url, prefix.replace("%20", " ").rstrip("/"), allowed)
    httpserver.expect_request(EVERY).respond_with_handler(handler)
    known = index(data, chroma_url=httpserver.url_for(prefix or "/").rstrip("/"), **settings)
    fill(known, folder)
    assert nearest_texts(known, "paid holiday", 1) == [TEXTS["leave.txt"]]
    assert known.health().ok
    known.drop()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"error":"AuthError","message":"Forbidden"}', "application/json"),
        (403, '{"error":"AuthError","message":"Forbidden"}', "application/json"),
        (401, "<html>Log in</html>", "text/html"),
        (403, "no", "text/plain"),
        (407, "", "text/plain"),
    ],
)
def test_a_server_that_wants_a_key_says_so(
    httpserver: HTTPServer, data: Path, folder: Path, status: int, body: str, kind: str
) -> None:
    answer = Response(body, status, content_type=kind)
    httpserver.expect_request(EVERY).respond_with_response(answer)
    where = f"{httpserver.host}:{httpserver.port}"
    with pytest.raises(BackendError) as raised:
        fill(index(data, chroma_url=f"http://{where}"), folder)
    assert raised.value.cause == f"The Chroma server at {where} wants a key and none is configured for it ({status})."
    assert raised.value.next_step.startswith("Set rag.chroma_api_key, or rag.chroma_headers")
    with pytest.raises(BackendError) as raised:
        fill(index(data, chroma_url=f"http://{where}", chroma_api_key=KEY), folder)
    assert raised.value.cause == f"The Chroma server at {where} does not let this key in ({status})."
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "kind", "cause"),
    [
        (404, "Not found", "text/plain", "does not know Chroma's requests (404)"),
        (404, '{"detail":"Not Found"}', "application/json", "does not know Chroma's requests (404)"),
        (410, '{"error":"Unimplemented","message":"v1"}', "application/json", "does not know Chroma's requests (410)"),
        (200, "<html>Hello</html>", "text/html; charset=utf-8", "answers with a web page"),
        (200, '{"hello": 1}', "application/json", "does not answer as Chroma does"),
        (200, "hello", "text/plain", "does not answer as Chroma does"),
        (502, "<html>Bad gateway</html>", "text/html", "is not available now (502)"),
        (503, "", "text/plain", "is not available now (503)"),
        (301, "", "text/plain", "redirects to another address (301)"),
        (500, f"oh {KEY}", "text/plain", "what answers fails with status 500"),
    ],
)
def test_what_answers_otherwise_is_named(httpserver: HTTPServer, status: int, body: str, kind: str, cause: str) -> None:
    answer = Response(body, status, content_type=kind)
    httpserver.expect_request(EVERY).respond_with_response(answer)
    with pytest.raises(BackendError) as raised:
        connect_to_server(ChromaServer(httpserver.url_for("/x").rstrip("/"), api_key=SecretStr(KEY)))
    assert cause in raised.value.cause
    assert KEY not in str(raised.value)
    assert all(request.path.startswith("/x/api/v2/") for request, _ in httpserver.log)


def test_nobody_there_is_still_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(BackendError, match="cannot be reached"):
        connect_to_server(ChromaServer(f"http://127.0.0.1:{port}/chroma"))


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://user:pass@127.0.0.1:8000", "contains a user name or a password"),
        ("http://127.0.0.1:8000?token=x", "contains ? or #"),
        ("http://127.0.0.1:8000/#x", "contains ? or #"),
    ],
)
def test_an_address_with_more_than_an_address(url: str, cause: str) -> None:
    with pytest.raises(BackendError) as raised:
        connect_to_server(ChromaServer(url))
    assert cause in raised.value.cause
    assert "pass@" not in str(raised.value)


def test_a_key_that_cannot_be_sent() -> None:
    with pytest.raises(BackendError, match=r"rag\.chroma_api_key contains a blank"):
        connect_to_server(ChromaServer("http://127.0.0.1:1", api_key=SecretStr("a b")))
    with pytest.raises(BackendError, match="character that cannot be sent"):
        load_settings({"rag.chroma_headers": '{"X-T": "a\\nb"}'})


def test_a_key_goes_only_to_the_address_of_its_own_source(
    httpserver: HTTPServer, data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(EVERY).respond_with_response(Response("no", 401))
    url = httpserver.url_for("").rstrip("/")
    monkeypatch.setenv("CROSSROADS_RAG__CHROMA_URL", "http://chroma.example:8000")
    monkeypatch.setenv("CROSSROADS_RAG__CHROMA_API_KEY", KEY)
    monkeypatch.setenv("CROSSROADS_RAG__CHROMA_HEADERS", f'{{"X-Own": "{KEY}"}}')
    assert load_settings().rag.chroma_api_key == SecretStr(KEY)
    elsewhere = load_settings({"rag.chroma_url": url}).rag
    assert elsewhere.chroma_api_key is None
    assert elsewhere.chroma_headers == {}
    chosen = elsewhere.model_copy(update=SETTINGS)
    with pytest.raises(BackendError) as raised:
        fill(Index(data, "x", QuickEmbedder(), chosen), folder)
    assert "wants a key and none is configured" in raised.value.cause
    assert "the environment" in raised.value.next_step
    assert "sent to" in raised.value.next_step
    sent = "".join(str(request.headers) for request, _ in httpserver.log)
    assert sent
    assert KEY not in sent
    both = load_settings({"rag.chroma_url": url, "rag.chroma_api_key": "other-key-123456"}).rag
    assert both.chroma_api_key == SecretStr("other-key-123456")
    assert KEY not in repr(load_settings())


def test_two_keys_are_two_clients(httpserver: HTTPServer, data: Path) -> None:
    seen: list[str] = []

    def respond(request: Request) -> Response:
        seen.append(request.headers.get("X-Chroma-Token", ""))
        return Response("no", 401)

    httpserver.expect_request(EVERY).respond_with_handler(respond)
    url = httpserver.url_for("").rstrip("/")
    for key in ("first-key-0123", "second-key-0123"):
        with pytest.raises(BackendError):
            index(data, chroma_url=url, chroma_api_key=key)._writer.store("any").create("1")
    assert seen == ["first-key-0123", "second-key-0123"]
