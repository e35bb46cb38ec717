"""What a question is expected to cost, before it is asked, and how right such expectations were so far.

Prompt tokens are counted by the model's own tokenizer where that is here (`prompt_length`), else guessed; the length
of the answer is the mean of the answers that this model gave here, else the longest that is allowed. An approach that
costs machine time is expected to take as long as its answers took on average. No weights are loaded and nobody is
asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from backends.base import Backend, Cost, PromptTokens, Question, Timings, Usage
from backends.errors import BackendError
from backends.models.local import in_memory
from backends.settings import Settings
from backends.spend import ledger, openai_tokens
from backends.spend.ledger import Entry, ExpectedCost, TrackRecord
from backends.spend.pricing import CHARACTERS_PER_TOKEN
from backends.text import clean_question

TOKENS_OF_MESSAGE = 4
"""What the chat format adds to a message: 3, and 1 for its role (OpenAI Cookbook, "How to count tokens with tiktoken",
2025)."""

TOKENS_OF_START = 3
"""What it adds before the answer (as above)."""


def estimate_prompt_tokens(question: Question) -> PromptTokens:
    """From the number of characters, for a tokenizer that is not here."""
    characters = sum(len(text) for text in _messages(question))
    tokens = math.ceil(characters / CHARACTERS_PER_TOKEN) + _chat(question)
    return PromptTokens(tokens, False, f"{CHARACTERS_PER_TOKEN} characters a token")


def count_prompt_tokens(model: str, question: Question, data: Path) -> PromptTokens | None:
    """By the tokenizer of `model` (an id or a folder), if its weights are in memory or it is OpenAI's; None if not.

    No weights are loaded for it and nothing is fetched.
    """
    if base := in_memory(model):
        from backends.models.generate import prompt_tokens

        return PromptTokens(prompt_tokens(base, question), True, f"counted by the tokenizer of {base.weights.model_id}")
    encoding = openai_tokens.encoding_of(model)
    if encoding is None:
        return None
    tokens = _chat(question)
    for text in _messages(question):
        found = openai_tokens.count(text, encoding, data)
        if found is None:
            return None
        tokens += found
    return PromptTokens(tokens, True, f"counted by tiktoken, {encoding}")


def _messages(question: Question) -> list[str]:
    return [text for text in (question.system_prompt, question.text) if text]


def _chat(question: Question) -> int:
    return TOKENS_OF_MESSAGE * len(_messages(question)) + TOKENS_OF_START


PAST = 200
"""The answers that a mean is taken of, at most."""

JUDGED = 40
"""The answers whose cost is compared with what was expected of them, at most."""

_FEW = 10  # below, every answer is in the range that is shown; from here on 5 % are left out at each end


def expect_cost(backend: Backend, question: Question, settings: Settings) -> ExpectedCost:
    """What `question` is expected to cost with `backend`. Never raises: what is not known is said in the basis."""
    return Expectations(backend, settings).of(question)


class Expectations:
    """What questions are expected to cost with one backend, by the past answers of now, which are read once."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self._backend = backend
        self._past: list[Entry] | None = None
        with suppress(BackendError):  # the page of costs says what is wrong with the ledger, and what to do
            self._past = _past(backend, settings)

    @property
    def seconds(self) -> float | None:
        """What an answer took in the mean; None where none was timed."""
        known = [one.latency_s for one in self._past or () if one.latency_s is not None]
        return fmean(known) if known else None

    def of(self, question: Question) -> ExpectedCost:
        """What this one is expected to cost. Never raises."""
        try:
            asked = clean_question(question)
        except BackendError as fault:
            return ExpectedCost(self._backend.approach, Cost(None, fault.cause))
        if self._past is None:
            return ExpectedCost(self._backend.approach, Cost(None, "past answers cannot be read"))
        return _expected(self._backend, asked, self._past)


def _expected(backend: Backend, asked: Question, past: Sequence[Entry]) -> ExpectedCost:
    per_token = backend.cost(Usage(0, 0), Timings())
    if per_token.usd is not None:
        try:
            return expect_by_tokens(backend, asked, past)
        except BackendError as fault:
            return ExpectedCost(backend.approach, Cost(None, fault.cause))
    if backend.cost(Usage(), Timings(latency_s=1.0)).usd is None:
        return ExpectedCost(backend.approach, per_token)
    return _by_time(backend, past)


