"""A thousand questions to a server that fails one time in twenty: what became of each, and what was charged.

The server (`benchmarks.billing_server`, a process of its own) keeps its own account in whole 10^-12 USD. Afterwards
it is compared, question by question, with the answers, with the ledger and with the day's spending. Where a stream
broke before the server reported its tokens, nobody but the server can know what it charged: such an answer's cost has
to be shown as unknown, and the day's spending has to count its worst case.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from tempfile import TemporaryDirectory

from backends.base import Answer
from backends.paid_api import PaidApiBackend
from backends.run.compare import compare
from backends.settings import Settings
from backends.spend.budget import spent_today
from backends.spend.ledger import entries, recorder
from benchmarks.bench import Bench, Outcome
from benchmarks.billing_server import (
    CACHED_USD,
    INPUT_USD,
    OUTPUT_USD,
    SILENT,
    UNREPORTED,
    fault_of,
    status_of,
)
from benchmarks.children import child, line_from
from benchmarks.figures import Figure, Goal

NAME = "paid_faults"
QUESTIONS, EVERY, AT_ONCE = 1000, 20, 16
_NONE = Goal(0, "at most")
_PICO = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The two accounts beside each other, in USD, and what does not agree."""

    asked: int
    statuses: Counter[str]
    lost: int
    doubled: int
    wrong_status: tuple[int, ...]
    wrong_cost: tuple[int, ...]
    wrong_unknown: tuple[int, ...]
    ours_usd: Decimal
    server_reported_usd: Decimal
    server_unreported_usd: Decimal
    spent_usd: Decimal
    spent_at_least_usd: Decimal
    in_flight_usd: Decimal


def billing_settings(url: str, deadline_s: float, at_once: int) -> dict[str, object]:
    """The settings with which the billing server is asked."""
    given: dict[str, object] = {"base_url": url, "api_key": "bench-key", "model": "billed", "deadline_s": deadline_s}
    given |= {"max_at_once": at_once, "price.date": "2026-11-01"}
    given |= {"price.input_usd": INPUT_USD, "price.cached_usd": CACHED_USD, "price.output_usd": OUTPUT_USD}
    return {f"paid_api.{name}": value for name, value in given.items()} | {"budget.per_day_usd": "100000"}


def ask_all(settings: Settings, questions: int, at_once: int) -> list[list[Answer]]:
    """Ask question 1 to `questions`, recording every answer; what came of each."""
    record = recorder(settings)

    def ask(number: int) -> list[Answer]:
        events = compare([PaidApiBackend(settings)], settings.question(f"Question {number}"), threading.Event())
        found = [event for _, event in events if isinstance(event, Answer)]
        for answer in found:
            record(answer)
        return found

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(ask, range(1, questions + 1)))


def account_of(port: int) -> dict[int, dict[str, int]]:
    """What the server says that it charged, by question."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/account", timeout=10) as response:
        return {int(number): charged for number, charged in json.load(response).items()}


def reconcile(
    settings: Settings, answers: list[list[Answer]], account: dict[int, dict[str, int]], every: int
) -> Reconciliation:
    """Compare, question by question."""
    numbered = {number: found[0] for number, found in enumerate(answers, 1) if found}
    faults = {number: fault_of(number, every) for number in numbered}
    known = {number: answer.cost.usd for number, answer in numbered.items() if answer.cost.usd is not None}
    reported = {number: Decimal(charged["reported_pico_usd"]) / _PICO for number, charged in account.items()}
    billed = {number: Decimal(charged["pico_usd"]) / _PICO for number, charged in account.items()}
    recorded, spent = entries(settings), spent_today(settings)
    return Reconciliation(
        asked=len(answers),
        statuses=Counter(answer.status for answer in numbered.values()),
        lost=(len(answers) - len(numbered)) + max(len(answers) - len(recorded), 0),
        doubled=sum(len(found) > 1 for found in answers) + max(len(recorded) - len(answers), 0),
        wrong_status=tuple(n for n, answer in numbered.items() if answer.status != status_of(n, every)),
        wrong_cost=tuple(n for n, usd in known.items() if usd != reported.get(n)),
        wrong_unknown=tuple(n for n in numbered if (n not in known) != (faults[n] in SILENT)),
        ours_usd=sum((entry.cost_usd for entry in recorded if entry.cost_usd is not None), Decimal(0)),
        server_reported_usd=sum(reported.values(), Decimal(0)),
        server_unreported_usd=sum((billed[n] - reported[n] for n in billed if faults.get(n) in UNREPORTED), Decimal(0)),
        spent_usd=spent.usd,
        spent_at_least_usd=sum(billed.values(), Decimal(0)),
        in_flight_usd=spent.in_flight_usd,
    )


def run(bench: Bench) -> Outcome:
    """Ask, compare, and say what does not agree."""
    questions = 100 if bench.quick else QUESTIONS
    with child(["-m", "benchmarks.billing_server"]) as server, TemporaryDirectory(dir=bench.data) as empty:
        port = int(line_from(server))
        # A ledger of its own: what an earlier run was charged is none of this one's business.
        given = {"data": empty} | billing_settings(f"http://127.0.0.1:{port}/{EVERY}/v1", 3, AT_ONCE)
        settings = bench.settings(**_named(given))
        bench.report(f"{questions} questions, {AT_ONCE} at once")
        began = time.monotonic()
        answers = ask_all(settings, questions, AT_ONCE)
        took_s = time.monotonic() - began
        found = reconcile(settings, answers, account_of(port), EVERY)
    return Outcome(
        _figures(found, took_s), _notes(found), {name: str(getattr(found, name)) for name in found.__slots__}
    )


def _named(overrides: dict[str, object]) -> dict[str, object]:
    return {name.replace(".", "__"): value for name, value in overrides.items()}


def _figures(found: Reconciliation, took_s: float) -> tuple[Figure, ...]:
    cents = float(100 * abs(found.ours_usd - found.server_reported_usd))
    uncovered = float(100 * max(found.spent_at_least_usd - found.spent_usd, Decimal(0)))
    rows = (
        ("questions without an answer or a row in the ledger", "", float(found.lost), _NONE),
        ("questions with two answers or rows", "", float(found.doubled), _NONE),
        ("answers that ended in another status than their fault leads to", "", float(len(found.wrong_status)), _NONE),
        ("answers whose cost is not what the server charged", "", float(len(found.wrong_cost)), _NONE),
        ("costs unknown though reported, or known though not", "", float(len(found.wrong_unknown)), _NONE),
        ("cost in all, off the server's account of what it reported", "cents", cents, _NONE),
        ("charged and neither reported nor counted in the day's spending", "cents", uncovered, _NONE),
        ("time for all questions", "s", took_s, None),
    )
    return tuple(Figure(NAME, name, unit, (value,), goal=goal) for name, unit, value, goal in rows)


def _notes(found: Reconciliation) -> tuple[str, ...]:
    statuses = ", ".join(f"{count} {status}" for status, count in found.statuses.most_common())
    return (
        f"{found.asked:,} questions: {statuses}.",
        f"Ours ${found.ours_usd}, the server's account of what it reported ${found.server_reported_usd}; it charged "
        f"${found.server_unreported_usd} more for streams that broke before it reported their tokens. Their answers "
        f"say that their cost is unknown; the day's spending counts their worst case and comes to ${found.spent_usd}.",
    )
