"""A ledger of an earlier version becomes part of the store: once, whole, and whatever happens on the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from backends.base import Answer
from backends.settings import BudgetSettings, Settings, load_settings
from backends.spend import budget, ledger, old_ledger
from backends.spend.ledger import ledger_file
from backends.storage import sqlite
from backends.store.database import store_of
from tests.evaluation.runs.conftest import PostgresServer, postgres  # noqa: F401 - a fixture

HOME = Path(__file__).resolve().parents[3]
ANSWERS, CHARGES = 300, 40

_KILLED = """
import os, sys
from contextlib import contextmanager
from pathlib import Path
from backends.spend import ledger, old_ledger
from backends.store.database import Store
data, when = Path(sys.argv[1]), sys.argv[2]
kill = lambda *_, **__: os.kill(os.getpid(), 9)
if when == "before anything is named":
    old_ledger._name_of = kill
elif when == "before the rows are written":
    Store.write = kill
elif when == "before they are committed":
    Store.write = lambda self, work: self._killed(work)
    def killed(self, work):
        with self.writing() as connection:
            work(connection)
            kill()
    Store._killed = killed
else:
    old_ledger.sqlite.set_aside = kill
ledger.entries(data)
"""


def old(data: Path, name: str = "m") -> None:
    """A ledger of the last version with a file of its own."""
    data.mkdir(parents=True, exist_ok=True)
    sqlite.create(ledger_file(data), old_ledger._FORMAT)
    with closing(sqlite3.connect(ledger_file(data))) as connection, connection:
        at = "2026-11-20T10:00:00.000+00:00"
        answer = (
            "INSERT INTO answers (at, approach, model, kind, status, cost_usd, cost_basis, purpose, judging) VALUES "
        )
        for number in range(ANSWERS):
            judging = number % 3 == 0
            values = (at, "raw", f"{name}-{number}", "real", "ok", "0.001", "time", "test" if judging else "answer")
            connection.execute(f"{answer} (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, judging))
        charge = "INSERT INTO charges (at, run, approach, model, state, pico_usd, host, pid, began) VALUES "
        for number in range(CHARGES):
            state = "reserved" if number == 0 else "charged"
            connection.execute(
                f"{charge} (?, 'run', 'paid_api', 'm', ?, ?, ?, ?, ?)",
                (at, state, 10**10, "elsewhere", 1, 1.0),
            )


def whole(where: Path | Settings, name: str = "m") -> None:
    """Every row is there once, in its order."""
    found = [one for one in ledger.entries(where) if one.model.startswith(name)]
    assert [one.model for one in found] == [f"{name}-{number}" for number in range(ANSWERS)]
    assert [one.purpose for one in found[:3]] == ["judge", "answer", "answer"]
    assert {one.cost_usd for one in found} == {Decimal("0.001")}


@pytest.mark.parametrize(
    "when",
    ["before anything is named", "before the rows are written", "before they are committed", "before it is renamed"],
)
def test_a_kill_on_the_way_loses_nothing_and_doubles_nothing(tmp_path: Path, when: str) -> None:
    old(tmp_path)
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path), when], cwd=HOME, check=False)
    assert done.returncode == -9
    assert ledger_file(tmp_path).exists()
    whole(tmp_path)
    assert budget.charged_for(tmp_path, "run") == Decimal("0.01") * CHARGES
    (one,) = budget.uncounted(tmp_path)
    assert one.worst_usd == Decimal("0.01")
    assert not ledger_file(tmp_path).exists()
    (backup,) = tmp_path.glob("ledger.taken-over-*.sqlite")
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (ANSWERS,)


def test_what_was_spent_before_counts_towards_a_cap(tmp_path: Path) -> None:
    old(tmp_path)
    caps = BudgetSettings(per_run_usd=Decimal("0.41"))
    assert budget.reserve(tmp_path, caps, "run", "paid_api", "m", Decimal("0.01")).number == CHARGES + 1
    with pytest.raises(budget.CapReached):
        budget.reserve(tmp_path, caps, "run", "paid_api", "m", Decimal("0.01"))


def test_two_data_folders_bring_theirs_into_one_server(postgres: PostgresServer, tmp_path: Path) -> None:  # noqa: F811
    url = postgres.url(postgres.emptied())
    both = [load_settings({"data": str(tmp_path / name), "store.url": url}) for name in ("a", "b")]
    for settings in both:
        old(settings.data, settings.data.name)
    for settings in both:
        ledger.entries(settings)
    for settings in both:
        whole(both[0], settings.data.name)
    assert budget.charged_for(both[1], "run") == 2 * Decimal("0.01") * CHARGES
    ledger.append(both[1], Answer("raw", "new\x00er", "", "ok"), "real")
    assert ledger.entries(both[0])[-1].model == "new\ufffder"
    with pytest.raises(Exception, match="rows are only added"), store_of(both[0]).writing() as connection:
        connection.exec_driver_sql("DELETE FROM spent_answers")


_RACER = """
import sys
from decimal import Decimal
from backends.errors import BackendError
from backends.spend.budget import reserve, settle
from backends.settings import BudgetSettings, load_settings
settings = load_settings({"data": sys.argv[1], "store.url": sys.argv[2]})
caps, done = BudgetSettings(per_day_usd=Decimal("0.15")), 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    try:
        held = reserve(settings, caps, "run", "paid_api", "m", Decimal("0.01"))
    except BackendError as fault:
        assert "does not cover this question" in fault.cause, fault
        continue
    settle(settings, held, Decimal("0.01"), "charged")
    done += 1
print(done, flush=True)
"""


def test_machines_that_share_a_server_never_pass_the_cap(postgres: PostgresServer, tmp_path: Path) -> None:  # noqa: F811
    url = postgres.url(postgres.emptied())
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(tmp_path / name), url],
            cwd=HOME,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outs = [racer.communicate(timeout=120)[0] for racer in racers]
    assert sum(map(int, outs)) == 15
    assert budget.spent_today(load_settings({"data": str(tmp_path), "store.url": url})).usd == Decimal("0.15")
