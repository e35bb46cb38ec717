"""Which addresses a Chroma server may have: however it is spelled, whatever its name turns out to be."""

from __future__ import annotations

import inspect
from pathlib import Path

import httpx2
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from backends.errors import BackendError
from backends.rag.store.chroma_server import ChromaServer, connect_to_server
from backends.rag.store.index import Index
from backends.remote.transport import proxy_for
from backends.settings import RagSettings, load_settings
from tests.backends.rag.quick import SETTINGS, QuickEmbedder
from tests.network import Network

REFUSED = r"at an address of a private network.*set rag\.chroma_allow_private=true"
IDENTITY = {"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]}


def index(data: Path, url: str, allow_private: bool = False) -> Index:
    chosen = RagSettings(chroma_url=url, chroma_allow_private=allow_private, **SETTINGS)
    return Index(data, "on a server", QuickEmbedder(), chosen)


@pytest.mark.parametrize(
    "host", ["10.99.0.1", "10。99。0。1", "１０.99.0.1", "0x0a630001", "[fec0::1]", "[2002:a00:1::]"]
)
def test_no_spelling_of_a_private_address_is_called(network: Network, host: str) -> None:
    with pytest.raises(BackendError, match=REFUSED):
        connect_to_server(ChromaServer(f"http://{host}:8000"))
    assert network.looked_up == []


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "169。254。169。254", "metadata.google.internal", "[::169.254.169.254]"]
)
def test_a_metadata_service_is_never_called(network: Network, host: str) -> None:
    with pytest.raises(BackendError, match="metadata address"):
        connect_to_server(ChromaServer(f"http://{host}", allow_private=True))
    assert network.looked_up == []


@pytest.mark.parametrize(
    ("address", "allowed", "cause"),
    [
        ("10.0.0.8", False, REFUSED),
        ("169.254.169.254", False, "metadata address"),
        ("169.254.169.254", True, "metadata address"),
    ],
)
def test_a_name_is_judged_by_the_address_that_is_connected_to(
    httpserver: HTTPServer, network: Network, address: str, allowed: bool, cause: str
) -> None:
    network.play("chroma.example", address, httpserver.port)
    with pytest.raises(BackendError, match=cause):
        connect_to_server(ChromaServer("http://chroma.example", allowed))
    assert httpserver.log == []


@pytest.mark.parametrize(("address", "allowed"), [("10.0.0.8", True), ("93.184.216.34", False)])
def test_a_server_that_is_allowed_is_asked(
    httpserver: HTTPServer, network: Network, address: str, allowed: bool
) -> None:
    httpserver.expect_request("/api/v2/auth/identity").respond_with_json(IDENTITY)
    network.play("chroma.example", address, httpserver.port)
    with pytest.raises(BackendError, match=r"The Chroma server at chroma\.example:8000 cannot be reached"):
        connect_to_server(ChromaServer("http://chroma.example", allowed))
    paths = [request.path for request, _ in httpserver.log]
    assert paths[:2] == ["/api/v2/auth/identity", "/api/v2/tenants/default_tenant"]


def test_a_name_that_turns_private_after_the_first_request(httpserver: HTTPServer, network: Network) -> None:
    """The second request is that of another client inside Chroma, on a connection of its own."""

    def identity(_: Request) -> Response:
        network.play("chroma.example", "10.0.0.8", httpserver.port)
        return Response('{"user_id": "", "tenant": "default_tenant", "databases": []}', content_type="application/json")

    httpserver.expect_request("/api/v2/auth/identity").respond_with_handler(identity)
    network.play("chroma.example", "93.184.216.34", httpserver.port)
    with pytest.raises(BackendError, match=REFUSED):
        connect_to_server(ChromaServer("http://chroma.example"))
    assert [request.path for request, _ in httpserver.log] == ["/api/v2/auth/identity"]


def test_a_collection_on_such_a_server_says_which_setting_allows_it(
    httpserver: HTTPServer, network: Network, data: Path
) -> None:
    network.play("chroma.example", "10.0.0.8", httpserver.port)
    with pytest.raises(BackendError, match=REFUSED):
        index(data, "http://chroma.example")._writer.store("any").create("1")
    with pytest.raises(BackendError, match="cannot be reached"):
        index(data, "http://chroma.example", allow_private=True)._writer.store("any").create("1")
    assert len(httpserver.log) == 1


def test_another_server_comes_without_the_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAG__CHROMA_URL", "http://chroma.example")
    monkeypatch.setenv("CROSSROADS_RAG__CHROMA_ALLOW_PRIVATE", "true")
    assert load_settings().rag.chroma_allow_private
    assert not load_settings({"rag.chroma_url": "http://10.0.0.8"}).rag.chroma_allow_private
    both = {"rag.chroma_url": "http://10.0.0.8", "rag.chroma_allow_private": "true"}
    assert load_settings(both).rag.chroma_allow_private


def test_what_the_rule_for_addresses_takes_from_libraries_is_there() -> None:
    """Names that are not public. Where one is missing, look for a public way first: `backends.rag.store.chroma_server`
    (`_other_chroma` says what each is for) and `backends.remote.transport` (`_proxy_for`)."""
    from chromadb.api.client import Client
    from chromadb.api.fastapi import FastAPI

    names = {
        "chromadb.api.client.Client._validate_tenant_database": hasattr(Client, "_validate_tenant_database"),
        "chromadb.api.client.Client._server": "_server" in inspect.getsource(Client.__init__),
        "chromadb.api.client.Client._admin_client": "_admin_client" in inspect.getsource(Client.__init__),
        "chromadb.api.fastapi.FastAPI._session": "_session" in inspect.getsource(FastAPI.__init__),
        "chromadb.api.fastapi.FastAPI.http_limits": "http_limits" in inspect.getsource(FastAPI),
        "httpx2._utils.URLPattern": hasattr(httpx2._utils, "URLPattern"),
        "httpx2._utils.get_environment_proxies": hasattr(httpx2._utils, "get_environment_proxies"),
    }
    assert [name for name, there in names.items() if not there] == []


def test_a_chroma_of_another_make_is_not_called(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from chromadb.api.client import Client

    monkeypatch.delattr(Client, "_validate_tenant_database")
    with pytest.raises(BackendError, match=r"This version of Chroma \(.*cannot be kept from forbidden addresses"):
        connect_to_server(ChromaServer(httpserver.url_for("").rstrip("/")))
    assert httpserver.log == []


def test_an_httpx_that_does_not_tell_its_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(httpx2._utils, "URLPattern")
    with pytest.raises(BackendError, match=r"This version of httpx2 \(.*does not say which proxy is configured"):
        proxy_for("http://of-its-own.example")
