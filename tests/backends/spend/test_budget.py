"""Caps that hold over sessions and processes: nothing is spent twice, nothing is lost, a stop says why."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

import backends
from backends.base import Answer, AttemptEnded, AttemptStarted, Cost, TextDelta, Usage
from backends.errors import BackendError, CapReached
from backends.run.compare import compare
from backends.settings import BudgetSettings, Settings, load_settings
from backends.spend import budget
from backends.spend.budget import Meter, Spent, most_prompt_tokens, reserve, settle, spent_today, worst_case
from backends.spend.pricing import Rates
from backends.store.database import store_file, store_of
from tests.backends.openai_server import PATH, SSE_HEAD, RawServer, error, event, paris, sse, text_chunk
from tests.backends.spend.stored_rows import stored_rows
from tests.scripted import PATIENCE_S

HOME = Path(__file__).resolve().parents[3]
CENT = Decimal("0.01")
PRICE = {"input_usd": "1000", "output_usd": "1000", "date": "2026-11-01"}
"""A thousandth of a dollar per token: `paris()` costs 15 of them."""


def caps(day: str | None = None, run: str | None = None) -> BudgetSettings:
    return BudgetSettings(
        per_day_usd=None if day is None else Decimal(day), per_run_usd=None if run is None else Decimal(run)
    )


def spend(data: Path, given: BudgetSettings, worst: Decimal | None = CENT, run: str = "run") -> budget.Reservation:
    return reserve(data, given, run, "paid_api", "some-model", worst)


def test_a_reservation_counts_until_it_is_settled_with_what_was_charged(tmp_path: Path) -> None:
    held = spend(tmp_path, caps("1"))
    assert spent_today(tmp_path) == Spent(Decimal(0), CENT, 0)
    settle(tmp_path, held, Decimal("0.001"), "charged")
    assert spent_today(tmp_path) == Spent(Decimal("0.001"), Decimal(0), 0)


def test_at_the_cap_a_sentence_says_how_much_and_what_to_raise(tmp_path: Path) -> None:
    settle(tmp_path, spend(tmp_path, caps("5"), Decimal("4.98")), Decimal("4.98"), "charged")
    with pytest.raises(BackendError) as refused:
        spend(tmp_path, caps("5"), Decimal("0.05"))
    assert refused.value.cause == (
        "The day's budget of $5.00 does not cover this question: $4.98 spent, it could cost $0.05."
    )
    assert refused.value.next_step == 'Raise budget.per_day_usd, or lower "Answer length" (max_tokens).'
    assert isinstance(refused.value, CapReached)
    assert (refused.value.setting, refused.value.needed_usd) == ("budget.per_day_usd", Decimal("5.03"))
    assert spend(tmp_path, caps("5"), Decimal("0.02")).number is not None
    with pytest.raises(BackendError, match=r"\$0\.02 set aside for questions under way"):
        spend(tmp_path, caps("5"))
    assert spend(tmp_path, caps("6")).number is not None


def test_a_run_has_a_cap_of_its_own(tmp_path: Path) -> None:
    spend(tmp_path, caps(run="0.01"), run="first")
    with pytest.raises(
        BackendError, match=r"The run's budget of \$0\.01 does not cover this question: .* Raise budget\.per_run_usd"
    ):
        spend(tmp_path, caps(run="0.01"), run="first")
    assert spend(tmp_path, caps(run="0.01"), run="second").number is not None


def test_yesterday_does_not_count(tmp_path: Path) -> None:
    settle(tmp_path, spend(tmp_path, caps("1")), Decimal(1), "charged")
    with stored_rows(tmp_path) as connection:
        connection.execute("UPDATE charges SET at = '2026-01-01T23:59:59.999+00:00'")
    assert spent_today(tmp_path) == Spent(Decimal(0), Decimal(0), 0)
    assert spend(tmp_path, caps("1"), Decimal(1)).number is not None


@pytest.mark.parametrize("zone", ["west+12", "east-14"])
def test_a_day_lasts_from_midnight_to_midnight_utc_wherever_the_computer_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """At any hour, one of the two zones has another date than UTC."""
    for usd in ("1", "0.2", "0.03"):
        settle(tmp_path, spend(tmp_path, caps()), Decimal(usd), "charged")
    today = datetime.now(UTC).date()
    with stored_rows(tmp_path) as connection:
        for number, at in ((1, f"{today - timedelta(days=1)}T23:59:59.999"), (2, f"{today}T00:00:00.000")):
            connection.execute("UPDATE charges SET at = ? WHERE id = ?", (f"{at}+00:00", number))
    monkeypatch.setenv("TZ", zone)
    try:
        time.tzset()
        assert spent_today(tmp_path).usd == Decimal("0.23")
        with pytest.raises(CapReached, match=r"\$0\.23 spent"):
            spend(tmp_path, caps("0.23"))
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_unknown_price_is_refused_under_a_cap_unless_it_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"What some-model costs is not known.*budget\.allow_unknown=true"):
        spend(tmp_path, caps("1"), None)
    allowed = BudgetSettings(per_day_usd=Decimal(1), allow_unknown=True)
    settle(tmp_path, spend(tmp_path, allowed, None), Decimal(0), "unknown")
    assert spent_today(tmp_path) == Spent(Decimal(0), Decimal(0), 1)


def test_without_a_cap_nothing_is_reserved_and_charges_are_counted_all_the_same(tmp_path: Path) -> None:
    held = spend(tmp_path, caps(), None)
    assert (held.number, store_file(tmp_path).exists()) == (None, False)
    settle(tmp_path, held, CENT, "charged")
    assert spent_today(tmp_path).usd == CENT


def test_amounts_add_up_exactly_and_are_rounded_up(tmp_path: Path) -> None:
    for _ in range(10):
        settle(tmp_path, spend(tmp_path, caps()), Decimal("0.1"), "charged")
    assert spent_today(tmp_path).usd == 1
    settle(tmp_path, spend(tmp_path, caps()), Decimal("1e-15"), "charged")
    assert spent_today(tmp_path).usd == Decimal("1.000000000001")


def test_what_a_dead_process_reserved_counts_at_its_worst_case_and_is_said_so(tmp_path: Path) -> None:
    spend(tmp_path, caps("0.02"))
    with stored_rows(tmp_path) as connection:
        connection.execute("UPDATE charges SET began = began - 100")  # its number went to another process
    assert spent_today(tmp_path) == Spent(Decimal(0), Decimal(0), 0, CENT)
    spend(tmp_path, caps("0.02"))
    assert spent_today(tmp_path) == Spent(Decimal(0), CENT, 0, CENT)
    with pytest.raises(CapReached) as refused:
        spend(tmp_path, caps("0.02"))
    assert refused.value.cause == (
        "The day's budget of $0.02 does not cover this question: $0.00 spent, $0.01 set aside for questions under "
        "way, $0.01 of answers whose process ended before they were counted, it could cost $0.01."
    )
    assert refused.value.next_step.startswith("Enter what those were charged on the Costs page (History), raise ")
    assert refused.value.needed_usd == Decimal("0.03")
    assert budget.today_in_words(tmp_path, caps("0.02")).endswith(
        " · $0.01 set aside for questions under way · $0.01 of answers whose process ended before they were counted"
    )


def test_what_nobody_counted_is_counted_once_somebody_says_what_was_charged(tmp_path: Path) -> None:
    held = spend(tmp_path, caps("0.02"))
    assert budget.uncounted(tmp_path) == []  # it is under way
    with stored_rows(tmp_path) as connection:
        connection.execute("UPDATE charges SET began = began - 100, at = '2026-01-01T23:59:59.999+00:00'")
    (one,) = budget.uncounted(tmp_path)  # of whatever day
    assert (one.number, one.approach, one.model, one.worst_usd) == (held.number, "paid_api", "some-model", CENT)
    assert (one.at.year, one.at.tzinfo is not None) == (2026, True)
    budget.count_charge(tmp_path, one.number, Decimal("0.004"))
    budget.count_charge(tmp_path, one.number, Decimal("5"))  # a second click says nothing new
    assert budget.uncounted(tmp_path) == []
    with stored_rows(tmp_path) as connection:
        assert connection.execute("SELECT state, pico_usd FROM charges").fetchall() == [("charged", 4 * 10**9)]


def test_an_answer_of_unknown_price_whose_process_died_stays_one_of_unknown_cost(tmp_path: Path) -> None:
    allowed = BudgetSettings(per_day_usd=Decimal(1), allow_unknown=True)
    spend(tmp_path, allowed, None)
    with stored_rows(tmp_path) as connection:
        connection.execute("UPDATE charges SET began = began - 100")
    assert spent_today(tmp_path) == Spent(Decimal(0), Decimal(0), 1)


def test_another_machines_reservation_stays_for_a_day(tmp_path: Path) -> None:
    spend(tmp_path, caps("0.01"))
    with stored_rows(tmp_path) as connection:
        connection.execute("UPDATE charges SET host = 'elsewhere', pid = 1")
    with pytest.raises(BackendError):
        spend(tmp_path, caps("0.01"))
    with stored_rows(tmp_path) as connection:
        connection.execute("UPDATE charges SET at = '2026-01-01T23:59:59.999+00:00'")
    assert [one.worst_usd for one in budget.uncounted(tmp_path)] == [CENT]  # and then its process is given up


_RACER = """
import sys
from decimal import Decimal
from pathlib import Path
from backends.errors import BackendError
from backends.spend.budget import reserve, settle
from backends.settings import BudgetSettings
data, caps, done = Path(sys.argv[1]), BudgetSettings(per_day_usd=Decimal("0.25")), 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(40):
    try:
        held = reserve(data, caps, "run", "paid_api", "m", Decimal("0.01"))
    except BackendError as fault:
        assert "budget of $0.25 does not cover this question" in fault.cause, fault
        continue
    settle(data, held, Decimal("0.01"), "charged")
    done += 1
