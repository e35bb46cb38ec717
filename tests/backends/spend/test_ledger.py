"""The ledger: what is kept of an answer, several writers at once, and what a fault of it does: nothing to answers."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backends.base import Answer, Cost, Passage, Question, Status, Timings, Trace, Usage
from backends.errors import BackendError
from backends.run.live import LiveComparison
from backends.settings import load_settings
from backends.spend import ledger
from backends.spend.ledger import ExpectedCost, ledger_file
from backends.spend.old_ledger import LedgerDamaged, LedgerNewer
from backends.store.database import store_file, store_of
from tests.backends.spend.stored_rows import stored_rows
from tests.scripted import PATIENCE_S, Scripted, finished

HOME = Path(__file__).resolve().parents[3]
SECRET = "a secret sentence"
ANSWER = Answer(
    "paid_api",
    "gpt-4.1-mini",
    SECRET,
    "ok",
    timings=Timings(queued_s=1.5, retry_s=0.5, retrieval_s=0.25, ttft_s=0.75, latency_s=2.0),
    usage=Usage(100, 50, 20, 10, "server"),
    cost=Cost(Decimal("0.000000123456789012345678901"), "list price"),
    sources=(Passage("d.md", 1, "c", 0.5, 0, 1, SECRET),),
    notes=(SECRET,),
    traces=(Trace("prompt", SECRET),),
)
AT = datetime(2026, 11, 12, 23, 30, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def answer(approach: str = "raw", status: Status = "ok", model: str = "m", latency_s: float | None = 1.0) -> Answer:
    return Answer(approach, model, "", status, timings=Timings(latency_s=latency_s), usage=Usage(10, 5))


def test_an_answer_comes_back_as_it_was_measured_and_charged(data: Path) -> None:
    ledger.append(data, ANSWER, "real", AT)
    assert ledger.entries(data) == [
        ledger.Entry(
            AT,
            "paid_api",
            "gpt-4.1-mini",
            "real",
            "ok",
            *(100, 50, 20, 10, "server"),
            *(1.5, 0.5, 0.25, 0.75, 2.0),
            Decimal("0.000000123456789012345678901"),
            "list price",
        )
    ]


def test_no_text_of_question_answer_or_document_is_kept(data: Path) -> None:
    ledger.append(data, ANSWER, "real")
    for file in data.iterdir():
        assert SECRET.encode() not in file.read_bytes()


@pytest.mark.parametrize("status", ["ok", "truncated", "error", "cancelled", "empty"])
def test_every_way_to_end_is_recorded_and_unknown_stays_unknown(data: Path, status: Status) -> None:
    ledger.append(data, Answer("raw", "m", "", status), "real")
    (entry,) = ledger.entries(data)
    assert (entry.status, entry.cost_usd, entry.prompt_tokens, entry.latency_s) == (status, None, None, None)
    assert entry.cost_basis == "nothing was measured"


def test_token_counts_that_no_file_can_hold_and_half_characters_are_no_reason_to_fail(data: Path) -> None:
    absurd = Answer("raw", "half \ud800", "", "ok", usage=Usage(2**70, 5), cost=Cost(None, "\ud800"))
    ledger.append(data, absurd, "real")
    (entry,) = ledger.entries(data)
    assert (entry.prompt_tokens, entry.completion_tokens, entry.model) == (None, 5, "half \ufffd")


def test_rows_are_only_ever_added(data: Path) -> None:
    ledger.append(data, ANSWER, "real")
    for statement in ("DELETE FROM spent_answers", "UPDATE spent_answers SET cost_usd = '0'"):
        with pytest.raises(sqlite3.Error), stored_rows(data) as connection:
            connection.execute(statement)
    assert len(ledger.entries(data)) == 1


def test_the_file_is_kept_as_the_house_rules_say(data: Path) -> None:
    ledger.append(data, ANSWER, "real")
    with store_of(data).reading() as connection:
        wanted = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "foreign_keys": 1}


def test_entries_since_a_moment(data: Path) -> None:
    for days in (0, 1, 2):
        ledger.append(data, answer(model=str(days)), "real", AT - timedelta(days=days))
    assert [entry.model for entry in ledger.entries(data)] == ["2", "1", "0"]
    assert [entry.model for entry in ledger.entries(data, AT - timedelta(days=1))] == ["1", "0"]


def test_nothing_recorded_is_an_empty_ledger_and_makes_no_file(data: Path) -> None:
    assert ledger.entries(data) == []
    assert ledger.complete_answers(data, "raw") == []
    assert not data.exists()


def test_complete_answers_are_of_one_model_real_and_newest_first(data: Path) -> None:
    ledger.append(data, answer(model="old"), "real")
    for latency_s in (1.0, 2.0, 3.0):
        ledger.append(data, answer(model="new", latency_s=latency_s), "real")
    ledger.append(data, answer(model="new", status="truncated", latency_s=4.0), "real")
    for status in ("error", "cancelled", "empty"):
        ledger.append(data, answer(model="new", status=status), "real")
    ledger.append(data, answer(model="new"), "stand-in")
    ledger.append(data, answer(model="new"), "scripted")
    ledger.append(data, answer("rag", model="new"), "real")

    def seconds(found: list[ledger.Entry]) -> list[float | None]:
        return [entry.latency_s for entry in found]

    assert seconds(ledger.complete_answers(data, "raw")) == [4.0, 3.0, 2.0, 1.0]
    assert seconds(ledger.complete_answers(data, "raw", limit=2)) == [4.0, 3.0]
    assert seconds(ledger.complete_answers(data, "raw", lambda model: model == "old")) == [1.0]
    assert ledger.complete_answers(data, "raw", lambda model: False) == []


@pytest.mark.parametrize(
    ("scripted", "stand_in", "kind"),
    [(False, False, "real"), (False, True, "stand-in"), (True, True, "scripted"), (True, False, "scripted")],
)
def test_stand_ins_and_the_script_are_kept_apart(data: Path, scripted: bool, stand_in: bool, kind: str) -> None:
    record = ledger.recorder(load_settings({"data": str(data), "scripted": scripted}))
    record(Answer("raw", "m", "", "ok", stand_in=stand_in))
    assert [entry.kind for entry in ledger.entries(data)] == [kind]


def test_what_was_expected_is_kept_beside_what_it_came_to(data: Path) -> None:
    before = ExpectedCost("paid_api", Cost(Decimal("0.0004"), "b"), "guessed, mean answer", 90, 60)
    record = ledger.recorder(load_settings({"data": str(data)}), {"paid_api": before})
    record(replace(ANSWER, cost=Cost(Decimal("0.0005"), "list price")))
    record(answer("raw"))
    paid, raw = ledger.entries(data)
    expected = (paid.expected_prompt_tokens, paid.expected_completion_tokens, paid.expected_usd, paid.expected_by)
    assert expected == (90, 60, Decimal("0.0004"), "guessed, mean answer")
    assert paid.ratio_to_expected == Decimal("1.25")
    assert (raw.expected_usd, raw.ratio_to_expected) == (None, None)


@pytest.mark.parametrize("status", ["ok", "truncated"])
def test_the_one_token_of_a_connections_test_is_kept_and_tells_nothing_of_answers(data: Path, status: Status) -> None:
    test = replace(ANSWER, status=status, usage=Usage(9, 1))
    ledger.recorder(load_settings({"data": str(data)}), purpose="test")(replace(test, model="another"))
    ledger.append(data, test, "real", purpose="test")
    assert ledger.complete_answers(data, "paid_api") == []
    for usage in (Usage(9, 1), Usage(9, 160), Usage()):  # an answer of one token that somebody asked for is one
        ledger.append(data, replace(ANSWER, status=status, usage=usage), "real")
    ledger.append(data, replace(test, model="another"), "real", purpose="test")
    found = ledger.complete_answers(data, "paid_api")
    assert [entry.completion_tokens for entry in found] == [None, 160, 1]
    purposes = [entry.purpose for entry in ledger.entries(data)]
    assert purposes == ["test", "test", "answer", "answer", "answer", "test"]


# --- files of earlier versions ---------------------------------------------------------------------

_VERSION_1 = """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, approach TEXT NOT NULL, model TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('real', 'stand-in', 'scripted')), status TEXT NOT NULL,
    prompt_tokens INTEGER, completion_tokens INTEGER, cached_tokens INTEGER, reasoning_tokens INTEGER,
    tokens_counted_by TEXT, queued_s REAL, retry_s REAL, retrieval_s REAL, ttft_s REAL, latency_s REAL,
    retries INTEGER, cost_usd TEXT, cost_basis TEXT NOT NULL
);
CREATE TABLE charges (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, run TEXT NOT NULL, approach TEXT NOT NULL, model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'charged', 'at most', 'unknown', 'released')),
    pico_usd INTEGER NOT NULL, host TEXT, pid INTEGER, began REAL
);
CREATE TRIGGER answers_stay BEFORE DELETE ON answers BEGIN SELECT raise(ABORT, 'rows are only added'); END;
CREATE TRIGGER answers_keep BEFORE UPDATE ON answers BEGIN SELECT raise(ABORT, 'rows are only added'); END;
INSERT INTO answers (at, approach, model, kind, status, latency_s, cost_usd, cost_basis) VALUES
    ('2026-11-20T10:00:00.000+00:00', 'raw', 'old', 'real', 'ok', 1.5, '0.00004', 'machine time'),
    ('2026-11-21T10:00:00.000+00:00', 'paid_api', 'gpt-4.1-mini', 'real', 'error', NULL, NULL, 'unknown');
