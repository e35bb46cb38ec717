"""What the ledger tells by day (UTC): spend by approach and model, latency, and the share of errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median, quantiles

from backends.registry import spec_of
from backends.settings import QUOTE
from backends.spend.ledger import Entry


@dataclass(frozen=True, slots=True)
class Spend:
    """What one approach and model cost on one day, in USD: `answers`, `tests` of the connection, and `verdicts` on
    other answers, as a judge.

    The cost of `unknown` of all together is not known.
    """

    day: date
    approach: str
    model: str
    usd: Decimal
    answers: int
    unknown: int
    tests: int = 0
    verdicts: int = 0


@dataclass(frozen=True, slots=True)
class Performance:
    """How answers went. Latencies in seconds, of those that came through; None without any.

    `error_rate` is errors ÷ answers, from 0 to 1, without those that somebody stopped; None if all were stopped.
    """

    answers: int
    errors: int
    error_rate: float | None
    latency_p50_s: float | None
    latency_p95_s: float | None


@dataclass(frozen=True, slots=True)
class Daily:
    """How one approach did on one day."""

    day: date
    approach: str
    performance: Performance


def begin_of(days: int, now: datetime) -> datetime:
    """The midnight (UTC) with which the last `days` days begin, today being one of them: days are whole."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1)


NO_MODEL = "no model: the search found nothing to answer from"
"""What stands in place of the model for refusals that none wrote."""


def refused_without_a_model(one: Entry) -> bool:
    """Whether documents were searched and no model was asked, because nothing fitted the question.

    Ledgers of earlier versions tell it by the tokens: such refusals had no status of their own.
    """
    if one.status == "below_threshold":
        return True
    documents = spec_of(one.approach).monthly == "documents"
    return documents and one.completion_tokens == 0 and one.status in ("ok", "refused") and one.writer != QUOTE


def answered_by(one: Entry) -> str:
    """The model of an answer, or `NO_MODEL`."""
    return NO_MODEL if refused_without_a_model(one) else one.model


def spend(entries: Iterable[Entry]) -> list[Spend]:
    """By day, approach and model, in that order. Tests of a connection are paid for like answers.

    Refusals without a model are a line of their own, `NO_MODEL`.
    """
    grouped: dict[tuple[date, str, str], list[Entry]] = defaultdict(list)
    for one in entries:
        grouped[one.at.date(), one.approach, answered_by(one)].append(one)
    return [_spent(*key, found) for key, found in sorted(grouped.items())]


def _spent(day: date, approach: str, model: str, found: Sequence[Entry]) -> Spend:
    costs = [one.cost_usd for one in found]
    usd = sum((cost for cost in costs if cost is not None), Decimal(0))
    tests, verdicts = (sum(one.purpose == purpose for one in found) for purpose in ("test", "judge"))
    return Spend(day, approach, model, usd, len(found) - tests - verdicts, costs.count(None), tests, verdicts)


def daily(entries: Iterable[Entry]) -> list[Daily]:
    """By day and approach, in that order. The test of a connection says nothing of how answers do."""
    grouped: dict[tuple[date, str], list[Entry]] = defaultdict(list)
    for one in _answers(entries):
        grouped[one.at.date(), one.approach].append(one)
    return [Daily(*key, performance(found)) for key, found in sorted(grouped.items())]


def performance(entries: Sequence[Entry]) -> Performance:
    """Of all these answers together, without the tests of a connection."""
    answers = _answers(entries)
    asked = [one for one in answers if one.status != "cancelled"]
    errors = sum(one.status == "error" for one in asked)
    seconds = [one.latency_s for one in asked if one.status in ("ok", "truncated") and one.latency_s is not None]
    rate = errors / len(asked) if asked else None
    return Performance(len(answers), errors, rate, median(seconds) if seconds else None, _p95(seconds))


def _answers(entries: Iterable[Entry]) -> list[Entry]:
    return [one for one in entries if one.purpose == "answer"]


def _p95(values: Sequence[float]) -> float | None:
    """The 95th percentile, linear between the two nearest values (method 7 of Hyndman and Fan 1996)."""
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=20, method="inclusive")[-1]