print(done, flush=True)
"""


def test_two_processes_racing_for_the_last_cent_never_pass_the_cap(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RACER, str(tmp_path)]
    racers = [
        subprocess.Popen(command, cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    done = []
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        out, _ = racer.communicate(timeout=PATIENCE_S)
        assert racer.returncode == 0
        done.append(int(out))
    assert sum(done) == 25
    assert spent_today(tmp_path) == Spent(Decimal("0.25"), Decimal(0), 0)


# --- through real HTTP --------------------------------------------------------------------------


def configured(url: str, **more: object) -> Settings:
    given = {"paid_api.base_url": url, "paid_api.model": "m", "paid_api.max_retries": 0, "max_tokens": 3}
    given |= {f"paid_api.price.{field}": value for field, value in PRICE.items()}
    return load_settings(given | {"system_prompt": ""} | {name.replace("__", "."): v for name, v in more.items()})


def asked(settings: Settings, *approaches: str) -> list[Answer]:
    made = [backends.make(approach, settings) for approach in approaches or ("paid_api",)]
    events = compare(made, settings.question("Paris?"), threading.Event())
    return [one for _, one in events if isinstance(one, Answer)]


def test_the_worst_case_is_reserved_and_what_was_charged_remains(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    settings = configured(httpserver.url_for("/v1"), budget__per_day_usd="0.05")
    first, second, third = (asked(settings)[0] for _ in range(3))  # at most 26 + 3 tokens each; 12 + 3 charged
    assert (first.status, first.cost.usd, second.status) == ("ok", Decimal("0.015"), "ok")
    assert (third.status, third.text, third.attempts) == ("error", "", ())
    assert third.error == (
        "The day's budget of $0.05 does not cover this question: $0.03 spent, it could cost $0.029. "
        'Raise budget.per_day_usd, or lower "Answer length" (max_tokens).'
    )
    assert len(httpserver.log) == 2
    assert spent_today(settings.data) == Spent(Decimal("0.03"), Decimal(0), 0)
    raised = configured(httpserver.url_for("/v1"), budget__per_day_usd="0.10")
    assert asked(raised)[0].status == "ok"


def test_what_a_budget_does_not_let_through_for_want_of_a_price_costs_nothing(httpserver: HTTPServer) -> None:
    """Not: "the server did not report token counts". It was never asked."""
    unpriced = {"paid_api.model": "nonesuch", "paid_api.base_url": httpserver.url_for("/v1")}
    (answer,) = asked(load_settings(unpriced | {"budget.per_day_usd": "1"}))
    assert (answer.status, answer.cost.usd, answer.cost.basis) == (
        "error",
        Decimal(0),
        "nothing was sent, so nothing was charged",
    )
    assert httpserver.log == []


def test_the_worst_case_counts_every_retry(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    settings = configured(httpserver.url_for("/v1"), budget__per_day_usd="0.086", paid_api__max_retries=2)
    assert "it could cost $0.087" in (asked(settings)[0].error or "")
    assert httpserver.log == []


def test_a_cap_stops_its_column_only_and_the_run_is_shared(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    url = httpserver.url_for("/v1")
    second = {f"connections__two__{name}": value for name, value in (("base_url", url), ("model", "n"))}
    second |= {f"connections__two__price__{field}": value for field, value in PRICE.items()}
    settings = configured(url, budget__per_run_usd="0.03", connections__two__max_retries=0, **second)
    assert sorted(answer.status for answer in asked(settings, "paid_api", "paid_api:two")) == ["error", "ok"]
    assert [answer.status for answer in asked(settings)] == ["ok"]


def test_refused_requests_are_free_and_unreported_answers_count_in_full(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_response(error(401, "No"))
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: sse(text_chunk("Par")))
    settings = configured(httpserver.url_for("/v1"), budget__per_day_usd="1")
    asked(settings)
    assert spent_today(settings.data).usd == 0
    asked(settings)
    assert spent_today(settings.data) == Spent(Decimal("0.029"), Decimal(0), 0)


def test_an_unknown_price_is_refused_before_anything_is_sent(httpserver: HTTPServer) -> None:
    given = {"paid_api.base_url": httpserver.url_for("/v1"), "paid_api.model": "m", "budget.per_day_usd": "1"}
    assert (asked(load_settings(given))[0].error or "").startswith("What m costs is not known")
    assert httpserver.log == []


def test_killed_in_mid_stream_an_answer_counts_at_its_worst_case(tmp_path: Path) -> None:
    """Whoever kills the process again and again must not get past the cap."""

    def hangs(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Par")))
        server.wait_until_client_is_gone(client)

    with RawServer(hangs).run() as server:
        settings = configured(server.url, budget__per_day_usd="0.05", data=str(tmp_path))
        given = {"base_url": server.url, "model": "m", "max_retries": 0}
        given |= {f"price.{field}": value for field, value in PRICE.items()}
        given = {f"paid_api.{name}": value for name, value in given.items()}
        given |= {"max_tokens": 3, "system_prompt": "", "budget.per_day_usd": "0.05", "data": tmp_path}
        command = [sys.executable, "-m", "crossroads", "ask", "Paris?", "--approach", "paid_api"]
        command += [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
        asking = subprocess.Popen(command, cwd=HOME, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert server.reached.wait(PATIENCE_S)
        assert spent_today(tmp_path) == Spent(Decimal(0), Decimal("0.029"), 0)
        asking.kill()
        asking.wait(PATIENCE_S)
        assert spent_today(tmp_path) == Spent(Decimal(0), Decimal(0), 0, Decimal("0.029"))
        (refused,) = asked(settings)
        assert refused.error == (
            "The day's budget of $0.05 does not cover this question: $0.00 spent, $0.029 of answers whose process "
            "ended before they were counted, it could cost $0.029. Enter what those were charged on the Costs page "
            '(History), raise budget.per_day_usd, or lower "Answer length" (max_tokens).'
        )
        assert len(server.requests) == 1


# --- worst case and meter -----------------------------------------------------------------------


def test_the_worst_case_is_more_than_any_tokenizer_makes() -> None:
    messages = [{"role": "user", "content": "Grüße 🙂"}]
    assert most_prompt_tokens(messages) == 4 + 12 + 16
    prices = Rates(Decimal(2), Decimal(3), Decimal(10), "")
    assert worst_case(messages, 7, prices) == (32 * Decimal(3) + 7 * Decimal(10)) / 1_000_000


def test_the_meter_counts_each_attempt_once() -> None:
    meter = Meter(lambda usage: Cost(CENT, ""), lambda: Decimal(1))
    for one in (AttemptStarted(), AttemptEnded("503", 503), AttemptStarted(), AttemptEnded("no line", sent=False)):
        meter.count_event(one)
    assert (meter.usd, meter.state) == (0, "charged")
    for more in (AttemptStarted(), TextDelta("a"), AttemptEnded(usage=Usage(1, 1))):
        meter.count_event(more)
    meter.close()
    assert (meter.usd, meter.state) == (CENT, "charged")
    meter.count_event(AttemptStarted())
    meter.close()
    assert (meter.usd, meter.state) == (CENT + 1, "at most")


def test_what_was_spent_today_in_words(tmp_path: Path) -> None:
    assert budget.today_in_words(tmp_path, caps()) == "Spent today (UTC): $0.00"
    settle(tmp_path, spend(tmp_path, caps("1")), CENT, "charged")
    settle(tmp_path, spend(tmp_path, caps(), None), Decimal(0), "unknown")
    spend(tmp_path, caps("1"), Decimal("0.25"))
    assert budget.today_in_words(tmp_path, caps("1")) == (
        "Spent today (UTC): $0.01 of $1.00 · $0.25 set aside for questions under way · 1 of unknown cost"
    )
    assert store_of(tmp_path).set_aside(tmp_path / "aside.sqlite")
    store_file(tmp_path).write_bytes(b"no ledger")
    assert budget.today_in_words(tmp_path, caps()).startswith(
        "Spent today: unknown. The ledger in evaluations.sqlite is damaged"
    )
