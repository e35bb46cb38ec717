"""Which addresses and keys are used, and how requests differ between servers."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from backends.errors import BackendError
from backends.remote.address import is_loopback
from backends.remote.connection import Connection, check
from tests.backends.openai_server import RawServer, ask
from tests.network import Network

KEY = "secret-key-0123456789"


def connection(url: str, key: str = KEY, model: str = "some-model") -> Connection:
    return Connection(url, SecretStr(key), model, deadline_s=5, max_retries=0)


@pytest.mark.parametrize(
    "url",
    ["https://api.openai.com/v1", "http://127.0.0.1:8000/v1", "http://[::1]:8000/v1/", "http://8.8.8.8/v1"],
)
def test_addresses_of_servers_are_accepted(url: str) -> None:
    accepted = connection(url)
    check(accepted)
    assert accepted.base_url == url


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("", "not a web address"),
        ("api.openai.com/v1", "not a web address"),
        ("file:///etc/passwd", "not a web address"),
        ("ftp://host/v1", "not a web address"),
        ("http://", "not a web address"),
        ("http://host:99999/v1", "not a web address"),
        ("http://host:x/v1", "not a web address"),
        ("http://[::1/v1", "not a web address"),
        ("http://ho st/v1", "not a web address"),
        ("http://host\\@other/v1", "not a web address"),
        ("http://host/v1\r\nX: y", "not a web address"),
        (f"https://user:{KEY}@host/v1", "contains a user name or a password"),
        (f"https://{KEY}@host/v1", "contains a user name or a password"),
        (f"https://host/v1?key={KEY}", "contains ? or #"),
        ("https://host/v1#part", "contains ? or #"),
        ("http://169.254.169.254/v1", "link-local or metadata address"),
        ("http://169.254.0.1:8000/v1", "link-local or metadata address"),
        ("http://2852039166/v1", "link-local or metadata address"),
        ("http://0xa9fea9fe/v1", "link-local or metadata address"),
        ("http://0251.0376.0251.0376/v1", "link-local or metadata address"),
        ("http://169.254.43518/v1", "link-local or metadata address"),
        ("http://[fe80::1]/v1", "link-local or metadata address"),
        ("http://[fe80::1%25eth0]/v1", "link-local or metadata address"),
        ("http://[::ffff:169.254.169.254]/v1", "link-local or metadata address"),
        ("http://[fd00:ec2::254]/v1", "link-local or metadata address"),
        ("http://100.100.100.200/v1", "link-local or metadata address"),
        ("http://metadata.google.internal/v1", "link-local or metadata address"),
        ("http://Metadata.Google.Internal./v1", "link-local or metadata address"),
        ("http://metadata/v1", "link-local or metadata address"),
    ],
)
def test_other_addresses_are_refused_without_showing_secrets(url: str, cause: str) -> None:
    with pytest.raises(BackendError, match=cause.replace("?", r"\?")) as raised:
        check(connection(url))
    assert KEY not in str(raised.value)


def test_a_name_that_resolves_to_a_metadata_address_is_not_sent_anything(network: Network) -> None:
    with RawServer(RawServer.wait_until_client_is_gone).run() as server:
        network.play("looks-harmless.example", "169.254.169.254", int(server.url.split(":")[2].split("/")[0]))
        with pytest.raises(BackendError, match="link-local or metadata address"):
            ask("http://looks-harmless.example/v1")
    assert server.requests == []


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "smart“quote”", "tab\there"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(BackendError, match="contains a blank or a character that cannot be sent") as raised:
        check(connection("https://host/v1", key))
    assert key not in str(raised.value)


def test_blanks_around_a_key_are_taken_off() -> None:
    check(connection("https://host/v1", f"  {KEY}\n"))
    assert connection("https://host/v1", f"  {KEY}\n").key == KEY


def test_the_key_is_never_shown() -> None:
    shown = connection("https://host/v1")
    assert KEY not in repr(shown) + str(shown)
    assert shown.redaction.text(f"Bearer {KEY} and sk-proj-abcdef123") == "Bearer [key] and [key]"
    assert connection(f"https://user:{KEY}@host:8000/v1").where == "host:8000"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1/v1", True),
        ("http://models.localhost/v1", True),
        ("http://127.9.9.9/v1", True),
        ("http://127.1/v1", True),
        ("http://[::1]/v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True),
        ("http://0.0.0.0:8000/v1", True),
        ("http://192.168.1.5/v1", False),
        ("https://localhost.example.com/v1", False),
        ("http://[::1/v1", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback
