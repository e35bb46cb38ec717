"""The history as CSV files: what its charts show by day, and every answer with what its cost comes from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import date

from backends.ledger import Entry
from evaluation.costs.history import performance, spend
from evaluation.spreadsheet import csv_bytes

BY_DAY = (
    *("day (UTC)", "approach", "model", "kind", "answers", "tests of the connection", "spent in USD", "cost unknown"),
    *("latency p50 in s", "latency p95 in s", "errors", "error rate in %"),
)


def by_day_file(entries: Sequence[Entry]) -> bytes:
    """A row per day, approach and model. What is not known is left empty: an amount where no cost of the day is known.

    `cost unknown` counts the answers and tests whose cost is not in the amount.
    """
    grouped: dict[tuple[date, str, str], list[Entry]] = defaultdict(list)
    for one in entries:
        grouped[one.at.date(), one.approach, one.model].append(one)
    rows = []
    for day in spend(entries):
        found = grouped[day.day, day.approach, day.model]
        went = performance(found)
        usd = None if day.unknown == len(found) else day.usd
        rate = None if went.error_rate is None else 100 * went.error_rate
        rows.append(
            (
                *(
                    day.day.isoformat(),
                    day.approach,
                    day.model,
                    found[0].kind,
                    day.answers,
                    day.tests,
                    usd,
                    day.unknown,
                ),
                *(went.latency_p50_s, went.latency_p95_s, went.errors, rate),
            )
        )
    return csv_bytes(BY_DAY, rows)


def answers_file(entries: Sequence[Entry]) -> bytes:
    """A row per answer or test as it was recorded: tokens, seconds, USD, and from which price or rate they come."""
    names = [field.name for field in fields(Entry)]
    rows = [(one.at.isoformat(), *astuple(one)[1:]) for one in entries]
    return csv_bytes(names, rows)
