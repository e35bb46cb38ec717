"""A connection tried step by step: each way to fail is told as the step that failed, and no key is shown."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from backends.paid_api import PaidApiBackend
from backends.remote.connection_test import Step, run_steps
from backends.settings import load_settings
from tests.backends.openai_server import KEY, PATH, RawServer, error, paris

MODELS = {"object": "list", "data": [{"id": name, "object": "model"} for name in ("small", "large")]}


def steps(url: str, model: str = "small", **more: object) -> list[Step]:
    given = {"base_url": url, "model": model, "api_key": KEY, "max_retries": 0} | more
    settings = load_settings({f"connections.one.{field}": value for field, value in given.items()})
    found = list(run_steps(PaidApiBackend(settings, name="one"), threading.Event()))
    assert KEY not in repr(found)
    return found


def shown(found: list[Step]) -> list[tuple[str, bool]]:
    return [(step.name, step.passed) for step in found]


def server(httpserver: HTTPServer, models: Response, chat: Response) -> str:
    httpserver.expect_request("/v1/models").respond_with_response(models)
    httpserver.expect_request(PATH).respond_with_response(chat)
    return httpserver.url_for("/v1").replace("localhost", "127.0.0.1")


def listing() -> Response:
    return Response(json.dumps(MODELS), content_type="application/json")


def test_a_connection_that_works(httpserver: HTTPServer) -> None:
    found = steps(server(httpserver, listing(), paris()))
    assert shown(found) == [("DNS", True), ("TCP", True), ("models", True), ("chat", True)]
    assert found[0].says == "127.0.0.1 is an address, no name."
    assert found[2].models == ("large", "small")
    assert found[2].says == "The server lists 2 models; small is among them."
    assert found[3].answer is not None
    chat = httpserver.log[-1][0]
    assert (chat.get_json()["max_tokens"], chat.headers["Authorization"]) == (1, f"Bearer {KEY}")


def test_without_a_model_the_list_is_shown_and_the_chat_says_what_is_missing(httpserver: HTTPServer) -> None:
    found = steps(server(httpserver, listing(), paris()), model="")
    assert shown(found) == [("DNS", True), ("TCP", True), ("models", True), ("address", False)]
    assert found[2].models == ("large", "small")
    assert found[3].says.startswith("It is not set which model the connection one is to ask. Set connections.one.model")


@pytest.mark.parametrize(
    "models", [error(404, "No such page"), Response("<html></html>", content_type="text/html"), error(500, "Oh")]
)
def test_a_server_without_a_list_goes_on_to_the_chat(httpserver: HTTPServer, models: Response) -> None:
    found = steps(server(httpserver, models, paris()))
    assert shown(found)[2:] == [("models", True), ("chat", True)]
    assert found[2].says.startswith("This server lists no models")


def test_a_refused_key_fails_at_the_list(httpserver: HTTPServer) -> None:
    found = steps(server(httpserver, error(401, f"Bad key {KEY}"), paris()))
    assert shown(found)[2:] == [("models", False)]
    assert "did not accept the key (401). Check CROSSROADS_CONNECTIONS__ONE__API_KEY." in found[2].says
    assert [request.path for request, _ in httpserver.log] == ["/v1/models"]


def test_a_wrong_model_fails_at_the_chat(httpserver: HTTPServer) -> None:
    found = steps(server(httpserver, listing(), error(404, "No such model")), model="huge")
    assert found[2].says == "The server lists 2 models; huge is not among them, so the chat may fail."
    assert shown(found)[3:] == [("chat", False)]
    assert "does not know the model huge" in found[3].says


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = steps(f"http://127.0.0.1:{port}/v1")
    assert shown(found) == [("DNS", True), ("TCP", False)]
    assert found[1].says.startswith(f"127.0.0.1:{port} does not accept connections.")


def test_a_host_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    found = steps("http://no-such-host.invalid/v1")
    assert shown(found) == [("DNS", False)]
    assert found[0].says.startswith("The host name in no-such-host.invalid could not be found.")


def test_a_server_without_tls_fails_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1024)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        found = steps(f"https://127.0.0.1:{port}/v1")
        thread.join(10)
    assert shown(found) == [("DNS", True), ("TCP", True), ("TLS", False)]
    assert found[2].says.startswith(f"No secure connection to 127.0.0.1:{port} could be made")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://169.254.169.254/v1", "link-local or metadata address"),
        ("http://192.168.7.7/v1", "connections.one.allow_private=true"),
        ("ftp://host/v1", "not a web address"),
    ],
)
def test_a_refused_address_is_not_even_looked_up(url: str, says: str) -> None:
    found = steps(url)
    assert shown(found) == [("address", False)]
    assert says in found[0].says


def test_without_openais_key_nothing_is_sent() -> None:
    found = list(run_steps(PaidApiBackend(load_settings()), threading.Event()))
    assert shown(found) == [("address", False)]
    assert found[0].says.startswith("There is no API key for https://api.openai.com/v1.")


def test_a_list_that_never_comes_does_not_hold_up_the_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.remote.connection_test.PATIENCE_S", 0.3)
    with RawServer(RawServer.wait_until_client_is_gone).run() as raw:
        found = steps(raw.url, deadline_s=0.3)
    assert found[2].says == "This server lists no models (no answer in time)."
    assert shown(found)[3:] == [("chat", False)]
