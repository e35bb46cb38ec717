"""Drafting in the background: which chunks, at what price, and pairs as soon as they are made."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from backends.base import BackendEvent, Question, TextDelta
from backends.errors import BackendError
from backends.fine_tuned.pairs.draft_job import Draft, drafting_key, evenly, expected_cost, start
from backends.fine_tuned.pairs.drafts import draft_question
from backends.paid_api import PaidApiBackend
from backends.run import jobs
from backends.settings import load_settings
from backends.spend.openai_tokens import count
from tests.backends.fine_tuned.pairs.test_drafts import GOOD, chunks
from tests.scripted import PATIENCE_S, Gate, Scripted, finished


def test_chunks_are_taken_at_even_distances() -> None:
    assert evenly(range(10), 5) == [0, 2, 4, 6, 8]
    assert evenly(range(7), 3) == [0, 2, 4]
    assert evenly(range(3), 5) == [0, 1, 2]
    assert evenly([], 5) == []


def test_a_paid_model_is_priced_before_it_is_asked(tmp_path: Path) -> None:
    backend = PaidApiBackend(load_settings({"paid_api.model": "gpt-4.1-mini", "data": str(tmp_path)}))
    cost = expected_cost(backend, chunks(3), 2)
    each = []
    for asked in (draft_question(chunk, 2) for chunk in chunks(3)):
        texts = [count(text, "o200k_base", tmp_path) for text in (asked.system_prompt, asked.text)]
        prompt = sum(tokens for tokens in texts if tokens) + 11  # of the chat format
        each.append((prompt * Decimal("0.4") + asked.max_tokens * Decimal("1.6")) / 1_000_000)
    assert cost is not None
    assert cost.usd == sum(each)
    assert min(each) > 0
    assert cost.basis.startswith("3 chunks; for the last one: expected, with ")
    assert "and the longest answer, " in cost.basis


def test_a_model_without_a_price_has_an_unknown_cost_and_a_local_one_none() -> None:
    cost = expected_cost(PaidApiBackend(load_settings({"paid_api.model": "made-up"})), chunks(2), 2)
    assert cost is not None
    assert cost.usd is None
    assert "no price is known for made-up" in cost.basis
    assert expected_cost(Scripted(), chunks(2), 2) is None


def test_pairs_are_there_before_the_job_ends(tmp_path: Path) -> None:
    gate = Gate()

    class Writer(Scripted):
        def stream(self, question: Question, cancel: object) -> Iterator[BackendEvent]:
            if "page 2" in question.text:
                gate.reached.set()
                assert gate.opened.wait(PATIENCE_S)
            yield TextDelta(GOOD.format(2 if "page 2" in question.text else 1))
            yield finished()

    job = start(Writer(), chunks(2), 2, tmp_path)
    assert gate.reached.wait(PATIENCE_S)
    drafted = [result for result in job.state.results if isinstance(result, Draft)]
    assert [draft.pair.question for draft in drafted] == ["When does the desk open?", "Where is desk number 1?"]
    assert [draft.passage for draft in drafted] == [chunks(2)[0].text] * 2
    assert (job.state.done, job.state.total) == (1, 2)
    assert job.state.detail == "1 of 2 chunks, 2 pairs; asking about guide.pdf, page 2"
    with pytest.raises(BackendError, match="Drafting pairs is still running"):
        start(Writer(), chunks(1), 2, tmp_path)
    gate.opened.set()
    assert job.wait(PATIENCE_S)
    assert jobs.find(drafting_key(tmp_path)) is job
    assert job.state.fault is None
