"""The ledger by day: spend exactly, latency and errors of those that count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from backends.spend.ledger import Entry
from evaluation.costs.history import NO_MODEL, Daily, Performance, Spend, begin_of, daily, performance, spend

NOTHING: dict[str, Any] = dict.fromkeys(
    (
        *("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "tokens_counted_by"),
        *("queued_s", "retry_s", "retrieval_s", "ttft_s"),
    )
)


def entry(day: int, status: str = "ok", latency_s: float | None = 1.0, usd: str | None = "0.1", **more: Any) -> Entry:
    known: dict[str, Any] = {"approach": "raw", "model": "m", "kind": "real", "cost_basis": ""} | more
    cost = None if usd is None else Decimal(usd)
    at = datetime(2026, 11, day, 23, 59, tzinfo=UTC)
    return Entry(at=at, status=status, latency_s=latency_s, cost_usd=cost, **NOTHING, **known)  # type: ignore[arg-type]


def test_spend_by_day_approach_and_model_is_exact() -> None:
    found = spend([entry(2, usd="0.1"), entry(1), entry(1, usd="0.2"), entry(1, model="n", usd=None)])
    assert found == [
        Spend(date(2026, 11, 1), "raw", "m", Decimal("0.3"), 2, 0),
        Spend(date(2026, 11, 1), "raw", "n", Decimal(0), 1, 1),
        Spend(date(2026, 11, 2), "raw", "m", Decimal("0.1"), 1, 0),
    ]


def test_a_refusal_without_a_model_is_a_line_of_its_own() -> None:
    written = {"approach": "rag", "model": "m + handbook", "writer": "raw"}
    refused = [entry(1, usd="0.001", **written), entry(1, "refused", usd="0.001", **written)]
    refused = [replace(one, completion_tokens=0) for one in refused]
    answer = replace(entry(1, usd="0.2", **written), completion_tokens=9)
    quoted = replace(entry(1, usd="0.002", **written | {"writer": "quote", "model": "quote"}), completion_tokens=0)
    below = [entry(1, "below_threshold", usd="0.001", **written | {"writer": writer}) for writer in ("raw", "quote")]
    assert [(one.model, one.usd, one.answers) for one in spend([*refused, *below, answer, quoted])] == [
        ("m + handbook", Decimal("0.2"), 1),
        (NO_MODEL, Decimal("0.004"), 4),
        ("quote", Decimal("0.002"), 1),
    ]
    assert performance([answer, *below]).latency_p95_s == 1.0


def test_latency_is_of_those_that_came_through_and_stopped_ones_are_no_errors() -> None:
    answers = [
        entry(1, latency_s=1.0),
        entry(1, "truncated", 3.0),
        entry(1, "error", 60.0),
        entry(1, "empty", 60.0),
        entry(1, "cancelled", 60.0),
    ]
    assert daily(answers) == [Daily(date(2026, 11, 1), "raw", Performance(5, 1, 0.25, 2.0, 2.9))]


def test_the_95th_percentile_of_twenty_one() -> None:
    assert performance([entry(1, latency_s=float(n)) for n in range(21)]).latency_p95_s == 19.0
    assert performance([entry(1, latency_s=7.0)]).latency_p95_s == 7.0


def test_the_test_of_a_connection_is_paid_for_and_tells_nothing_of_answers() -> None:
    found = [
        entry(1, latency_s=1.0),
        entry(1, latency_s=9.0, usd="0.01", purpose="test"),
        entry(2, "error", None, usd=None, purpose="test"),
    ]
    assert spend(found) == [
        Spend(date(2026, 11, 1), "raw", "m", Decimal("0.11"), 1, 0, 1),
        Spend(date(2026, 11, 2), "raw", "m", Decimal(0), 0, 1, 1),
    ]
    assert daily(found) == [Daily(date(2026, 11, 1), "raw", Performance(1, 0, 0.0, 1.0, 1.0))]
    assert performance(found[1:]) == Performance(0, 0, None, None, None)


def test_all_stopped_has_no_rate() -> None:
    assert performance([entry(1, "cancelled", None)]) == Performance(1, 0, None, None, None)


def test_nothing_recorded_is_nothing() -> None:
    assert (spend([]), daily([])) == ([], [])


def test_the_last_days_are_whole_ones_in_utc() -> None:
    assert begin_of(7, datetime(2026, 11, 25, 23, 26, tzinfo=UTC)) == datetime(2026, 11, 19, tzinfo=UTC)
    east = datetime(2026, 11, 26, 1, 0, tzinfo=timezone(timedelta(hours=2)))  # still the 25th in UTC
    assert begin_of(1, east) == datetime(2026, 11, 25, tzinfo=UTC)
