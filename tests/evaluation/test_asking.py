"""Answers to a question set: kept in a file, one turn each, and asked once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.run.lane import Cancelled, lane
from backends.settings import load_settings
from evaluation.asking import MAX_TOKENS, AnswerLog, ask, get_ready, greedy, identity
from evaluation.samples import Sample
from tests.evaluation.answering import AnsweringBackend, answered
from tests.scripted import Gate

SAMPLE = Sample("1", "Why?", "Because.")


def test_an_answer_is_asked_once(tmp_path: Path):
    settings, backend = greedy(load_settings({"temperature": 1, "max_tokens": 500})), AnsweringBackend({"Why?": "So."})
    assert settings.temperature == 0
    file = tmp_path / "new" / "answers.jsonl"
    first = ask(backend, "base", 3, SAMPLE, settings, AnswerLog(file), "proof", threading.Event())
    again = ask(backend, "base", 3, SAMPLE, settings, AnswerLog(file), "proof", threading.Event())
    assert first == again
    assert (first.text, first.status, first.model, first.cost_usd) == ("So.", "ok", "scripted answers (raw)", "0.001")
    assert (first.prompt_tokens, first.completion_tokens) == (10, 4)
    assert [(one.text, one.max_tokens) for one in backend.asked] == [("Why?", MAX_TOKENS)]
    assert len(file.read_text().splitlines()) == 1


def test_a_failed_answer_is_kept_with_its_reason_and_asked_again(tmp_path: Path):
    file, settings, cancel = tmp_path / "answers.jsonl", load_settings(), threading.Event()
    broken = AnsweringBackend({"Why?": BackendError("It broke.", "Mend it.")})
    failed = ask(broken, "base", 0, SAMPLE, settings, AnswerLog(file), "proof", cancel)
    assert (failed.status, failed.error) == ("error", "It broke. Mend it.")
    mended = ask(AnsweringBackend({}), "base", 0, SAMPLE, settings, AnswerLog(file), "proof", cancel)
    assert mended.text == "I do not know."
    assert AnswerLog(file).get("base", 0) == mended


def test_a_torn_line_costs_one_answer(tmp_path: Path):
    file = tmp_path / "answers.jsonl"
    log = AnswerLog(file)
    log.add(answered("base", "whole"))
    log.add(answered("adapter", "torn"))
    file.write_bytes(file.read_bytes()[:-30])
    after = AnswerLog(file)
    assert (after.get("base", 0), after.get("adapter", 0)) == (answered("base", "whole"), None)
    after.add(answered("adapter", "again"))
    assert AnswerLog(file).get("adapter", 0) == answered("adapter", "again")
    assert AnswerLog(file).get("base", 0) == answered("base", "whole")


def test_a_cancelled_answer_is_not_kept(tmp_path: Path):
    file, cancel = tmp_path / "answers.jsonl", threading.Event()
    backend = AnsweringBackend({}, before=lambda given: given.set())
    with pytest.raises(Cancelled):
        ask(backend, "base", 0, SAMPLE, load_settings(), AnswerLog(file), "proof", cancel)
    assert not file.exists()


def test_a_question_of_somebody_else_goes_between_two_answers(tmp_path: Path):
    """Whoever joins the line during one answer has its turn before the next."""
    gate, cancel = Gate(), threading.Event()
    backend = AnsweringBackend({}, lane="asking-test", before=gate)
    log, settings = AnswerLog(tmp_path / "answers.jsonl"), load_settings()

    def both() -> None:
        for position in range(2):
            ask(backend, "base", position, SAMPLE, settings, log, "proof of doors", cancel)

    work = threading.Thread(target=both)
    work.start()
    assert gate.reached.wait(20)
    line = lane("asking-test")
    place = line.join("a colleague")
    assert line.behind(place) == ("proof of doors",)
    gate.opened.set()
    with line.turn(place, threading.Event()):
        assert len(backend.asked) == 1
    work.join(20)
    assert len(backend.asked) == 2


def test_getting_ready_says_what_takes_time_and_raises_what_is_wrong():
    arms = {"base": AnsweringBackend({}, lane="asking-test"), "adapter": AnsweringBackend({}, approach="fine_tuned")}
    said = list(get_ready(arms, "proof", threading.Event()))
    assert said == ["learning raw by heart", "learning fine_tuned by heart"]
    arms["adapter"] = AnsweringBackend({}, loading=BackendError("It does not fit.", "Choose another."))
    with pytest.raises(BackendError, match="does not fit"):
        list(get_ready(arms, "proof", threading.Event()))


def test_getting_ready_can_be_cancelled():
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        list(get_ready({"base": AnsweringBackend({})}, "proof", cancel))


def test_the_same_parts_have_the_same_identity():
    assert identity("a", ["b"], None) == identity("a", ["b"], None)
    assert identity("a", ["b"], None) != identity("a", ["c"], None)
    assert len(identity("a")) == 16
