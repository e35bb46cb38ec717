"""Token counts agree with what training feeds the model."""

from __future__ import annotations

import threading
from pathlib import Path

from backends.base import Question
from backends.fine_tuned.pairs.check import check_reviewed
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train.examples import template_tokens, token_counter
from backends.models.generate import build_prompt
from backends.raw import RawBackend
from backends.settings import load_settings


def test_counts_are_those_of_the_prompt_and_the_answer(tiny_model: Path) -> None:
    backend = RawBackend(load_settings({"raw.model": str(tiny_model)}))
    list(backend.load(threading.Event()))
    base, system_prompt = backend.base, "Be brief."
    pairs = [Pair("Où est la clé?", "Là-bas, au 2ème."), Pair("  How long?\nAnd why?", "word " * 30)]
    count = token_counter(base)
    report = check_reviewed(pairs, count, base.context_tokens, template_tokens(base, system_prompt))
    fed = []
    for pair in report.pairs:
        prompt = build_prompt(base, Question(pair.question, system_prompt, max_tokens=1)).tokens
        fed.append(prompt + len(base.tokenizer(pair.answer, add_special_tokens=False).input_ids) + 1)
    assert report.tokens is not None
    assert (report.tokens.total, report.tokens.longest) == (sum(fed), max(fed))
    long = check_reviewed([Pair("q", "word " * 300)], count, base.context_tokens)
    assert long.faults[1].sentence == "It has 301 tokens, more than the context of 256; it is left out."
