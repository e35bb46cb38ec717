"""Which addresses are called: however a host is spelled, whatever a name turns out to be, with and without a proxy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

import backends
from backends.base import Question
from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.remote.address import host_of, is_forbidden, is_loopback, is_private
from backends.remote.connection_settings import same_address
from backends.remote.connection_test import run_steps
from backends.remote.engine import Connection, OpenAICompatibleEngine
from backends.settings import load_settings
from tests.backends.openai_server import KEY, MESSAGES, PATH, QUESTION, RawServer, ask, paris, text
from tests.network import Network

PRIVATE = "10.99.0.1"
SPELLINGS = [
    *("10。99。0。1", "10．99．0．1", "10｡99｡0｡1", "10。99.0．1", "10。99。0。1。"),
    *("１０.９９.０.１", "１０。９９。０。１", "⑩.99.0.1", "10.99.0\u200b.1", "10.99.0.1."),
    *("0x0a.0x63.0.1", "０Ｘ０Ａ630001", "0x0A630001", "174260225", "012.0143.0.1", "10.99.1"),
    *("[::ffff:10.99.0.1]", "[::FFFF:0A63:1]", "[64:ff9b::10.99.0.1]", "[2002:a63:1::]", "[::10.99.0.1]"),
    *("[fd00::1%25eth0]", "[fec0::1]"),
]


@pytest.fixture
def listener() -> Iterator[RawServer]:
    """A server that keeps every request that reaches it."""
    with RawServer(RawServer.wait_until_client_is_gone).run() as server:
        yield server


def port(server: RawServer) -> int:
    return int(server.url.rpartition(":")[2].partition("/")[0])


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_private_address_is_called(spelling: str, listener: RawServer, network: Network) -> None:
    for host in (PRIVATE, spelling.strip("[]"), host_of(f"http://{spelling}/")):
        network.play(host, PRIVATE, port(listener))
    url = f"http://{spelling}:9100/v1"
    with pytest.raises(BackendError, match=r"at an address of a private network.*\.allow_private=true"):
        ask(url)
    settings = load_settings({"connections.one.base_url": url, "connections.one.model": "m"})
    (step,) = run_steps(PaidApiBackend(settings, name="one"), threading.Event())
    assert (step.name, step.passed) == ("address", False)
    assert (listener.requests, network.looked_up) == ([], [])


@pytest.mark.parametrize(
    "spelling", ["169。254。169。254", "１６９.254.169.254", "ⓜetadata", "Ｍetadata。Google.internal"]
)
def test_no_spelling_of_a_metadata_service_is_called(spelling: str, listener: RawServer, network: Network) -> None:
    with pytest.raises(BackendError, match="link-local or metadata address"):
        allowing(f"http://{spelling}/v1").load()
    assert network.looked_up == []


@pytest.mark.parametrize("spelling", ["10%2e99.0.1", "10%E3%80%8299.0.1", "a..b", "x" * 64, "a!b", "١٠.٩٩.٠.١"])
def test_what_no_host_can_be_called_is_no_address(spelling: str, network: Network) -> None:
    with pytest.raises(BackendError, match="is not a web address"):
        ask(f"http://{spelling}/v1")
    assert network.looked_up == []


def allowing(url: str) -> OpenAICompatibleEngine:
    """An engine for a server that may be in a private network."""
    return OpenAICompatibleEngine(Connection(url, None, "m", 5, 0, allow_private=True))


def test_an_international_name_is_judged_by_what_it_turns_out_to_be(httpserver: HTTPServer, network: Network) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    network.play("xn--bcher-kva.example", PRIVATE, httpserver.port)
    url = "http://BÜCHER。example/v1"
    with pytest.raises(BackendError, match="at an address of a private network"):
        ask(url)
    assert httpserver.log == []
    allowed = allowing(url).stream(MESSAGES, QUESTION, threading.Event())
    assert text(list(allowed)) == "Paris."
    network.play("xn--bcher-kva.example", "93.184.216.34", httpserver.port)
    assert text(ask(url)) == "Paris."
    assert {request.headers["Host"] for request, _ in httpserver.log} == {"xn--bcher-kva.example"}


def test_a_name_that_is_harmless_when_it_is_first_looked_up(
    httpserver: HTTPServer, listener: RawServer, network: Network
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    network.play("models.example", "93.184.216.34", httpserver.port)
    assert text(ask("http://models.example/v1")) == "Paris."
    network.play("models.example", PRIVATE, port(listener))
    with pytest.raises(BackendError, match="at an address of a private network"):
        ask("http://models.example/v1")
    assert listener.requests == []


@pytest.mark.parametrize("spelling", ["１０.99.0.1", "10。99。0。1", "metadata。google。internal"])
def test_a_proxy_is_not_sent_to_refused_addresses_either(
    spelling: str, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", httpserver.url_for(""))
    with pytest.raises(BackendError, match=r"private network|metadata address"):
        ask(f"http://{spelling}/v1")
    assert httpserver.log == []


def test_a_proxy_may_have_a_private_address_but_not_that_of_a_metadata_service(
    httpserver: HTTPServer, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    network.play("proxy.example", "10.0.0.9", httpserver.port)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert text(ask("http://bücher.example/v1")) == "Paris."
    assert httpserver.log[0][0].headers["Host"] == "xn--bcher-kva.example"
    assert network.looked_up == ["proxy.example"]
    network.play("proxy.example", "169.254.169.254", httpserver.port)
    with pytest.raises(BackendError, match="metadata address"):
        ask("http://bücher.example/v1")
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("exempt", ["models.example", ".example", "*"])
def test_a_host_that_is_exempt_from_the_proxy_is_judged_itself(
    exempt: str, httpserver: HTTPServer, listener: RawServer, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", httpserver.url_for(""))
    monkeypatch.setenv("NO_PROXY", exempt)
    network.play("models.example", PRIVATE, port(listener))
    with pytest.raises(BackendError, match="at an address of a private network"):
        ask("http://models.example/v1")
    assert (listener.requests, httpserver.log) == ([], [])


def test_a_server_at_the_proxys_own_address_is_reached_through_it(
    httpserver: HTTPServer, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    network.play("gate.example", "10.0.0.9", httpserver.port)
    monkeypatch.setenv("HTTP_PROXY", "http://gate.example:3128")
    assert text(ask("http://gate.example/v1")) == "Paris."


def test_the_connection_test_judges_what_it_connected_to(listener: RawServer, network: Network) -> None:
    network.play("models.example", PRIVATE, port(listener))
    given = {"base_url": "http://models.example/v1", "model": "m", "api_key": KEY}
    settings = load_settings({f"connections.one.{field}": value for field, value in given.items()})
    found = list(run_steps(PaidApiBackend(settings, name="one"), threading.Event()))
    assert [(step.name, step.passed) for step in found] == [("DNS", True), ("TCP", False)]
    assert "set connections.one.allow_private=true" in found[1].says
    with pytest.raises(BackendError, match="at an address of a private network"):
        list(backends.make("paid_api:one", settings).stream(Question("Hello"), threading.Event()))
    assert listener.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b::a9fe:a9fe",  # NAT64
        "64:ff9b:1::a9fe:a9fe",  # NAT64 with a prefix of one's own, 96 bits
        "64:ff9b:1:a9fe:a9:fe00::",  # the same, 48 bits
        "2002:a9fe:a9fe::1",  # 6to4
        "::169.254.169.254",  # compatible
        "::ffff:169.254.169.254",  # mapped
        "::ffff:0:169.254.169.254",  # translated
        "2001:0:a9fe:a9fe::1",  # Teredo, its server
        "2001:0:808:808::5601:5601",  # Teredo, its client
        "2a00:1::5efe:169.254.169.254",  # ISATAP
        "2a00:1::200:5efe:a9fe:a9fe",
        "64:ff9b::100.100.100.200",
    ],
)
def test_an_embedded_metadata_address_is_never_called(address: str) -> None:
    assert is_forbidden(address)
    with pytest.raises(BackendError, match="link-local or metadata address"):
        allowing(f"http://[{address}]/v1").load()


@pytest.mark.parametrize(
    "address",
    [
        *("64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "2002:c0a8:101::1", "::10.0.0.1", "::ffff:0:172.16.0.1"),
        *("2001:0:808:808::f5ff:fffe", "2a00:1::5efe:10.0.0.1", "2001:db8::5efe:8.8.8.8"),
        *("fec0::1", "fc00::1", "2001:db8::1", "100::1", "ff02::1", "4000::1", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("192.0.0.192", "192.0.0.8", "224.0.0.1", "239.255.255.250", "64:ff9b::224.0.0.1"),
        *("64:ff9b::127.0.0.1", "::127.0.0.1"),  # the loopback of another machine, if of any
    ],
)
def test_what_is_not_on_the_public_internet_is_private(address: str) -> None:
    assert is_private(address)
    assert not is_forbidden(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8", "::1", "::"]
)
def test_public_addresses_and_this_machine_are_called(address: str) -> None:
    assert not is_private(address)
    assert not is_forbidden(address)


@pytest.mark.parametrize("host", ["localhost。", "１２７.0.0.1", "127。1", "ＬocalHost", "0x7f000001", "[::1%25lo]"])
def test_no_spelling_of_this_machine_is_sent_through_a_proxy(host: str) -> None:
    assert is_loopback(f"http://{host}:8000/v1")


def test_a_key_goes_by_the_host_and_not_by_its_spelling() -> None:
    assert same_address("https://api.example/v1", "https://API。example./v1/")
    assert not same_address("https://a%62.example/v1", "https://a%63.example/v1")
