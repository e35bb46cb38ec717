"""Named connections: where they go, with which key, at which price, and what is refused."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

import backends
from backends.base import Answer, Question, Timings, Usage
from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.remote import connections
from backends.remote.address import is_private
from backends.remote.connection import Connection, check
from backends.remote.connection_settings import ManualPrice
from backends.remote.connections import base_url_of, key_of
from backends.remote.providers import PROVIDERS
from backends.run.compare import compare
from backends.run.lane import THIS_MACHINE
from backends.settings import OPENAI_URL, Settings, load_settings
from tests.backends.openai_server import PATH, paris
from tests.network import Network

KEY, OTHER_KEY = "first-key-0123456789", "second-key-0123456789"
A, B = "https://a.example/v1", "https://b.example/v1"


@pytest.fixture(autouse=True)
def _no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for provider in PROVIDERS.values():
        if provider.key_variable:
            monkeypatch.delenv(provider.key_variable, raising=False)


def value(settings: Settings, name: str) -> str:
    """The key that a connection would send."""
    key, _ = key_of(settings, name)
    return key.get_secret_value() if key else ""


def test_a_connection_comes_from_the_environment_and_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__ONE__BASE_URL", A)
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__ONE__API_KEY", KEY)
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__ONE__HEADERS", '{"X-Team": "blue"}')
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__ONE__PRICE__INPUT_USD", "1.5")
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__ONE__PRICE__OUTPUT_USD", "6")
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__ONE__PRICE__DATE", "2026-11-01")
    settings = load_settings(
        {"connections.one.model": "m", "connections.two.base_url": B, "connections.two.model": "n"}
    )
    one = settings.connections["one"]
    assert (one.base_url, one.model, one.deadline_s, one.allow_private) == (A, "m", 120.0, False)
    assert one.price is not None
    assert (one.price.input_usd, one.price.cached_usd, str(one.price.date)) == (Decimal("1.5"), None, "2026-11-01")
    assert one.headers["X-Team"].get_secret_value() == "blue"
    assert (value(settings, "one"), value(settings, "two")) == (KEY, "")
    assert backends.approaches(settings) == ("raw", "fine_tuned", "paid_api", "paid_api:one", "paid_api:two", "rag")
    assert KEY not in repr(settings)
    assert "blue" not in repr(settings)


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "a/b", "-a", "a__b", "x" * 33, "a:b"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(BackendError, match=r"cannot be called|no setting called"):
        load_settings({f"connections.{name}.model": "m"})


def test_an_unknown_setting_of_a_connection_is_named() -> None:
    with pytest.raises(BackendError, match=r"no setting called 'connections\.one\.modle'"):
        load_settings({"connections.one.modle": "m"})


@pytest.mark.parametrize("header", ["Authorization", "host", "Bad Name", "Content-Length"])
def test_headers_that_cannot_be(header: str) -> None:
    with pytest.raises(BackendError, match=r"connections\.one\.headers was refused") as refused:
        load_settings({"connections.one.headers": {header: "secret-value"}})
    assert "secret-value" not in str(refused.value)


def test_an_unknown_provider_names_the_known_ones() -> None:
    with pytest.raises(BackendError, match="the providers are openai, azure, openrouter, groq"):
        load_settings({"connections.one.provider": "nobody"})


@pytest.mark.parametrize(
    ("given", "name", "url", "key", "variable"),
    [
        ({"model": "m"}, "groq", "https://api.groq.com/openai/v1", "groq-key-0123", "GROQ_API_KEY"),
        ({"provider": "groq"}, "fast", "https://api.groq.com/openai/v1", "groq-key-0123", "GROQ_API_KEY"),
        ({"base_url": A}, "groq", A, "", "CROSSROADS_CONNECTIONS__GROQ__API_KEY"),
        ({"base_url": "http://api.groq.com/openai/v1"}, "groq", "http://api.groq.com/openai/v1", "", None),
        ({"provider": "openai"}, "second", OPENAI_URL, "openai-key-0123", "OPENAI_API_KEY"),
        ({"base_url": A, "key_variable": "MY_KEY"}, "one", A, "my-key-0123", "MY_KEY"),
        ({"base_url": A, "key_variable": "NOT_SET"}, "one", A, "", "NOT_SET"),
        ({"base_url": A, "api_key": OTHER_KEY, "key_variable": "MY_KEY"}, "one", A, OTHER_KEY, None),
        ({"provider": "ollama"}, "one", "http://localhost:11434/v1", "", None),
        ({"provider": "azure"}, "one", "", "", None),
        ({"provider": "azure", "base_url": A}, "one", A, "", None),
    ],
)
def test_which_key_goes_where(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, object], name: str, url: str, key: str, variable: str | None
) -> None:
    for known, content in (("GROQ", "groq"), ("OPENAI", "openai"), ("AZURE_OPENAI", "azure")):
        monkeypatch.setenv(f"{known}_API_KEY", f"{content}-key-0123")
    monkeypatch.setenv("MY_KEY", "my-key-0123")
    settings = load_settings({f"connections.{name}.{field}": content for field, content in given.items()})
    assert (base_url_of(settings, name), value(settings, name)) == (url, key)
    assert variable in (None, key_of(settings, name)[1])


def test_openais_key_is_not_sent_to_openai_if_it_belongs_to_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", A)
    settings = load_settings({"connections.second.provider": "openai", "paid_api.provider": "groq"})
    assert (value(settings, "second"), value(settings, "")) == ("", "")
    assert base_url_of(settings, "") == PROVIDERS["groq"].base_url


@pytest.mark.parametrize("change", [{"base_url": B}, {"provider": "together"}])
def test_a_changed_address_comes_without_key_variable_headers_and_permission(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    first = {"PROVIDER": "groq", "KEY_VARIABLE": "MY_KEY", "API_KEY": OTHER_KEY, "ALLOW_PRIVATE": "true"}
    for field, content in (first | {"HEADERS": '{"X-Token": "tok-0123"}'}).items():
        monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__ONE__{field}", content)
    assert value(load_settings(), "one") == OTHER_KEY
    changed = load_settings({f"connections.one.{field}": content for field, content in change.items()})
    one = changed.connections["one"]
    assert (value(changed, "one"), one.key_variable, one.headers, one.allow_private) == ("", None, {}, False)
    kept = load_settings({"connections.one.model": "m"}).connections["one"]
    assert (kept.key_variable, kept.allow_private) == ("MY_KEY", True)


def test_a_key_variable_is_read_from_the_env_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(f"GROQ_API_KEY={KEY}\n")
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    assert value(load_settings({"connections.groq.model": "m"}), "groq") == KEY


def test_every_provider_has_an_address_that_may_be_called_and_a_page() -> None:
    for provider in PROVIDERS.values():
        assert provider.documentation.startswith("https://")
        if provider.base_url:
            check(Connection(provider.base_url, None, "m", 5, 0))
        assert (provider.key_variable is None) == provider.on_this_machine


def test_a_local_provider_takes_turns_unless_told_otherwise() -> None:
    local = {"connections.ollama.model": "m"}
    assert backends.make("paid_api:ollama", load_settings(local)).lane == THIS_MACHINE
    elsewhere = load_settings(local | {"connections.ollama.on_this_machine": "false"})
    assert backends.make("paid_api:ollama", elsewhere).lane is None


@pytest.mark.parametrize(
    ("url", "lane"),
    [("http://127.0.0.1:8001/v1", THIS_MACHINE), ("http://[::1]:9/v1", THIS_MACHINE), ("http://gpu.example/v1", None)],
)
def test_a_local_provider_on_another_port_of_this_machine_takes_turns_too(url: str, lane: str | None) -> None:
    own = {"connections.own.provider": "vllm", "connections.own.model": "m", "connections.own.base_url": url}
    assert backends.make("paid_api:own", load_settings(own)).lane == lane


def test_two_connections_answer_side_by_side_each_with_its_key_and_price(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    overrides: dict[str, object] = {}
    for name, key in (("one", KEY), ("two", OTHER_KEY)):
        section = f"connections.{name}"
        overrides |= {f"{section}.base_url": httpserver.url_for("/v1"), f"{section}.api_key": key}
        overrides |= {f"{section}.model": f"model-{name}", f"{section}.headers": {"X-Team": f"team-{name}"}}
    price = {"input_usd": "2", "cached_usd": "1", "output_usd": "10", "date": "2026-11-01"}
    overrides |= {f"connections.two.price.{field}": content for field, content in price.items()}
    settings = load_settings(overrides)
    made = [backends.make(f"paid_api:{name}", settings) for name in ("one", "two")]
    events = compare(made, Question("Capital of France?"), threading.Event())
    answers = {name: event for name, event in events if isinstance(event, Answer)}
    assert sorted(answers) == ["paid_api:one", "paid_api:two"]
    assert [answers[name].model for name in sorted(answers)] == ["model-one", "model-two"]
    assert answers["paid_api:one"].cost.usd is None
    assert answers["paid_api:two"].cost.usd == Decimal("0.000054")  # 12 × 2 + 3 × 10, per million
    assert answers["paid_api:two"].cost.basis == (
        "12 tokens in at 2, 3 out at 10 USD per million; model-two, price entered by hand on 2026-11-01"
    )
    sent = {request.get_json()["model"]: request.headers for request, _ in httpserver.log}
    assert (sent["model-one"]["Authorization"], sent["model-one"]["X-Team"]) == (f"Bearer {KEY}", "team-one")
    assert (sent["model-two"]["Authorization"], sent["model-two"]["X-Team"]) == (f"Bearer {OTHER_KEY}", "team-two")
    assert KEY not in repr(answers)


def test_cached_tokens_have_a_price_of_their_own() -> None:
    price = {"input_usd": "2", "cached_usd": "1", "output_usd": "10", "date": "2026-11-01"}
    given = {f"paid_api.price.{field}": content for field, content in price.items()}
    cost = PaidApiBackend(load_settings(given)).cost(Usage(100, 10, 40, source="server"), Timings())
    assert cost.usd == Decimal("0.00026")  # 60 × 2 + 40 × 1 + 10 × 10
    assert PaidApiBackend(load_settings(given)).cost(Usage(), Timings()).usd is None


def test_a_price_by_hand_goes_with_its_model_and_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "BASE_URL": A,
        "MODEL": "m",
        "PRICE__INPUT_USD": "2",
        "PRICE__OUTPUT_USD": "10",
        "PRICE__DATE": "2026-11-01",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__ONE__{name}", value)

    def price(**overrides: str) -> ManualPrice | None:
        return load_settings({f"connections.one.{n}": v for n, v in overrides.items()}).connections["one"].price

    assert price() == price(model="m") == price(max_retries="1")
    assert price() is not None
    assert price(model="another") is None
    assert price(base_url="https://other.example/v1") is None
    entered = {"price.input_usd": "3", "price.output_usd": "4", "price.date": "2026-11-02"}
    found = price(model="another", **entered)
    assert found is not None
    assert found.input_usd == 3


@pytest.mark.parametrize(
    ("overrides", "cause"),
    [
        ({"connections.one.model": "m"}, "The connection one has no address."),
        ({"connections.one.base_url": A}, "It is not set which model the connection one is to ask."),
    ],
)
def test_a_connection_that_is_not_complete_says_what_is_missing(overrides: dict[str, object], cause: str) -> None:
    with pytest.raises(BackendError) as raised:
        list(backends.make("paid_api:one", load_settings(overrides)).load(threading.Event()))
    assert raised.value.cause == cause


def test_an_unknown_connection_names_the_known_ones() -> None:
    settings = load_settings({"connections.one.base_url": A})
    with pytest.raises(BackendError, match="The ids are raw, fine_tuned, paid_api, paid_api:one, rag"):
        backends.make("paid_api:two", settings)
    with pytest.raises(BackendError, match="There is no connection called 'two'; there are: one"):
        connections.settings_of(settings, "two")


@pytest.mark.parametrize("host", ["10.1.2.3", "172.16.0.1", "192.168.1.5", "[fd12::1]", "100.64.0.1", "0xc0a80105"])
def test_private_addresses_are_called_only_where_allowed(host: str) -> None:
    refused = Connection(f"http://{host}/v1", None, "m", 5, 0, section="connections.one")
    with pytest.raises(BackendError, match=r"set connections\.one\.allow_private=true"):
        check(refused)
    check(Connection(f"http://{host}/v1", None, "m", 5, 0, allow_private=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "8.8.8.8", "api.openai.com"])
def test_other_addresses_are_not_private(host: str) -> None:
    assert not is_private(host)


@pytest.mark.parametrize(
    ("proxied", "allowed", "sent"), [(False, False, False), (False, True, True), (True, False, True)]
)
def test_a_name_is_judged_by_the_address_that_is_connected_to(
    httpserver: HTTPServer, network: Network, monkeypatch: pytest.MonkeyPatch, proxied: bool, allowed: bool, sent: bool
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    network.play("models.example", "192.168.1.5", httpserver.port)
    network.play("proxy.example", "192.168.1.5", httpserver.port)
    if proxied:
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    given = {"base_url": "http://models.example/v1", "model": "m", "allow_private": allowed}
    settings = load_settings({f"connections.one.{field}": content for field, content in given.items()})
    answer = backends.make("paid_api:one", settings).stream(Question("Hello"), threading.Event())
    if sent:
        assert list(answer)
    else:
        with pytest.raises(BackendError, match="at an address of a private network"):
            list(answer)
    assert len(httpserver.log) == sent
