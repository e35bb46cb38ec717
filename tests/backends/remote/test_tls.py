"""Secure connections that fail, stall, and are cancelled."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer

from backends.errors import BackendError
from backends.remote.engine import Connection, OpenAICompatibleEngine
from tests.backends.openai_server import (
    MESSAGES,
    QUESTION,
    RawServer,
    Waits,
    ask,
    engine,
)


def fault(base_url: str) -> BackendError:
    with pytest.raises(BackendError) as raised:
        ask(base_url, Waits())
    return raised.value


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(self_signed: Path) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        yield server


def test_https_where_http_is_spoken(httpserver: HTTPServer) -> None:
    raised = fault(f"https://127.0.0.1:{httpserver.port}/v1")
    assert raised.cause.startswith(f"No secure connection to 127.0.0.1:{httpserver.port} could be made")


def test_a_certificate_that_nobody_vouches_for(tls_server: HTTPServer) -> None:
    raised = fault(f"https://127.0.0.1:{tls_server.port}/v1")
    assert (
        raised.cause == f"No secure connection to 127.0.0.1:{tls_server.port} could be made (self-signed certificate)."
    )
    assert tls_server.log == []


def test_a_handshake_that_never_ends_is_cut_by_the_connect_timeout() -> None:
    with RawServer(RawServer.wait_until_client_is_gone).run() as server:
        url = server.url.replace("http://", "https://")
        slow = Connection(url, None, "m", deadline_s=30, max_retries=0, connect_timeout_s=0.2)
        with pytest.raises(BackendError, match=r"could not be reached within 0\.2 s"):
            list(OpenAICompatibleEngine(slow).stream(MESSAGES, QUESTION, threading.Event()))


def test_an_answer_over_tls_can_be_cancelled_while_it_is_read(
    self_signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    monkeypatch.setenv("SSL_CERT_FILE", str(self_signed))
    cancel = threading.Event()

    def stall(server: RawServer, client: socket.socket) -> None:
        server.wait_until_client_is_gone(client)

    with RawServer(stall, tls=context).run() as server:
        asked = engine(server.url, deadline_s=60)
        reader = threading.Thread(target=lambda: list(asked.stream(MESSAGES, QUESTION, cancel)))
        reader.start()
        assert server.reached.wait(10)
        cancel.set()
        reader.join(10)
        assert not reader.is_alive()
        assert server.client_gone.wait(10)
