"""A hundred questions over real HTTP to a server that fails and keeps its own account: none lost, doubled or false."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from decimal import Decimal

import pytest

from backends.base import Answer
from backends.remote.limit import forget_limits
from backends.settings import Settings, load_settings
from benchmarks.billing_server import FAULTS, BillingServer, fault_of
from benchmarks.paid_faults import account_of, ask_all, billing_settings, reconcile

QUESTIONS, EVERY = 100, 8  # 12 faults: every kind but the first one and the stall, which would need a short deadline


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[list[Answer]], dict[int, dict[str, int]]]:
    data = tmp_path_factory.mktemp("data")
    forget_limits()
    with BillingServer().run() as server:
        url = f"http://127.0.0.1:{server.port}/{EVERY}/v1"
        settings = load_settings({"data": str(data)} | billing_settings(url, deadline_s=120, at_once=8))
        answers = ask_all(settings, QUESTIONS, at_once=8)
        account = account_of(server.port)
        assert account == {number: asdict(charged) for number, charged in server.account.items()}
    return settings, answers, account


def test_every_question_ends_once_in_the_status_of_its_fault_and_costs_what_was_charged(
    asked: tuple[Settings, list[list[Answer]], dict[int, dict[str, int]]],
) -> None:
    settings, answers, account = asked
    found = reconcile(settings, answers, account, EVERY)
    faults = [fault_of(number, EVERY) for number in range(1, QUESTIONS + 1)]
    assert set(faults) == {"", *FAULTS} - {"503 once", "stall"}
    assert found.statuses == Counter(FAULTS.get(fault, "ok") for fault in faults)
    assert (found.lost, found.doubled, found.wrong_status, found.wrong_cost, found.wrong_unknown) == (0, 0, (), (), ())
    assert found.ours_usd == found.server_reported_usd > 10
    assert found.server_unreported_usd > 0
    assert found.spent_usd > found.spent_at_least_usd == found.server_reported_usd + found.server_unreported_usd
    assert found.in_flight_usd == 0


def test_a_difference_would_be_seen(
    asked: tuple[Settings, list[list[Answer]], dict[int, dict[str, int]]],
) -> None:
    settings, answers, account = asked
    more = account | {7: account[7] | {"reported_pico_usd": account[7]["reported_pico_usd"] + 1}}
    assert reconcile(settings, answers, more, EVERY).wrong_cost == (7,)
    assert reconcile(settings, [[], *answers[1:]], account, EVERY).lost == 1
    assert reconcile(settings, [answers[0] * 2, *answers[1:]], account, EVERY).doubled == 1
    other = replace(answers[0][0], status="empty", cost=replace(answers[0][0].cost, usd=None))
    found = reconcile(settings, [[other], *answers[1:]], account, EVERY)
    assert (found.wrong_status, found.wrong_unknown) == ((1,), (1,))
    assert reconcile(settings, answers, account, 0).wrong_status == tuple(
        n for n in range(1, QUESTIONS + 1) if FAULTS.get(fault_of(n, EVERY), "ok") != "ok"
    )
    assert isinstance(found.ours_usd, Decimal)
