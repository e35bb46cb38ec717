"""Keys that can be told from everything else are configured everywhere, a server sends them back in every place, and
then everything that was printed, shown, logged or stored is searched for them.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import re
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner
from werkzeug import Request, Response

from backends.errors import BackendError
from backends.rag.documents.parser import ExtractProcess
from backends.rag.store.chroma import open_store
from backends.rag.store.index import server_of
from backends.settings import load_settings
from backends.spend.ledger import entries
from terminal.commands import app
from tests.backends.openai_server import PATH, USAGE, event, sse, text_chunk
from tests.pages.opening import everything, opened

pytestmark = pytest.mark.usefixtures("no_local_models")

MARK = "zq7Wx+k"
"""Every key begins with it."""

KEYS = {
    name: f"{MARK}/{name}&42=Tail"
    for name in ("default", "one", "variable", "header", "tuned", "openai", "hub", "chroma")
}
APPROACHES = {"paid_api": "default", "paid_api:one": "one", "paid_api:two": "variable", "fine_tuned": "tuned"}
"""Which key each of them sends."""

Spelling = Callable[[str], str]
SPELLINGS: dict[str, Spelling] = {
    "as it is": str,
    "upper": str.upper,
    "lower": str.lower,
    "encoded": lambda key: quote(key, safe=""),
    "in the middle of a word": lambda key: f"x%{key}%2",
}


def answer(key: str) -> Response:
    pieces = [text_chunk(piece) for piece in ("Your key: ", key[:9], key[9:11], key[11:], ".")]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": key}], "service_tier": key}
    reasoning = {"choices": [{"index": 0, "delta": {"reasoning": f"I think of {key}"}}]}
    return sse(reasoning, *pieces, end, USAGE | {"model": key, "system_fingerprint": key, "id": key})


def usual_error(status: int) -> Callable[[str], Response]:
    def respond(key: str) -> Response:
        body = {"error": {"message": f"Incorrect key {key}", "type": key, "code": key, "param": key}}
        return Response(json.dumps(body), status, content_type="application/json", headers={"X-Request-Id": quote(key)})

    return respond


PLACES: dict[str, Callable[[str], Response]] = {
    "answer": answer,
    "refusal": usual_error(401),
    "bad request": usual_error(400),
    "no such model": usual_error(404),
    "content type": lambda key: Response("{}", 200, headers={"Content-Type": f"text/{quote(key)}"}),
    "content type as it is": lambda key: Response("{}", 200, headers={"Content-Type": f"text/{key}"}),
    "error with status 200": lambda key: Response(json.dumps({"error": key}), 200, content_type="application/json"),
    "error in the stream": lambda key: Response(
        event(text_chunk("Par")) + event({"error": {"message": f"{key} is wrong", "code": key}}),
        content_type="text/event-stream",
    ),
    "other json": lambda key: Response(json.dumps({key: {key: [key]}}), 400, content_type="application/json"),
    "plain text": lambda key: Response(f"what is {key}?", 400, content_type="text/plain"),
    "a redirect": lambda key: Response("", 307, headers={"Location": f"http://127.0.0.1:9/{quote(key)}"}),
    "a time to wait": lambda key: Response("", 429, headers={"Retry-After": quote(key)}),
    "no stream of JSON": lambda key: Response(f"data: {key}\n\n", content_type="text/event-stream"),
    "a huge error": lambda key: Response(f"{'-' * 290} {key}", 400, content_type="text/plain"),
}


def secrets_of(request: Request) -> str:
    """What the request carries: its key, and the header where there is one."""
    return " ".join(
        filter(None, (request.headers["Authorization"].removeprefix("Bearer "), request.headers.get("X-T")))
    )


@pytest.fixture
def server(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> HTTPServer:
    """Every key is configured, and the program logs all it can."""
    url = httpserver.url_for("/v1")
    one, two = "CROSSROADS_CONNECTIONS__ONE__", "CROSSROADS_CONNECTIONS__TWO__"
    given = {
        "CROSSROADS_PAID_API__BASE_URL": url,
        "CROSSROADS_PAID_API__API_KEY": KEYS["default"],
        "CROSSROADS_PAID_API__MAX_RETRIES": "0",
        "OPENAI_API_KEY": KEYS["openai"],
        "HF_TOKEN": KEYS["hub"],
        f"{one}BASE_URL": url,
        f"{one}MODEL": "model-one",
        f"{one}API_KEY": KEYS["one"],
        f"{one}HEADERS": json.dumps({"X-T": KEYS["header"]}),
        f"{one}MAX_RETRIES": "0",
        f"{two}BASE_URL": url,
        f"{two}MODEL": "model-two",
        f"{two}KEY_VARIABLE": "LOGIN_OF_TWO",
        f"{two}MAX_RETRIES": "0",
        "LOGIN_OF_TWO": KEYS["variable"],
        "CROSSROADS_FINE_TUNED__BASE_URL": url,
        "CROSSROADS_FINE_TUNED__SERVED_MODEL": "merged",
        "CROSSROADS_FINE_TUNED__API_KEY": KEYS["tuned"],
        "COLUMNS": "200",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("backends").debug("the log is being read")
    assert "the log is being read" in caplog.text
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)  # the server's own log
    models = lambda request: Response(  # noqa: E731
        json.dumps({"object": "list", "data": [{"id": f"model {secrets_of(request)}", "object": "model"}]}),
        content_type="application/json",
    )
    httpserver.expect_request("/v1/models").respond_with_handler(models)
    return httpserver


def play(server: HTTPServer, respond: Callable[[str], Response], spelling: Spelling) -> None:
    server.expect_request(PATH).respond_with_handler(lambda request: respond(spelling(secrets_of(request))))


def assert_nowhere(*texts: str) -> None:
    """No key in the texts, whatever its case, encoded or not."""
    for text in texts:
        plain = text.lower()
        for spelled in (MARK.lower(), quote(MARK, safe="").lower(), MARK.lower().replace("+", "\\+")):
            at = plain.find(spelled)
            assert at < 0, text[max(0, at - 200) : at + 200]


def assert_not_stored(folder: Path) -> None:
    stored = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "evaluations.sqlite" for path in stored)
    for path in stored:
        assert_nowhere(path.name, path.read_bytes().decode("latin-1"))


CASES = [*zip(PLACES, itertools.cycle(("upper", "as it is")), strict=False)]
CASES += [(place, spelling) for place in ("answer", "refusal") for spelling in SPELLINGS]


@pytest.mark.parametrize(("place", "spelling"), dict.fromkeys(CASES))
def test_no_key_comes_out_of_the_terminal(
    server: HTTPServer, caplog: pytest.LogCaptureFixture, tmp_path: Path, place: str, spelling: str
) -> None:
    play(server, PLACES[place], SPELLINGS[spelling])
    chosen = [part for approach in APPROACHES for part in ("--approach", approach)]
    asked = CliRunner().invoke(app, ["ask", "Capital of France?", "--json", *chosen])
    answers = {one["approach"]: one for one in json.loads(asked.stdout)["answers"]}
    assert list(answers) == list(APPROACHES)
    sent = {request.headers["Authorization"].removeprefix("Bearer ") for request, _ in server.log}
    assert sent == {KEYS[name] for name in APPROACHES.values()}
    if place == "answer":
        assert "[key]" in answers["paid_api"]["text"]
        assert "[key]" in answers["paid_api"]["finish_reason"]
    assert_nowhere(asked.stdout, asked.stderr, caplog.text)
    assert_not_stored(tmp_path)


CHROMA_PLACES: dict[str, Callable[[str], Response]] = {
    "refusal": lambda key: Response(json.dumps({"error": "AuthError", "message": key}), 401),
    "an error of Chroma's": lambda key: Response(json.dumps({"error": "InternalError", "message": key}), 500),
    "another status": lambda key: Response(f"Oh {key}", 500),
    "a page": lambda key: Response(f"<html>{key}</html>", 200, content_type="text/html"),
    "other json": lambda key: Response(json.dumps({key: key}), 200, content_type="application/json"),
    "text": lambda key: Response(key, 200, content_type="text/plain"),
    "a redirect": lambda key: Response("", 302, headers={"Location": f"http://127.0.0.1/{quote(key)}"}),
}


@pytest.mark.parametrize("place", CHROMA_PLACES)
def test_no_key_comes_out_of_what_a_chroma_server_says(
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    place: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)  # the server's own log
    key, sent = KEYS["chroma"], []

    def respond(request: Request) -> Response:
        sent.append(request.headers["X-Chroma-Token"])
        return CHROMA_PLACES[place](key)

    httpserver.expect_request(re.compile(".*")).respond_with_handler(respond)
    monkeypatch.setenv("CROSSROADS_RAG__CHROMA_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("CROSSROADS_RAG__CHROMA_API_KEY", key)
    server = server_of(load_settings().rag)
    assert server is not None
    store = open_store(tmp_path / "data", server, "v-canary")
    with pytest.raises(BackendError) as raised:
        store.create("1")
    assert sent
    assert set(sent) == {key}
    shown = "".join(traceback.format_exception(raised.value))
    assert_nowhere(str(raised.value), shown, repr(server), repr(load_settings()), caplog.text)


@pytest.mark.parametrize("place", ["answer", "refusal"])
def test_no_key_comes_out_of_a_command_whatever_its_source(httpserver: HTTPServer, tmp_path: Path, place: str) -> None:
    """A real process, with one key from the environment, one from `.env` and one from `--set`."""
    play(httpserver, PLACES[place], str.upper)
    url, work = httpserver.url_for("/v1"), tmp_path / "work"
    work.mkdir()
    fields = {"BASE_URL": url, "MODEL": "m", "MAX_RETRIES": "0"}

    def configured(name: str, key: str) -> dict[str, str]:
        return {
            f"CROSSROADS_CONNECTIONS__{name}__{field}": value for field, value in (fields | {"API_KEY": key}).items()
        }

    lines = [f"{name}='{value}'" for name, value in configured("FILE", KEYS["one"]).items()]
    (work / ".env").write_text("\n".join(lines))
    given = {
        f"connections.set.{field.lower()}": value for field, value in (fields | {"API_KEY": KEYS["tuned"]}).items()
    }
    command = [sys.executable, "-m", "crossroads", "ask", "Which key?", "--json"]
    command += [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    command += [part for name in ("environment", "file", "set") for part in ("--approach", f"paid_api:{name}")]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "CROSSROADS_"))}
    own = {"CROSSROADS_DATA": str(tmp_path / "data"), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    own |= configured("ENVIRONMENT", KEYS["default"])
    asked = subprocess.run(command, cwd=work, env=inherited | own, capture_output=True, text=True, timeout=120)
    assert len(json.loads(asked.stdout)["answers"]) == 3, asked.stderr
    sent = {request.headers["Authorization"].removeprefix("Bearer ") for request, _ in httpserver.log}
    assert sent == {KEYS[name] for name in ("default", "one", "tuned")}
    assert_nowhere(asked.stdout, asked.stderr)
    assert_not_stored(tmp_path / "data")


@pytest.mark.parametrize("place", ["answer", "refusal", "content type as it is"])
def test_no_key_comes_out_of_the_test_of_connections(
    server: HTTPServer, caplog: pytest.LogCaptureFixture, tmp_path: Path, place: str
) -> None:
    play(server, PLACES[place], str.upper)
    named = [part for name in ("default", "one", "two") for part in ("--test", name)]
    for more in ([], ["--json"]):
        tested = CliRunner().invoke(app, ["connections", *named, *more])
        assert "chat" in tested.stdout
        assert_nowhere(tested.stdout, tested.stderr)
    listed = CliRunner().invoke(app, ["connections", "--json"])
    assert [one["has_key"] for one in json.loads(listed.stdout)["connections"]] == [True, True, True]
    refused = CliRunner().invoke(app, ["ask", "x", "--set", f"paid_api.max_retries={KEYS['one']}", "--set", "seed=x"])
    assert refused.exit_code == 2
    assert_nowhere(listed.stdout, refused.output, caplog.text)
    assert_not_stored(tmp_path)


@pytest.mark.parametrize("place", ["answer", "refusal", "content type as it is", "error in the stream"])
def test_no_key_is_shown_on_a_page(
    server: HTTPServer, caplog: pytest.LogCaptureFixture, tmp_path: Path, place: str
) -> None:
    play(server, PLACES[place], str.upper)
    at = opened("compare")
    at.session_state["chosen:compare"] = list(APPROACHES)
    at.text_area(key="question:compare").input("Capital of France?")
    at.button(key="ask:compare").click().run()
    assert not at.exception
    assert "model-one" in everything(at)
    assert_nowhere(everything(at))
    at = opened("paid_api")
    for name in ("", "one", "two"):
        approach = f"paid_api:{name}" if name else "paid_api"
        at.button_group(key="connection").set_value(name).run()
        at.button(key=f"test_connection:{name}").click().run()
        at.text_area(key=f"question:{approach}").input("Capital of France?")
        at.button(key=f"ask:{approach}").click().run()
        assert not at.exception
        assert_nowhere(everything(at))
    at = opened("fine_tuned")
    at.text_area(key="question:fine_tuned").input("Capital of France?")
    at.button(key="ask:fine_tuned").click().run()
    assert not at.exception
    assert "merged" in everything(at)
    assert_nowhere(everything(at))
    for page in ("rag", "raw", "costs"):
        assert_nowhere(everything(opened(page)))
    sent = {request.headers["Authorization"].removeprefix("Bearer ") for request, _ in server.log}
    assert sent == {KEYS[name] for name in APPROACHES.values()}
    assert_nowhere(caplog.text)
    assert entries(tmp_path / "data")
    assert_not_stored(tmp_path)


@pytest.fixture
def parser(tmp_path: Path) -> Iterator[psutil.Process]:
    """The child that reads documents."""
    document = tmp_path / "one.txt"
    document.write_text("A short text.", encoding="utf-8")
    others = psutil.Process().children()  # which other tests keep
    with ExtractProcess(limit_s=60) as child:
        child.extract(document, "txt", threading.Event())
        (process,) = [one for one in psutil.Process().children() if one not in others]
        assert "backends.rag.documents.parser_process" in process.cmdline()
        yield process


@pytest.mark.usefixtures("server")
def test_no_key_is_seen_by_the_child_that_reads_documents(parser: psutil.Process) -> None:
    assert any(MARK in value for value in os.environ.values())
    assert_nowhere(json.dumps(parser.environ()), json.dumps(parser.cmdline()))