INSERT INTO charges (at, run, approach, model, state, pico_usd) VALUES
    ('2026-11-21T10:00:00.000+00:00', 'r', 'paid_api', 'gpt-4.1-mini', 'charged', 7);
PRAGMA user_version = 1;
"""


_VERSION_2 = """
ALTER TABLE answers ADD COLUMN expected_prompt_tokens INTEGER;
ALTER TABLE answers ADD COLUMN expected_completion_tokens INTEGER;
ALTER TABLE answers ADD COLUMN expected_usd TEXT;
ALTER TABLE answers ADD COLUMN expected_by TEXT;
INSERT INTO answers (at, approach, model, kind, status, completion_tokens, expected_by, cost_basis) VALUES
    ('2026-11-22T10:00:00.000+00:00', 'paid_api', 'test', 'real', 'ok', 1, NULL, ''),
    ('2026-11-22T10:00:01.000+00:00', 'paid_api:own', 'test', 'real', 'truncated', 1, NULL, ''),
    ('2026-11-22T10:00:02.000+00:00', 'paid_api', 'one word', 'real', 'ok', 1, 'counted, mean answer', ''),
    ('2026-11-22T10:00:03.000+00:00', 'paid_api', 'long', 'real', 'ok', 90, NULL, ''),
    ('2026-11-22T10:00:04.000+00:00', 'paid_api', 'uncounted', 'real', 'ok', NULL, NULL, ''),
    ('2026-11-22T10:00:05.000+00:00', 'paid_apix', 'another', 'real', 'ok', 1, NULL, '');
