"""What answers were like, as they were recorded here: tokens and seconds. Where there are none: assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from backends import connections, ledger
from backends.connections import DEFAULT, name_in
from backends.ledger import Entry
from backends.settings import Settings
from evaluation.costs.inputs import Input
from evaluation.costs.paid import PaidModel

ASSUMED = "a round figure, until answers were measured here"

_PROMPT, _PROMPT_WITH_PASSAGES, _COMPLETION = Decimal(60), Decimal(600), Decimal(40)
_SECONDS, _SEARCH_S = Decimal(3), Decimal("0.1")
UNITS = {"prompt_tokens": "tokens", "cached_share": "", "completion_tokens": "tokens", "machine_s": "s"}
"""What is measured of an answer, and in which unit."""


@dataclass(frozen=True, slots=True)
class Typical:
    """The mean of recorded answers: tokens to 0.1, seconds to 0.001. None: none of them said.

    Means and not medians, because a month costs the mean times its answers.
    """

    prompt_tokens: Decimal | None
    cached_share: Decimal | None
    completion_tokens: Decimal | None
    latency_s: Decimal | None
    retrieval_s: Decimal | None
    note: str
    model: str


def typical(found: Sequence[Entry]) -> Typical | None:
    """What these answers, newest first and of one model, were like; None if there are none."""
    if not found:
        return None
    with_usage = [one for one in found if one.prompt_tokens]
    prompt = sum(one.prompt_tokens or 0 for one in with_usage)
    cached = sum(one.cached_tokens or 0 for one in with_usage)
    since = found[-1].at
    answers = f"{len(found):,} answers" if len(found) > 1 else "1 answer"
    return Typical(
        _mean((one.prompt_tokens for one in found), "0.1"),
        (Decimal(min(cached, prompt)) / prompt).quantize(Decimal("0.001")) if prompt else None,
        _mean((one.completion_tokens for one in found), "0.1"),
        _mean((one.latency_s for one in found), "0.001"),
        _mean((one.retrieval_s for one in found), "0.001"),
        f"mean of {answers} since {since.day} {since:%b %Y}",
        found[0].model,
    )


def _mean(values: Iterable[float | None], step: str) -> Decimal | None:
    known = [Decimal(repr(value)) for value in values if value is not None]
    return (sum(known, Decimal(0)) / len(known)).quantize(Decimal(step)) if known else None


def assumed(value: Decimal, unit: str, note: str = ASSUMED) -> Input:
    """An assumption that says so."""
    return Input(value, unit, "your assumption", note)


def of_approach(settings: Settings, approach: str, as_other: Typical | None, whose: str) -> dict[str, Input]:
    """Tokens and seconds of raw or fine_tuned; until it has answered, those of `as_other`, which `whose` names."""
    return _inputs(approach, typical(ledger.complete_answers(settings.data, approach)), _likely(as_other, whose))


def of_paid(settings: Settings, paid: PaidModel, as_other: Typical | None, whose: str) -> dict[str, Input]:
    """Tokens and seconds of a paid model, likewise."""
    return _inputs(paid.approach, paid_typical(settings, paid), _likely(as_other, whose))


def paid_typical(settings: Settings, paid: PaidModel) -> Typical | None:
    """What the answers of a paid model were like; None if there are none."""
    return typical(ledger.complete_answers(settings.data, paid.approach, lambda model: model == paid.model))


def of_documents(settings: Settings) -> dict[str, Input]:
    """Tokens and seconds of RAG with the writer that is in force; its seconds are those of the search if it is paid."""
    name = name_in(settings.rag.generator)
    paid = {one: _written_by(settings, one) for one in (DEFAULT, *settings.connections)}

    def fitting(model: str) -> bool:
        return not model.startswith(tuple(paid.values())) if name is None else model.startswith(paid[name])

    found = typical(ledger.complete_answers(settings.data, "rag", fitting))
    likely = _likely(None, "") | {"prompt_tokens": assumed(_PROMPT_WITH_PASSAGES, "tokens")}
    if name is None:
        return _inputs("rag", found, likely)
    likely["machine_s"] = assumed(_SEARCH_S, "s", "a round figure for a search, until one was measured here")
    return _inputs("rag", found and replace(found, latency_s=found.retrieval_s), likely)


def _written_by(settings: Settings, name: str) -> str:
    """How the model of a RAG answer begins that a connection wrote (`RagBackend.model`)."""
    model = connections.of(settings, name).model
    return f"{model} via {name} + " if name else f"{model} + "


def _inputs(approach: str, found: Typical | None, likely: dict[str, Input]) -> dict[str, Input]:
    known: dict[str, Decimal | None] = dict.fromkeys(UNITS)
    if found:
        known = {
            "prompt_tokens": found.prompt_tokens,
            "cached_share": found.cached_share,
            "completion_tokens": found.completion_tokens,
            "machine_s": found.latency_s,
        }
    note = f"{found.note} ({found.model})" if found else ""
    return {
        f"{approach}.{of}": likely[of] if value is None else Input(value, UNITS[of], "measured here", note)
        for of, value in known.items()
    }


def _likely(as_other: Typical | None, whose: str) -> dict[str, Input]:
    """What to assume of an approach that has not answered yet."""
    likely = {
        "prompt_tokens": assumed(_PROMPT, "tokens"),
        "cached_share": assumed(Decimal(0), "", "nothing is cached"),
        "completion_tokens": assumed(_COMPLETION, "tokens"),
        "machine_s": assumed(_SECONDS, "s"),
    }
    if as_other:
        as_it = {
            "prompt_tokens": as_other.prompt_tokens,
            "completion_tokens": as_other.completion_tokens,
            "machine_s": as_other.latency_s,
        }
        note = f"as measured of {whose}: {as_other.note}"
        likely |= {of: assumed(value, UNITS[of], note) for of, value in as_it.items() if value is not None}
    return likely
