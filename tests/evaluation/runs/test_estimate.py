"""What a run is expected to cost and to take, and whether the cap covers it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from backends.base import Timings
from backends.settings import Settings, load_settings
from backends.spend.ledger import append
from backends.store.database import Store
from evaluation.runs.estimate import cells_left, estimate_run
from evaluation.runs.records import add_cell
from tests.evaluation.runs.made_runs import SAMPLES, answer, begun, cell


@pytest.fixture
def paying(sqlite_settings: Settings) -> Settings:
    price = {"input_usd": "1", "output_usd": "2", "date": "2026-11-30"}
    given = {f"paid_api.price.{name}": value for name, value in price.items()}
    given |= {"paid_api.api_key": "key-0123456789", "max_tokens": "10", "data": str(sqlite_settings.data)}
    return load_settings(given)


def test_what_is_not_known_is_said(paying: Settings) -> None:
    found = estimate_run(paying, SAMPLES, {"raw": 6, "paid_api": 12})
    raw, paid = found.approaches
    assert (raw.usd, raw.seconds, raw.charged) == (None, None, False)
    assert paid.usd is not None
    assert paid.usd > 12 * 10 * Decimal(2) / 1_000_000  # the longest answers, and the prompts
    assert (found.seconds, found.charged_usd) == (None, paid.usd)
    assert found.words() == [
        "raw: 6 answers to come, cost unknown (no answer of it was timed here yet)",
        f"paid_api: 12 answers to come, about ${paid.usd:.3g}",
    ]


def test_time_is_that_of_past_answers_one_after_another_here_and_at_once_elsewhere(paying: Settings) -> None:
    for approach, model, seconds in (
        ("raw", paying.raw.model, 2.0),
        ("raw", paying.raw.model, 4.0),
        ("paid_api", paying.paid_api.model, 8.0),
    ):
        given = replace(answer(approach, timings=Timings(latency_s=seconds)), model=model)
        append(paying.data, given, "real")
    found = estimate_run(paying, SAMPLES, {"raw": 100, "paid_api": 200})
    assert [one.seconds for one in found.approaches] == [300.0, 200.0]  # 8 at once
    assert found.seconds == 300.0
    assert found.words()[-1] == "Expected to take 5 min in all."


def test_a_cap_that_does_not_cover_it_is_said_before(paying: Settings) -> None:
    capped = paying.model_copy(update={"budget": paying.budget.model_copy(update={"per_run_usd": Decimal("0.0001")})})
    (*_, last) = estimate_run(capped, SAMPLES, {"paid_api": 12}).words()
    assert last.startswith("The cap of $0.0001 for a run (budget.per_run_usd) does not cover the expected $0.000")
    assert estimate_run(capped, SAMPLES, {"raw": 12}).words()[-1].startswith("raw: 12 answers to come")


def test_the_suggested_cap_covers_what_is_set_aside_on_the_way(paying: Settings) -> None:
    found = estimate_run(paying, SAMPLES, {"raw": 6, "paid_api": 12})
    paid = found.approaches[1]
    longest = max(len(one.question) for one in SAMPLES) + len(paying.system_prompt) + len("systemuser") + 2 * 16
    attempts, at_once = 1 + paying.paid_api.max_retries, paying.paid_api.max_at_once
    assert paid.reserved_usd == (longest * Decimal(1) + 10 * Decimal(2)) / 1_000_000 * attempts * at_once
    cents = (2 * (paid.usd or 0) + paid.reserved_usd) * 100
    assert found.suggested_cap_usd == Decimal(int(cents) + 1) / 100
    unknown = paying.model_copy(update={"paid_api": paying.paid_api.model_copy(update={"price": None, "model": "own"})})
    odd = estimate_run(unknown, SAMPLES, {"paid_api": 12})
    assert odd.suggested_cap_usd == 1
    assert "The price of Paid API is not known" in odd.cap_words(Decimal(1))[0]
    assert estimate_run(paying, SAMPLES, {"raw": 12}).suggested_cap_usd == 0


def test_what_is_left_of_a_run_is_counted_by_approach(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, repeats=2)
    for position, status in enumerate(("ok", "error", "error")):
        add_cell(sqlite_store, run.id, cell("raw", position, status=status))
    assert cells_left(sqlite_store, run) == {"raw": 9, "rag": 12}
    assert cells_left(sqlite_store, run, retry=True) == {"raw": 2, "rag": 0}
