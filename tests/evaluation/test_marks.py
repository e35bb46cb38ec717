"""Marks of people on answers: kept, replaced, removed, read back, and refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.base import Answer, Question
from backends.errors import BackendError
from evaluation.marks import LONGEST_NOTE, mark_answer, marks

ASKED = Question("What is blue?", run="run-1")


def answer(text: str = "The sky.", approach: str = "raw") -> Answer:
    return Answer(approach, "a model", text, "ok")


def test_a_mark_is_kept_with_question_and_answer(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    mark_answer(tmp_path, ASKED, answer(), "real", True, "  short and true ")
    (found,) = marks(tmp_path)
    assert (found.question, found.approach, found.model, found.kind) == ("What is blue?", "raw", "a model", "real")
    assert (found.answer, found.good, found.note) == ("The sky.", True, "short and true")
    assert found.at >= before


def test_the_last_mark_of_an_answer_counts_and_another_answer_has_its_own(tmp_path: Path) -> None:
    mark_answer(tmp_path, ASKED, answer(), "real", True)
    mark_answer(tmp_path, ASKED, answer(), "real", False, "no")
    mark_answer(tmp_path, ASKED, answer("The sea."), "real", None, "asked again")
    mark_answer(tmp_path, ASKED, answer(approach="rag"), "stand-in", True)
    found = [(one.approach, one.answer, one.good, one.note) for one in marks(tmp_path)]
    assert sorted(found, key=str) == [
        ("rag", "The sky.", True, ""),
        ("raw", "The sea.", None, "asked again"),
        ("raw", "The sky.", False, "no"),
    ]


def test_a_mark_that_says_nothing_is_taken_back(tmp_path: Path) -> None:
    mark_answer(tmp_path, ASKED, answer(), "real", True)
    mark_answer(tmp_path, ASKED, answer(), "real", None, " ")
    assert marks(tmp_path) == []


def test_nothing_is_written_before_the_first_mark(tmp_path: Path) -> None:
    assert marks(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_text_of_any_kind_is_kept(tmp_path: Path) -> None:
    mark_answer(tmp_path, ASKED, answer("a\ud800b"), "scripted", False, "x" * (LONGEST_NOTE + 5))
    (found,) = marks(tmp_path)
    assert len(found.note) == LONGEST_NOTE
    assert found.answer.startswith("a")


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "marks.sqlite").write_bytes(b"no database" * 500)
    with pytest.raises(BackendError, match=r"marks\.sqlite in the data folder is damaged\. Move it away"):
        marks(tmp_path)
    with pytest.raises(BackendError, match="is damaged"):
        mark_answer(tmp_path, ASKED, answer(), "real", True)
