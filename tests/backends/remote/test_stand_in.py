"""The stand-in for real: a child process that serves the default weights over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from backends.base import Answer, Question
from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.remote import stand_in
from backends.remote.stand_in import StandIn
from backends.run.lane import Cancelled
from backends.run.timing import run_timed
from backends.settings import load_settings


@pytest.mark.slow
def test_it_starts_answers_through_the_sdk_and_stops(
    base_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    waited: list[float] = []
    started = stand_in.start(base_weights, tmp_path, progress=waited.append)
    try:
        assert waited == sorted(waited)
        assert stand_in.running(tmp_path) == started
        assert stand_in.start(base_weights, tmp_path) == started
        assert started.model == base_weights.name  # no path: the pages show it
        process = psutil.Process(started.pid)
        assert not [name for name in process.environ() if name.upper().endswith(("_KEY", "_TOKEN"))]
        assert process.environ()["HF_HUB_OFFLINE"] == "1"

        backend = PaidApiBackend(load_settings(), started)
        question = Question("What is the capital of France?", "Answer in one short sentence.", max_tokens=12)
        answer = list(run_timed(backend, question, threading.Event()))[-1]
        assert isinstance(answer, Answer)
        assert "Paris" in answer.text
        assert answer.status in ("ok", "truncated")
        assert answer.stand_in is True
        assert answer.usage.source == "server"
        assert answer.usage.completion_tokens is not None
        assert 0 < answer.usage.completion_tokens <= 12
        assert answer.cost.usd is not None
        assert answer.cost.usd > 0
    finally:
        stand_in.stop(started, tmp_path)
    assert not psutil.pid_exists(started.pid)
    assert stand_in.running(tmp_path) is None
    assert {path.name for path in tmp_path.iterdir()} == {"stand_in.log", "stand_in_hub_cache"}


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BackendError, match=rf"Port {port} cannot be used"):
            stand_in.start(tmp_path, tmp_path, port)
    with pytest.raises(BackendError, match="Port 70000 cannot be used"):
        stand_in.start(tmp_path, tmp_path, 70000)
    assert not (tmp_path / "stand_in.json").exists()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="There are no model files in"):
        stand_in.start(tmp_path, tmp_path)


def test_a_server_that_dies_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(BackendError, match=r"ended before it was ready\. Its last words: .*ValueError: ") as raised:
        stand_in.start(tmp_path, tmp_path)
    assert 'File "' not in raised.value.cause
    assert stand_in.running(tmp_path) is None


def test_a_server_that_is_too_slow_is_ended(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    others = psutil.Process().children()  # a browser that other tests keep
    with pytest.raises(BackendError, match="did not answer within 0 s"):
        stand_in.start(tmp_path, tmp_path, limit_s=0)
    left = [child for child in psutil.Process().children() if child not in others]
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]


KEY = "key-of-somebody-0123"


def test_one_that_is_not_wanted_any_more_is_ended(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(Cancelled):
        stand_in.start(tmp_path, tmp_path, cancelled=lambda: True)
    assert stand_in.running(tmp_path) is None


def test_no_key_reaches_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    settings = {"ONE": {"base_url": "http://127.0.0.1:9/v1", "api_key": KEY}}
    given = {
        "CROSSROADS_CONNECTIONS": json.dumps(settings),
        "CROSSROADS_CONNECTIONS__ONE__HEADERS": json.dumps({"X-Token": KEY}),
        "CROSSROADS_OVERRIDES": json.dumps({"paid_api.api_key": KEY}),
        "CROSSROADS_PAID_API__BASE_URL": f"http://me:{KEY}@127.0.0.1:9/v1",
        **dict.fromkeys(("OPENAI_API_KEY", "MY_LOGIN", "HF_TOKEN", "GROQ", "HTTPS_PROXY"), KEY),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    seen: dict[str, str] = {}

    def look(waited_s: float) -> None:
        """What the server was started with; then it is killed."""
        for child in [] if seen else psutil.Process().children():
            if tmp_path.name in child.cmdline():
                seen.update(child.environ())
                child.kill()

    with pytest.raises(BackendError, match="ended before it was ready") as raised:
        stand_in.start(tmp_path, tmp_path, progress=look)
    assert seen["HF_HUB_OFFLINE"] == "1"
    assert not [name for name, value in seen.items() if KEY in value or "CROSSROADS" in name]
    assert KEY not in str(raised.value)


def record(data: Path, **changes: object) -> None:
    process = psutil.Process()
    fields = {"pid": process.pid, "url": "http://127.0.0.1:5/v1", "model": "m", "created": process.create_time()}
    (data / "stand_in.json").write_text(json.dumps(fields | changes))


def test_a_running_one_is_found_again(tmp_path: Path) -> None:
    record(tmp_path)
    assert stand_in.running(tmp_path) == StandIn("http://127.0.0.1:5/v1", "m", os.getpid())
    assert stand_in.running(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "changes",
    [{"created": 1.0}, {"pid": "x"}, {"pid": -1}, {"url": "http://example.com/v1"}, {"created": None}],
)
def test_a_stale_or_damaged_record_is_removed(tmp_path: Path, changes: dict[str, object]) -> None:
    record(tmp_path, **changes)
    assert stand_in.running(tmp_path) is None
    assert not (tmp_path / "stand_in.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"pid": 1}', "\ufffd"])
def test_a_record_that_is_no_record_is_removed(tmp_path: Path, content: str) -> None:
    (tmp_path / "stand_in.json").write_text(content)
    assert stand_in.running(tmp_path) is None
    assert not (tmp_path / "stand_in.json").exists()


def test_a_process_that_ended_is_not_running(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    record(tmp_path, pid=child.pid, created=psutil.Process(child.pid).create_time())
    assert stand_in.running(tmp_path) is not None
    child.stdin.close()
    child.wait(20)
    assert stand_in.running(tmp_path) is None


def test_stopping_what_is_not_running_does_nothing(tmp_path: Path) -> None:
    stand_in.stop(StandIn("http://127.0.0.1:5/v1", "m", os.getpid()), tmp_path)  # this very process, had it been ended
    assert stand_in.running(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """The server's first lines, with a stand-in for the server itself that would run for ever."""
    child_code = stand_in._CHILD.replace("from transformers.cli.transformers import main", "from time import sleep")
    child_code = child_code.replace("main()", "print('up', flush=True); sleep(3600)")
    parent_code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child_code!r}], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\ninput()"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    lines = sorted([parent.stdout.readline(), parent.stdout.readline()])
    assert lines[1] == b"up\n"
    child = psutil.Process(int(lines[0]))
    parent.kill()
    parent.wait(20)
    assert child.wait(20) in (None, 0)
    parent.stdin.close()
    parent.stdout.close()
