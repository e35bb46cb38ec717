"""Files and servers that say odd things in JSON: whoever reads them says so in a sentence, or does without."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_httpserver import HTTPServer
from safetensors.torch import save_file

from backends.errors import BackendError
from backends.fine_tuned.adapters import export
from backends.fine_tuned.train import checkpoint, lock
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.precision import PrecisionChoice, load_choice, save_choice
from backends.fine_tuned.train.runs import Run, history, read_part, runs, write_run
from backends.models import hub
from backends.models.weights import DEFAULT_MODEL, Weights, resolve
from backends.paid_api import PaidApiBackend
from backends.question_files.reader import read_question_file
from backends.rag.documents.readers.jsonl import read_jsonl
from backends.rag.search.embedder import Embedder
from backends.rag.search.keyword import KeywordIndex
from backends.rag.search.reranker import Reranker
from backends.remote import stand_in
from backends.remote.connection_test import run_steps
from backends.settings import STARTED_WITH, load_settings, started_with
from backends.storage import strict_json
from evaluation.asking import AnswerLog
from evaluation.attribution import read_attribution
from evaluation.costs.right_answers import runs as measured_runs
from evaluation.proof import read_proof
from evaluation.samples import parse_question_set
from tests.backends.fine_tuned.small_training import base_of, tiny_settings
from tests.backends.openai_server import PATH, STOP, Waits, ask, event, text, text_chunk
from tests.backends.rag.quick import default_weights

DEEP = 100_000

ODD = {
    "nothing": b"",
    "not a number": b"NaN",
    "infinity": b"Infinity",
    "out of range": b"1e999",
    "many digits": b"9" * 5000,
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "half a pair": b'"\\ud800"',
    "a list": b"[1]",
    "an object": b'{"a": 1}',
    "a number": b"-7",
    "a text": b'"a"',
    "null": b"null",
    "no text": b"\xff\xfe\x00",
}
ORDINARY = ("a list", "an object", "a number", "a text", "null")


def wholes_and_parts(good: Any) -> Iterator[bytes]:
    """Odd documents, and `good` with each of its parts replaced by something odd."""
    yield from ODD.values()
    for path in paths(good):
        for odd in ODD.values():
            yield json.dumps(with_mark(good, path)).encode().replace(b'"MARK"', odd)


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (name,)
        yield from ((name, *rest) for rest in paths(part))


def with_mark(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return "MARK"
    parts = dict(value) if isinstance(value, dict) else list(value)
    parts[path[0]] = with_mark(parts[path[0]], path[1:])
    return parts


@pytest.mark.parametrize("odd", [name for name in ODD if name not in ORDINARY])
def test_what_no_page_can_take_is_refused(odd: str) -> None:
    for content in (ODD[odd], b'{"a": [1, ' + ODD[odd] + b"]}"):
        with pytest.raises(ValueError, match=r"."):
            strict_json.loads(content)


def test_a_document_that_is_no_object_is_no_object() -> None:
    assert strict_json.an_object('{"a": [1, 2.5, null, "é"]}') == {"a": [1, 2.5, None, "é"]}
    for document in ("[1]", "1", '"a"', "null"):
        with pytest.raises(ValueError, match="not an object"):
            strict_json.an_object(document)


# --- our own files ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """A file, what it usually says, and what reads it: it returns, or raises `BackendError`."""

    file: str
    good: Any
    read: Callable[[Path], object]


def a_run(data: Path) -> Run:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    run = Run(
        *("one", "doors", data / "trainings" / "one", now, "interrupted", 1, 2, "", True, 2, 1, TrainingSettings()),
        *("", "pairs.csv", "tiny", "abc"),
    )
    if not run.folder.exists():
        write_run(run, [], [])
    return run


def a_question_set(name: str) -> Callable[[Path], object]:
    return lambda data: parse_question_set(name, (data / name).read_bytes())


def who_trains(data: Path) -> object:
    content = (data / "trainings" / "running.json").read_bytes()
    with lock.training("one", data):
        (data / "trainings" / "running.json").write_bytes(content)
        return lock.holder(data)


def in_the_hub(data: Path) -> object:
    repository = data / "hub" / "models--a--b"
    for name in ("snapshots/c/config.json", "snapshots/c/model.safetensors", "refs/main"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("c")
    return hub.cached("a/b", data, None)


def a_vocabulary(data: Path) -> None:
    words = (data / "vocabulary.json").read_bytes()
    KeywordIndex.empty().updated([1], {1: "a door"}).save(data)
    (data / "vocabulary.json").write_bytes(words)
    with contextlib.suppress(ValueError):  # its caller builds the index anew
        KeywordIndex.load(data)


def a_reranker(data: Path) -> None:
    Reranker(str(data), data).load()


READERS = {
    "who trains": Reader("trainings/running.json", {"run": "one", "pid": 1}, who_trains),
    "state of a training": Reader(
        "trainings/one/state.json", {"state": "failed", "step": 1, "steps": 2, "reason": "x", "resumable": True}, runs
    ),
    "a training": Reader(
        "trainings/one/run.json", {"name": "x", "created": "2026-11-01", "settings": {"rank": 1}, "pairs": 1}, runs
    ),
    "log of a training": Reader(
        "trainings/one/log.jsonl",
        {"kind": "step", "step": 1, "loss": 0.5, "held_out_loss": None, "tokens": 5},
        lambda data: history(a_run(data)),
    ),
    "pairs of a training": Reader(
        "trainings/one/train.jsonl",
        {"question": "a", "answer": "b", "group": ""},
        lambda d: read_part(a_run(d), "train"),
    ),
    "an export": Reader(
        "crossroads_export.json",
        {"adapter": {"name": "a", "sha256": "b"}, "base_model": "x", "base_revision": "y"},
        export.manifest,
    ),
    "the stand-in": Reader(
        "stand_in.json", {"url": "http://127.0.0.1:9/v1", "model": "x", "pid": 1, "created": 1.0}, stand_in.running
    ),
    "an index of shards": Reader(
        "hub/models--a--b/snapshots/c/model.safetensors.index.json",
        {"weight_map": {"a": "model.safetensors"}},
        in_the_hub,
    ),
    "a question set": Reader(
        "set.jsonl",
        {"id": "1", "question": "a", "reference_answer": "b", "key_facts": ["x"], "source": "s", "tags": ["t"]},
        a_question_set("set.jsonl"),
    ),
    "pairs": Reader(
        "pairs.jsonl",
        {"question": "a", "answer": "b", "group": "g"},
        lambda data: read_question_file(data / "pairs.jsonl"),
    ),
    "a chat": Reader(
        "chat.jsonl",
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        lambda data: read_question_file(data / "chat.jsonl"),
    ),
    "records": Reader("r.jsonl", {"a": ["b", 1], "c": {"d": 1}}, lambda d: read_jsonl((d / "r.jsonl").read_bytes())),
    "answers of a measurement": Reader(
        "answers.jsonl", {"arm": "base", "position": 0, "text": "a"}, lambda data: AnswerLog(data / "answers.jsonl")
    ),
    "a proof": Reader("proof.json", {"adapter": "a", "created": "2026-11-01"}, lambda d: read_proof(d / "proof.json")),
    "a benchmark": Reader(
        "latest.json",
        {"date": "2026-11-01", "raw": {"quality": {"samples": [{"answers": {"raw": {"right": True}}}]}}},
        lambda data: measured_runs(data, "raw", data / "latest.json"),
    ),
    "vocabulary of the keyword index": Reader("vocabulary.json", {"door": 0}, a_vocabulary),
    "a reranker": Reader(
        "config.json", {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "x"}}, a_reranker
    ),
    "an attribution": Reader(
        "attribution.json", {"adapter": "a", "spent_usd": "1"}, lambda d: read_attribution(d / "attribution.json")
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_an_odd_file_is_named_or_done_without(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    a_run(tmp_path)
    file = tmp_path / reader.file
    for content in wholes_and_parts(reader.good):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        with contextlib.suppress(BackendError):
            reader.read(tmp_path)


@pytest.mark.parametrize("odd", ["1e999", "Infinity", "-7", "0", "[1]", '"\\ud800"', "9" * 5000])
def test_an_embedder_whose_file_says_an_odd_length_is_damaged(odd: str, tmp_path: Path) -> None:
    folder = copied(default_weights(), tmp_path / "odd")
    (folder / "sentence_bert_config.json").write_text(f'{{"max_seq_length": {odd}, "do_lower_case": false}}')
    with pytest.raises(BackendError, match="is damaged"):
        _ = Embedder(folder).max_tokens


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    for file in to.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    return to


def test_what_was_measured_is_measured_again_where_its_file_is_odd(tiny_model: Path, tmp_path: Path) -> None:
    settings, training = tiny_settings(tiny_model, tmp_path), TrainingSettings(precision="auto")
    base, choice = base_of(settings), PrecisionChoice("bfloat16", "it was faster")
    file = tmp_path / "trainings" / "precision.json"
    save_choice(base, training, tmp_path, choice)
    good = json.loads(file.read_text())
    for content in wholes_and_parts(good):
        file.write_bytes(content)
        found = load_choice(base, training, tmp_path)
        assert found is None or found.precision == "bfloat16"
        save_choice(base, training, tmp_path, choice)
        assert load_choice(base, training, tmp_path) == choice


@pytest.mark.parametrize("odd", ODD)
def test_converted_weights_whose_list_is_odd_are_not_loaded(odd: str, weights: Weights, tmp_path: Path) -> None:
    folder = tmp_path / "models" / weights.folder.name
    folder.mkdir(parents=True)
    for content in (ODD[odd], b'{"model.safetensors": ' + ODD[odd] + b"}"):
        (folder / "crossroads.json").write_bytes(content)
        with pytest.raises(BackendError, match="weights"):
            resolve(DEFAULT_MODEL, tmp_path)


@pytest.mark.parametrize("odd", ODD)
def test_a_checkpoint_whose_state_is_odd_is_damaged(odd: str, tmp_path: Path) -> None:
    text = ODD[odd].decode("latin-1")
    for state in (text, f'{{"step": {text}, "batch": 1}}'):
        save_file({"parameter.x": torch.zeros(1)}, tmp_path / "c", {"state": state})
        with pytest.raises(BackendError, match="c of the training is damaged"):
            checkpoint.state_of(tmp_path / "c")


# --- what the environment and servers say -------------------------------------------------------


@pytest.mark.parametrize("odd", [name for name in ODD if name not in ("an object", "no text")])
def test_odd_settings_of_the_terminal_are_refused(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_WITH, ODD[odd][:100_000].decode())
    with pytest.raises(BackendError, match="is not JSON of settings"):
        started_with()


@pytest.mark.parametrize("name", ["PAID_API__HEADERS", "CONNECTIONS", "CONNECTIONS__A__HEADERS", "RAG"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_variables_are_refused(odd: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = ODD[odd].replace(b"\0", b"")[: 120_000 if "deep" in odd else None].decode("latin-1")
    monkeypatch.setenv(f"CROSSROADS_{name}", content)
    with contextlib.suppress(BackendError):
        load_settings({})


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_of_a_server_is_a_sentence(odd: str, status: int, httpserver: HTTPServer) -> None:
    deep = b'{"error": {"message": ' + (ODD[odd] or b'""') + b"}}"
    for content in (ODD[odd], deep):
        httpserver.clear()
        httpserver.expect_request(PATH).respond_with_data(content, status, content_type="application/json")
        with pytest.raises(BackendError) as raised:
            ask(httpserver.url_for("/v1"), Waits(), retries=0)
        assert raised.value.next_step
        assert len(raised.value.cause) < 2_000


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_event_of_a_stream_is_a_sentence_or_left_out(odd: str, httpserver: HTTPServer) -> None:
    for content in (ODD[odd], b'{"choices": ' + ODD[odd] + b"}", b'{"choices": [{"delta": ' + ODD[odd] + b"}]}"):
        lines = b"data: " + content + b"\n\n" + event(text_chunk("Paris")) + event(STOP) + event("[DONE]")
        httpserver.clear()
        httpserver.expect_request(PATH).respond_with_data(lines, content_type="text/event-stream")
        with contextlib.suppress(BackendError):
            assert "Paris" in text(ask(httpserver.url_for("/v1"), Waits(), retries=0))


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_list_of_models_names_none(odd: str, httpserver: HTTPServer) -> None:
    for content in (ODD[odd], b'{"data": ' + ODD[odd] + b"}", b'{"data": [{"id": ' + ODD[odd] + b"}]}"):
        httpserver.clear()
        httpserver.expect_request("/v1/models").respond_with_data(content, content_type="application/json")
        backend = PaidApiBackend(load_settings({"paid_api.base_url": httpserver.url_for("/v1"), "paid_api.model": "m"}))
        found = {step.name: step for step in run_steps(backend, threading.Event())}
        assert found["models"].says