PRAGMA user_version = 2;
"""


_VERSION_3 = """
ALTER TABLE answers ADD COLUMN purpose TEXT NOT NULL DEFAULT 'answer' CHECK (purpose IN ('answer', 'test'));
INSERT INTO answers (at, approach, model, kind, status, latency_s, cost_basis) VALUES
    ('2026-11-23T10:00:00.000+00:00', 'rag', 'big via own + c searched with e', 'real', 'ok', 3.0, '');
PRAGMA user_version = 3;
"""


@pytest.fixture
def old(data: Path) -> Path:
    return _written(data, _VERSION_1)


def _written(data: Path, script: str) -> Path:
    data.mkdir()
    with sqlite3.connect(ledger_file(data)) as connection:
        connection.executescript(script)
    connection.close()
    return data


def test_a_ledger_of_the_second_version_tells_its_tests_from_its_answers_and_stays_closed(data: Path) -> None:
    _written(data, _VERSION_1 + _VERSION_2)
    found = ledger.entries(data)
    assert [entry.model for entry in found if entry.purpose == "test"] == ["test", "test"]
    assert len(found) == 8
    for statement in ("DELETE FROM spent_answers", "UPDATE spent_answers SET purpose = 'answer'"):
        with pytest.raises(sqlite3.Error), stored_rows(data) as connection:
            connection.execute(statement)


def test_answers_of_the_third_version_are_found_and_newer_ones_say_who_wrote_them(data: Path) -> None:
    _written(data, _VERSION_1 + _VERSION_2 + _VERSION_3)
    found = ledger.complete_answers(data, "rag", lambda model: " via own + " in model)
    assert [one.latency_s for one in found] == [3.0]
    for writer in ("raw", "paid_api:own"):
        ledger.append(data, replace(ANSWER, approach="rag"), "real", writer=writer)
    assert [one.writer for one in ledger.entries(data)][-3:] == [None, "raw", "paid_api:own"]


def test_who_wrote_from_documents_is_recorded_and_nobody_for_other_approaches(data: Path) -> None:
    record = ledger.recorder(load_settings({"data": str(data), "rag.generator": "fine_tuned"}))
    for approach in ("rag", "raw"):
        record(replace(ANSWER, approach=approach))
    assert [(one.approach, one.writer) for one in ledger.entries(data)] == [("rag", "fine_tuned"), ("raw", None)]


@pytest.mark.parametrize("first", ["read", "write"])
def test_a_ledger_of_the_first_version_goes_on_without_losing_a_row(old: Path, first: str) -> None:
    if first == "write":
        ledger.append(old, ANSWER, "real", AT + timedelta(days=30))
    found = ledger.entries(old)[:2]
    assert [(entry.model, entry.latency_s, entry.cost_usd, entry.expected_usd) for entry in found] == [
        ("old", 1.5, Decimal("0.00004"), None),
        ("gpt-4.1-mini", None, None, None),
    ]
    ledger.append(old, ANSWER, "real", AT + timedelta(days=30))
    assert len(ledger.entries(old)) == 3 + (first == "write")
    with stored_rows(old) as connection:
        assert connection.execute("SELECT state, pico_usd FROM charges").fetchall() == [("charged", 7)]


def test_two_processes_that_meet_an_old_ledger_both_go_on(old: Path) -> None:
    threads = [threading.Thread(target=ledger.append, args=(old, ANSWER, "real")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.entries(old)) == 6


def test_an_old_ledger_that_breaks_halfway_stays_as_it_was(old: Path) -> None:
    with sqlite3.connect(ledger_file(old)) as connection:
        connection.execute("ALTER TABLE answers ADD COLUMN expected_usd TEXT")  # in the way of the third step
    connection.close()
    with pytest.raises(LedgerDamaged):
        ledger.entries(old)
    with sqlite3.connect(ledger_file(old)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(answers)")]
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (2,)
    connection.close()
    assert "expected_prompt_tokens" not in columns


# --- several writers ----------------------------------------------------------------------------

_WRITER = """
import sys
from pathlib import Path
from backends.spend import ledger
from backends.base import Answer
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    ledger.append(Path(sys.argv[1]), Answer("raw", f"{sys.argv[3]}-{number}", "", "ok"), "real")
"""


def test_two_processes_write_at_once_and_nothing_is_lost(data: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(data), "40", name], stdin=subprocess.PIPE, cwd=HOME, env=os.environ
        )
        for name in ("a", "b")
    ]
    for writer in writers:  # both begin now, at a ledger that is not there yet
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    written = [entry.model for entry in ledger.entries(data)]
    assert sorted(written) == sorted(f"{name}-{number}" for name in "ab" for number in range(40))
    with stored_rows(data) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_threads_write_at_once_and_nothing_is_lost(data: Path) -> None:
    threads = [threading.Thread(target=ledger.append, args=(data, answer(model=str(n)), "real")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(int(entry.model) for entry in ledger.entries(data)) == list(range(12))


# --- faults -------------------------------------------------------------------------------------


@pytest.fixture(
    params=[b"this is no database, and long enough to be read as one" * 40, b"", b"SQLite format 3\0" * 100]
)
def damaged(data: Path, request: pytest.FixtureRequest) -> Path:
    data.mkdir()
    ledger_file(data).write_bytes(request.param)
    return data


def test_a_damaged_ledger_is_named(damaged: Path) -> None:
    for act in (
        lambda: ledger.entries(damaged),
        lambda: ledger.complete_answers(damaged, "raw"),
        lambda: ledger.append(damaged, ANSWER, "real"),
    ):
        with pytest.raises(LedgerDamaged, match=r"The ledger ledger\.sqlite is damaged, so answers are not recorded\."):
            act()


def test_a_ledger_of_a_newer_version_is_left_alone_and_is_not_called_damaged(data: Path) -> None:
    _written(data, "CREATE TABLE answers (id INTEGER PRIMARY KEY); PRAGMA user_version = 99")
    before = ledger_file(data).read_bytes()
    for act in (lambda: ledger.entries(data), lambda: ledger.append(data, ANSWER, "real")):
        with pytest.raises(LedgerNewer, match=r"written by a newer version of Crossroads \(its format is 99"):
            act()
    assert ledger_file(data).read_bytes() == before


@pytest.mark.parametrize(
    ("column", "value"), [("cost_usd", "abc"), ("cost_usd", "NaN"), ("at", "yesterday"), ("prompt_tokens", "many")]
)
def test_a_row_that_nobody_recorded_is_a_damaged_ledger(data: Path, column: str, value: str) -> None:
    ledger.append(data, ANSWER, "real", AT)
    with stored_rows(data) as connection:
        connection.execute("DROP TRIGGER spent_update")
        connection.execute(f"UPDATE spent_answers SET {column} = ?", (value,))
    for act in (lambda: ledger.entries(data), lambda: ledger.complete_answers(data, "paid_api")):
        with pytest.raises(LedgerDamaged):
            act()


def test_rows_that_nobody_recorded_are_set_aside_in_a_file_and_the_runs_stay(data: Path) -> None:
    ledger.append(data, ANSWER, "real", AT)
    with stored_rows(data) as connection:
        connection.execute("DROP TRIGGER spent_update")
        connection.execute("UPDATE spent_answers SET cost_usd = 'abc'")
        connection.execute("INSERT INTO question_sets VALUES ('hash', 'a set', 1, '2026-12-01')")
    aside = ledger.set_aside(data)
    assert aside is not None
    assert [json.loads(line)["cost_usd"] for line in aside.read_text().splitlines()] == ["abc"]
    assert ledger.entries(data) == []
    ledger.append(data, ANSWER, "real")
    with stored_rows(data) as connection:
        assert connection.execute("SELECT name FROM question_sets").fetchall() == [("a set",)]
        with pytest.raises(sqlite3.Error):  # rows are only added, as before
            connection.execute("DELETE FROM spent_answers")


def test_a_store_that_cannot_be_read_is_renamed(data: Path) -> None:
    data.mkdir()
    store_file(data).write_bytes(b"no database" * 500)
    with pytest.raises(LedgerDamaged, match=r"The ledger in evaluations\.sqlite is damaged"):
        ledger.entries(data)
    aside = ledger.set_aside(data)
    assert aside is not None
    assert aside.read_bytes() == b"no database" * 500
    ledger.append(data, ANSWER, "real")
    assert len(ledger.entries(data)) == 1


def test_set_aside_it_makes_room_for_a_new_one_and_is_kept(damaged: Path) -> None:
    before = ledger_file(damaged).read_bytes()
    aside = ledger.set_aside(damaged)
    assert aside is not None
    assert aside.name.startswith("ledger.damaged-")
    assert aside.read_bytes() == before
    assert ledger.entries(damaged) == []
    ledger.append(damaged, ANSWER, "real")
    assert len(ledger.entries(damaged)) == 1
    assert ledger.set_aside(damaged / "nothing here") is None


def test_a_comparison_goes_on_without_its_ledger_and_the_fault_is_told(damaged: Path) -> None:
    settings = load_settings({"data": str(damaged)})
    backends = [Scripted(finished(), approach="raw"), Scripted(BackendError("No key.", "Set one."))]
    backends[1].approach = "paid_api"
    comparison = LiveComparison(backends, Question("q"), on_answer=ledger.recorder(settings))
    assert comparison.wait(PATIENCE_S)
    assert [found.status for found in comparison.answers] == ["empty", "error"]
    assert isinstance(ledger.fault(damaged), LedgerDamaged)
    ledger.set_aside(damaged)
    assert ledger.fault(damaged) is None
    ledger.recorder(settings)(ANSWER)
    assert (ledger.fault(damaged), len(ledger.entries(damaged))) == (None, 1)


def test_a_comparison_records_every_answer_once_before_it_is_done(data: Path) -> None:
    settings = load_settings({"data": str(data)})
    backends = [Scripted(finished(), approach=name) for name in ("raw", "rag")]
    comparison = LiveComparison(backends, Question("q"), on_answer=ledger.recorder(settings))
    assert comparison.wait(PATIENCE_S)
    assert sorted((entry.approach, entry.model) for entry in ledger.entries(data)) == [
        ("rag", "scripted answers (rag)"),
        ("raw", "scripted answers (raw)"),
    ]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BackendError, match="The store of answers cannot be written"):
        ledger.append(tmp_path / "file", ANSWER, "real")


def test_a_fault_of_this_program_breaks_no_answer(data: Path) -> None:
    record = ledger.recorder(load_settings({"data": str(data)}))
    record(Answer("raw", "m", "", "ok", cost=Cost("no Decimal", "b")))  # type: ignore[arg-type]
    assert str(ledger.fault(data)) == "Answers are not being recorded. The log has the details."
    record(ANSWER)
    assert ledger.fault(data) is None
