"""`crossroads uncounted`: what dead processes left in the ledger, and what the provider charged for it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backends.settings import BudgetSettings
from backends.spend import budget
from terminal.commands import app
from tests.backends.spend.stored_rows import stored_rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with one answer whose process is gone."""
    caps = BudgetSettings(per_day_usd=Decimal("0.02"))
    budget.reserve(tmp_path, caps, "run", "paid_api", "some-model", Decimal("0.01"))
    with stored_rows(tmp_path) as connection:
        connection.execute("UPDATE charges SET began = began - 100, at = '2026-01-01T23:59:00.000+00:00'")
    return tmp_path


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["uncounted", "--set", f"data={data}", *arguments])


def test_it_is_listed_and_counted_as_what_the_bill_says(data: Path) -> None:
    (one,) = json.loads(run(data, "--json").stdout)["uncounted"]
    assert (one["approach"], one["model"], one["worst_usd"]) == ("paid_api", "some-model", "0.01")
    assert run(data).stdout == f"{one['number']}: 2026-01-01 23:59 UTC, paid_api, some-model, at most $0.01\n"
    assert run(data, "--count", f"{one['number']}=0.004").stdout == "Every answer was counted.\n"
    with stored_rows(data) as connection:
        assert connection.execute("SELECT state, pico_usd FROM charges").fetchall() == [("charged", 4 * 10**9)]


@pytest.mark.parametrize("wrong", ["1", "x=1", "1=", "1=NaN", "1=-1", "1=1e400", "1=" + "9" * 5000, "999=0.1"])
def test_what_cannot_be_counted_is_wrong_usage(data: Path, wrong: str) -> None:
    result = run(data, "--count", wrong)
    assert result.exit_code == 2
    assert [one.worst_usd for one in budget.uncounted(data)] == [Decimal("0.01")]
