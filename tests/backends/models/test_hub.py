"""Which addresses a download from the Hub may call: at `HF_ENDPOINT`, and wherever that redirects to."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from backends.errors import BackendError
from backends.models import hub as hub_module
from backends.models.weights import resolve
from tests.backends.conftest import TINY
from tests.hub_server import COMMIT, Hub
from tests.network import Network

PERMIT = r"set the variable CROSSROADS_HUB_ALLOW_PRIVATE=true"


@pytest.fixture(autouse=True)
def _no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hub_module.ALLOW_PRIVATE, raising=False)


def elsewhere(hub: Hub, network: Network, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The Hub is at hub.example, which has this address."""
    network.play("hub.example", address, int(hub.url.rpartition(":")[2]))
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")


@pytest.mark.parametrize("endpoint", ["http://10。99。0。1", "http://10.99.0.1", "http://[fec0::1]"])
def test_a_hub_whose_address_is_private_is_not_even_looked_up(
    hub: Hub, network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(BackendError, match=f"at an address of a private network.*{PERMIT}"):
        resolve(TINY, tmp_path)
    assert set(network.looked_up) <= {"huggingface.co"}  # the library asks there once, for names of agents


def test_a_hub_that_turns_out_to_be_private_is_asked_only_where_it_is_allowed(
    hub: Hub, network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere(hub, network, monkeypatch, "10.0.0.7")
    for fetch in (resolve, hub_module.download_adapter):
        with pytest.raises(BackendError, match=f"hub.example is at an address of a private network.*{PERMIT}"):
            fetch(TINY, tmp_path)
    assert hub.requests == []
    monkeypatch.setenv(hub_module.ALLOW_PRIVATE, "true")
    assert resolve(TINY, tmp_path).revision == COMMIT


def test_a_public_hub_needs_no_permission(
    hub: Hub, network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere(hub, network, monkeypatch, "93.184.216.34")
    assert resolve(TINY, tmp_path).revision == COMMIT


@pytest.mark.parametrize("what", ["info", "resolve"])
@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize(
    ("host", "address", "cause"),
    [
        ("169.254.169.254", "169.254.169.254", "metadata address"),
        ("harmless.example", "169.254.169.254", "metadata address"),
        ("harmless.example", "10.0.0.7", "private network"),
        ("0x0a000007", "10.0.0.7", "private network"),
    ],
)
def test_a_redirect_is_followed_to_no_address_that_is_refused(
    hub: Hub,
    httpserver: HTTPServer,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    what: str,
    allowed: bool,
    host: str,
    address: str,
    cause: str,
) -> None:
    """Where private networks are allowed, what is there answers, though it is no file of a model."""
    monkeypatch.setenv(hub_module.ALLOW_PRIVATE, str(allowed))
    for name in (host, address):
        network.play(name, address, httpserver.port)
    setattr(hub, what, (302, {"Location": f"http://{host}/latest", "X-Repo-Commit": COMMIT, "ETag": '"e"'}))
    with pytest.raises(BackendError) as raised:
        resolve(TINY, tmp_path)
    reached = allowed and address == "10.0.0.7"
    assert bool(httpserver.log) == reached
    assert (cause in raised.value.cause) != reached


def test_a_hub_whose_name_turns_private_between_two_requests(
    hub: Hub, network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, httpserver: HTTPServer
) -> None:
    from huggingface_hub import get_session

    elsewhere(hub, network, monkeypatch, "93.184.216.34")
    resolve(TINY, tmp_path)
    network.play("hub.example", "10.0.0.7", httpserver.port)
    with pytest.raises(BackendError, match="at an address of a private network"):
        get_session().get("http://hub.example/next")
    assert httpserver.log == []


def test_a_proxy_fetches_from_a_hub_elsewhere(
    hub: Hub, network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network.play("proxy.example", "10.0.0.9", int(hub.url.rpartition(":")[2]))
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    assert resolve(TINY, tmp_path).revision == COMMIT
    assert "hub.example" not in network.looked_up


def test_files_come_from_the_hub_and_not_from_a_store_that_it_names_to_xet(hub: Hub, tmp_path: Path) -> None:
    hub.more_headers = {"X-Xet-Hash": "a" * 64, "X-Xet-Refresh-Route": f"{hub.url}/api/models/xet-read-token/main"}
    resolve(TINY, tmp_path)
    assert not any("xet" in request.path for request in hub.requests)
