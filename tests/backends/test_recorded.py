"""Recorded answers: files of our own and of OpenAI's batches, what is wrong with a file, and the column they become."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import backends
from backends.base import Answer, Question, Timings
from backends.errors import BackendError
from backends.recorded import LARGEST_MB, read_recorded
from backends.run.ask import prepare_question
from backends.run.timing import run_timed
from backends.settings import load_settings
from backends.spend.ledger import entries

MODEL = "gpt-4.1-mini-2025-04-14"


def completion(text: str = "Paris.", **changes: object) -> dict[str, Any]:
    """The body of an answer, as a batch output has it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1762077600,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
            "prompt_tokens_details": {"cached_tokens": 200},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    } | changes


def output(custom_id: str = "one", body: object = None, **changes: object) -> dict[str, Any]:
    """A line of a batch output."""
    response = {"status_code": 200, "request_id": "req-1", "body": completion() if body is None else body}
    return {"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": None} | changes


def requested(custom_id: str = "one", question: str = "Capital of France?") -> dict[str, Any]:
    """A line of a batch input."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    body = {"model": "gpt-4.1-mini", "messages": messages}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def export(question: str = "Capital of France?", **changes: object) -> dict[str, Any]:
    """What `crossroads ask --json` prints, with one answer."""
    answer = {
        "approach": "paid_api",
        "model": "gpt-4.1-mini",
        "stand_in": False,
        "text": "Paris.",
        "status": "ok",
        "finish_reason": "stop",
        "ttft_s": 0.31,
        "latency_s": 0.82,
        "tokens_per_s": 51.0,
        "usage": {"prompt_tokens": 20, "completion_tokens": 3, "cached_tokens": None, "reasoning_tokens": None},
        "cost_usd": "0.0000128",
        "cost_basis": "20 tokens in, 3 out; list price",
    }
    return {"question": question, "asked_at": "2026-11-02T10:00:00+00:00", "answers": [answer | changes]}


def lines(*objects: object) -> bytes:
    return "\n".join(json.dumps(one) for one in objects).encode()


def test_a_batch_is_read_with_its_questions_in_whatever_order_its_lines_are() -> None:
    outputs = lines(output("two", completion("Rome.")), output("one"))
    found = read_recorded([("out.jsonl", outputs), ("in.jsonl", lines(requested(), requested("two", "Of Italy?")))])
    known = found.of_model("")
    one = known.find("  capital of FRANCE? ")
    assert one is not None
    assert (one.text, one.model, one.finish_reason) == ("Paris.", MODEL, "stop")
    assert (one.usage.prompt_tokens, one.usage.completion_tokens, one.usage.cached_tokens) == (1000, 100, 200)
    assert (one.usage.source, one.usage.service_tier) == ("server", "batch")
    assert one.recorded.at == datetime(2025, 11, 2, 10, 0, tzinfo=UTC)
    assert one.recorded.timings == Timings()  # a batch output does not say how long an answer took
    two = known.find("Of Italy?")
    assert two is not None
    assert two.text == "Rome."
    assert known.find("Of Spain?") is None


def test_questions_may_come_as_lines_of_custom_id_and_question() -> None:
    mapping = lines({"custom_id": "one", "question": "Capital of France?"})
    found = read_recorded([("q.jsonl", mapping), ("out.jsonl", lines(output()))])
    assert [one.question for one in found.answers] == ["Capital of France?"]


def test_our_own_output_keeps_its_times_its_cost_and_its_date() -> None:
    printed = json.dumps(export(), indent=1) + "\n" + json.dumps(export("Of Italy?"), indent=1)  # appended to one file
    found = read_recorded([("answers.json", printed.encode())]).of_model("gpt-4.1-mini")
    one = found.find("Capital of France?")
    assert one is not None
    assert (one.recorded.timings.latency_s, one.recorded.timings.ttft_s) == (0.82, 0.31)
    assert (one.recorded.cost.usd, one.recorded.cost.basis) == (
        Decimal("0.0000128"),
        "20 tokens in, 3 out; list price",
    )
    assert one.recorded.at == datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
    assert len(found.answers) == 2


def test_only_answers_of_real_paid_models_count() -> None:
    others = [export(stand_in=True), export(approach="raw"), export(status="error"), export(recorded={"at": None})]
    with pytest.raises(BackendError, match="no answer of a paid model among them: what a stand-in"):
        read_recorded([("answers.json", lines(*others))])
    found = read_recorded([("answers.json", lines(*others, export()))])
    assert len(found.answers) == 1
    assert found.notes == ("4 answers of other models, or without an answer, are left out.",)


def test_what_is_missing_is_unknown_and_said() -> None:
    bare = completion(usage=None)
    found = read_recorded(
        [
            ("o", lines(output(body=bare), output("x"), output("y", error={"code": "expired"}))),
            ("i", lines(requested())),
        ]
    ).of_model("")
    assert found.answers[0].usage.completion_tokens is None
    assert found.answers[0].recorded.cost.usd is None
    assert found.notes == (
        "1 requests of the batch failed and are left out.",
        "1 answers without their question are left out.",
        "1 of 1 answers come without token counts: what they cost is not known.",
    )
    undated = export() | {"asked_at": None}
    assert read_recorded([("a", lines(undated))]).notes == ("1 answers come without a date.",)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([("a.json", b"")], "There is nothing in a.json"),
        ([("a.json", b"question,answer\n1,2\n")], "a.json is not JSON"),
        ([("a.json", b"\xff\xfe\x00")], "a.json is not UTF-8 text"),
        ([("a.json", b"[1, 2]")], "Record 1 of a.json is no object"),
        ([("a.json", b'{"question": "x"}')], "Record 1 of a.json is no recorded answer"),
        ([("a.json", b"[" * 100_000)], "a.json is not JSON: nested too deeply"),
        ([("a.json", b'{"a": 1e999}')], "a.json is not JSON"),
        ([("a.json", lines(output()))], "names its questions by custom_id alone"),
        ([("a.json", lines(requested()))], "only the questions of a batch"),
        ([("a.json", lines(output(), output())), ("b", lines(requested()))], "'one' stands in the batch output twice"),
        ([("a.json", lines(output("x"))), ("b", lines(requested()))], "No custom_id has its question"),
        (
            [("a.json", lines(output(error={"code": 1}))), ("b", lines(requested()))],
            "Every request of the batch failed",
        ),
        ([("a.json", lines(output(body={"output": []}))), ("b", lines(requested()))], "is no chat completion"),
        ([("a.json", b" " * (LARGEST_MB * 1_000_000 + 1))], f"larger than {LARGEST_MB} MB"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(files: list[tuple[str, bytes]], sentence: str) -> None:
    with pytest.raises(BackendError) as raised:
        read_recorded(files)
    assert sentence in raised.value.cause
    assert raised.value.next_step


def test_two_answers_to_one_question_and_several_models_are_refused() -> None:
    twice = read_recorded([("a", lines(export(), export("capital  of france?")))])
    with pytest.raises(BackendError, match="1 of the questions have more than one answer of gpt"):
        twice.of_model("gpt-4.1-mini")
    two = read_recorded([("a", lines(export(), export(model="gpt-4.1")))])
    assert two.models == ("gpt-4.1-mini", "gpt-4.1")
    with pytest.raises(BackendError, match="There are answers of several models"):
        two.of_model("")
    assert len(two.of_model("gpt-4.1").answers) == 1
    with pytest.raises(BackendError, match="There is no answer of o3 among them"):
        two.of_model("o3")


# --- the column -----------------------------------------------------------------------------------


def answered(question: str, file: Path, **more: object) -> Answer:
    settings = load_settings({"connections.then.recorded": str(file), **more})
    asked = prepare_question(settings, ["paid_api:then"], question)
    answer = list(run_timed(asked.backends[0], asked.question, threading.Event()))[-1]
    assert isinstance(answer, Answer)
    asked.record(answer)
    return answer


def test_it_is_a_paid_column_with_the_numbers_of_then(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_bytes(lines(export()))
    assert "paid_api:then" in backends.approaches(load_settings({"connections.then.recorded": str(file)}))
    answer = answered("Capital of France?", file)
    assert (answer.status, answer.text, answer.model) == ("ok", "Paris.", "recorded: gpt-4.1-mini")
    assert answer.recorded is not None
    assert answer.recorded.at == datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
    assert (answer.timings.latency_s, answer.cost.usd) == (0.82, Decimal("0.0000128"))
    assert entries(load_settings().data) == []  # nobody was asked now, so nothing is counted as spent


def test_a_question_that_was_not_recorded_is_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_bytes(lines(export(), export("Of Italy?")))
    answer = answered("Of Spain?", file)
    assert answer.status == "not_asked"
    assert answer.error == (
        "This question is not among the 2 recorded questions of gpt-4.1-mini. "
        "The page Paid API lists them; so does `crossroads connections --json`."
    )


def test_a_batch_is_priced_in_its_tier_or_as_entered(tmp_path: Path) -> None:
    out, questions = tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    out.write_bytes(lines(output()))
    questions.write_bytes(lines(requested()))
    files = f"{out}; {questions}"
    answer = answered("Capital of France?", Path(files))
    assert answer.timings == Timings()
    assert answer.cost.usd is not None
    assert "batch" in answer.cost.basis
    price = {"input_usd": "10", "output_usd": "100", "date": "2026-11-01", "service_tier": "batch"}
    entered = {f"connections.then.price.{name}": value for name, value in price.items()}
    assert answered("Capital of France?", Path(files), **entered).cost.usd == Decimal("0.02")


def test_a_file_that_is_gone_or_wrong_fails_in_its_own_column(tmp_path: Path) -> None:
    answer = answered("Capital of France?", tmp_path / "gone.json")
    assert answer.status == "error"
    assert answer.error is not None
    assert answer.error.startswith("The file gone.json of recorded answers cannot be read")
    assert str(tmp_path) not in answer.error
    (tmp_path / "csv.json").write_text("a,b\n")
    assert answered("Capital of France?", tmp_path / "csv.json").status == "error"


def test_the_question_is_asked_alike_with_its_case_and_spaces_apart(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_bytes(lines(export()))
    backend = backends.make("paid_api:then", load_settings({"connections.then.recorded": str(file)}))
    answer = list(run_timed(backend, Question(" capital of France? "), threading.Event()))[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "Paris."