def _past(backend: Backend, settings: Settings) -> list[Entry]:
    """The last answers of what would answer now."""
    kind = ledger.kind_of(settings, backend.stand_in)
    named = backend.model
    return ledger.complete_answers(settings, backend.approach, lambda one: same_model(one, named), PAST, kind)


def _by_time(backend: Backend, past: Sequence[Entry]) -> ExpectedCost:
    seconds = [one.latency_s for one in past if one.latency_s is not None]
    if not seconds:
        unknown = Cost(None, "no answer of it was timed here yet")
        return ExpectedCost(backend.approach, unknown)
    cost = backend.cost(Usage(), Timings(latency_s=fmean(seconds)))
    basis = f"expected, {_mean_of(len(seconds))} was timed: {cost.basis}"
    return ExpectedCost(
        backend.approach,
        Cost(cost.usd, basis),
        "seconds",
        past_answers=len(seconds),
        track=track_record(past, "seconds"),
    )


def expect_by_tokens(backend: Backend, question: Question, past: Sequence[Entry] = ()) -> ExpectedCost:
    """What a question to a model that is paid by the token comes to; without past answers, with the longest one.

    Raises `BackendError` for what makes the prompt's length unknown.
    """
    counted = backend.prompt_tokens(question) or estimate_prompt_tokens(question)
    lengths = [one.completion_tokens for one in past if one.completion_tokens is not None]
    longest = question.max_tokens
    tokens = min(round(fmean(lengths)), longest) if lengths else longest
    usage = Usage(counted.tokens, tokens, _cached(counted.tokens, past), source="estimate")
    cost = backend.cost(usage, Timings())
    by = f"{'counted' if counted.exact else 'guessed'}, {'mean answer' if lengths else 'longest answer'}"
    answer = f"an answer of {tokens:,}, {_mean_of(len(lengths))} had" if lengths else f"the longest answer, {longest:,}"
    basis = f"expected, with {counted.tokens:,} tokens in ({counted.how}) and {answer}: {cost.basis}"
    shown = Cost(cost.usd, basis if cost.usd is not None else cost.basis)
    return ExpectedCost(backend.approach, shown, by, counted.tokens, tokens, len(lengths), track_record(past, by))


def _cached(prompt_tokens: int, past: Sequence[Entry]) -> int | None:
    """As large a share of the prompt as was cached of the past ones; None if that was never reported.

    An answer whose server did not tell counts as not cached, because that is how it was charged.
    """
    if all(one.cached_tokens is None for one in past):
        return None
    counted = [one for one in past if one.prompt_tokens]
    share = sum(one.cached_tokens or 0 for one in counted) / max(sum(one.prompt_tokens or 0 for one in counted), 1)
    return round(prompt_tokens * min(max(share, 0.0), 1.0))


def _mean_of(answers: int) -> str:
    return f"as the mean of {answers:,} answers" if answers > 1 else "as the one answer so far"


def track_record(past: Sequence[Entry], by: str) -> TrackRecord | None:
    """How the last answers that were expected in this way compare with it; None without any."""
    found = [one.ratio_to_expected for one in past if one.expected_by == by]
    ratios = sorted(float(ratio) for ratio in found[:JUDGED] if ratio is not None)
    if not ratios:
        return None
    left_out = len(ratios) // 20 if len(ratios) >= _FEW else 0
    within = ratios[left_out : len(ratios) - left_out]
    return TrackRecord(len(ratios), len(within), within[0], within[-1])


def same_model(recorded: str, named: str) -> bool:
    """Whether the name under which an answer was recorded and the one in force are of the same model.

    A name has parts: `base + adapter A`, `base + collection searched with E`. Weights that are not loaded yet go by
    their id alone, without what stands behind it in parentheses once they are: it counts where both names have it.
    """
    parts, wanted = recorded.split(" + "), named.split(" + ")
    return len(parts) == len(wanted) and all(
        part == one or part.startswith(f"{one} (") or one.startswith(f"{part} (")
        for part, one in zip(parts, wanted, strict=True)
    )
