"""What may be spent: a cap per run and per day (UTC), over all sessions and processes of this installation.

Before a question goes to a priced server, its worst case is reserved; afterwards the reservation becomes what was
charged. Both are rows of the table `charges` in the ledger's file, and a cap is checked and reserved in one
transaction, so that two processes can never share the same last cent.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Literal

import psutil

from backends.base import BackendError, CapReached, NotSent
from backends.ledger_file import ledger_file
from backends.ledger_writes import reading, write
from backends.settings import BudgetSettings

State = Literal["charged", "at most", "unknown"]
"""How sure an amount is: reported by the server; the worst case, because the server did not say; not priced at all."""

_PICO = Decimal(10) ** 12  # amounts are stored as whole 10^-12 USD, rounded up, so that SQLite adds them up exactly
_FORGOTTEN_AFTER = timedelta(days=1)
_log = logging.getLogger(__name__)
_OPEN = "state = 'reserved'"
_FIELDS = ("at", "run", "approach", "model", "state", "pico_usd", "host", "pid", "began")
_INSERT = f"INSERT INTO charges ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Spent:
    """USD of one day or run: what was charged, what is reserved for questions under way, and how many are unpriced."""

    usd: Decimal
    in_flight_usd: Decimal
    unknown: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside for one question. `number` is None where no cap is set, so that nothing had to be."""

    run: str
    approach: str
    model: str
    number: int | None


def reserve(
    data: Path, caps: BudgetSettings, run: str, approach: str, model: str, worst_usd: Decimal | None
) -> Reservation:
    """Set the worst case of a question aside. Raises `BackendError` if a cap does not allow it or cannot be checked.

    `worst_usd` is None where no price is known; `budget.allow_unknown` lets such a question through.
    """
    if caps.per_run_usd is None and caps.per_day_usd is None:
        return Reservation(run, approach, model, None)
    if worst_usd is None and not caps.allow_unknown:
        raise NotSent(
            f"What {model} costs is not known, so it cannot be kept within the budget.",
            "Enter its price (price.input_usd, price.output_usd, price.date), or set budget.allow_unknown=true.",
        )
    worst = worst_usd or Decimal(0)
    now = datetime.now(UTC)

    def set_aside(connection: sqlite3.Connection) -> int | None:
        _release_dead(connection, now)
        day, whole_run = _spent(connection, day=_day(now)), _spent(connection, run=run)
        _check("day", "per_day_usd", caps.per_day_usd, day, worst)
        _check("run", "per_run_usd", caps.per_run_usd, whole_run, worst)
        row = (_stamp(now), run, approach, model, "reserved", _pico(worst), *_this_process())
        return connection.execute(_INSERT, row).lastrowid

    return Reservation(run, approach, model, write(ledger_file(data), set_aside))


def settle(data: Path, reservation: Reservation, usd: Decimal, state: State) -> None:
    """Turn the reservation into what was charged. Never breaks an answer: a fault is logged, the reservation stays."""

    def charge(connection: sqlite3.Connection) -> None:
        if reservation.number is None:
            of = (reservation.run, reservation.approach, reservation.model)
            connection.execute(_INSERT, (_stamp(datetime.now(UTC)), *of, state, _pico(usd), None, None, None))
        else:
            settled = (state, _pico(usd), reservation.number)
            connection.execute("UPDATE charges SET state = ?, pico_usd = ? WHERE id = ?", settled)

    try:
        write(ledger_file(data), charge)
    except Exception:
        _log.exception("a charge was not recorded")


def spent_today(data: Path) -> Spent:
    """What this installation has spent since midnight UTC. Raises `BackendError` if the ledger cannot be read."""
    file = ledger_file(data)
    if not file.exists():
        return Spent(Decimal(0), Decimal(0), 0)
    with reading(file) as connection:
        return _spent(connection, day=_day(datetime.now(UTC)))


def today_in_words(data: Path, caps: BudgetSettings) -> str:
    """What was spent today, of which cap, and what is under way; unknown where the ledger cannot be read."""
    try:
        spent = spent_today(data)
    except BackendError as fault:
        return f"Spent today: unknown. {fault.cause}"
    cap = caps.per_day_usd
    parts = [f"Spent today (UTC): {dollars(spent.usd)}" + (f" of {dollars(cap)}" if cap is not None else "")]
    if spent.in_flight_usd:
        parts.append(f"{dollars(spent.in_flight_usd)} set aside for questions under way")
    if spent.unknown:
        parts.append(f"{spent.unknown:,} of unknown cost")
    return " · ".join(parts)


def dollars(usd: Decimal) -> str:
    """An amount for a sentence: at least two decimals, as many as it needs up to six, rounded up."""
    exact = usd.quantize(Decimal("0.000001"), ROUND_CEILING).normalize()
    return f"${exact:.2f}" if exact == exact.quantize(Decimal("0.01")) else f"${exact:f}"


def _check(what: str, setting: str, cap: Decimal | None, spent: Spent, worst: Decimal) -> None:
    if cap is None or spent.usd + spent.in_flight_usd + worst <= cap:
        return
    flying = f", {dollars(spent.in_flight_usd)} set aside for questions under way" if spent.in_flight_usd else ""
    raise CapReached(
        f"The {what}'s budget of {dollars(cap)} does not cover this question: {dollars(spent.usd)} spent{flying}, "
        f"it could cost {dollars(worst)}.",
        f"Raise budget.{setting}, or lower max_tokens.",
        f"budget.{setting}",
        spent.usd + spent.in_flight_usd + worst,
        worst,
    )


def _spent(connection: sqlite3.Connection, *, day: str | None = None, run: str | None = None) -> Spent:
    where, value = ("at >= ?", day) if day is not None else ("run = ?", run)
    rows = connection.execute(
        f"SELECT state, sum(pico_usd), count(*) FROM charges WHERE {where} GROUP BY state",  # noqa: S608
        (value,),
    )
    found = {state: (Decimal(pico) / _PICO, count) for state, pico, count in rows}
    nothing = (Decimal(0), 0)
    usd = found.get("charged", nothing)[0] + found.get("at most", nothing)[0]
    return Spent(usd, found.get("reserved", nothing)[0], found.get("unknown", nothing)[1])


def _release_dead(connection: sqlite3.Connection, now: datetime) -> None:
    """Free what processes reserved that are no more; of other machines, what is a day old."""
    host, pid, began = _this_process()
    rows = connection.execute(f"SELECT id, at, host, pid, began FROM charges WHERE {_OPEN}").fetchall()  # noqa: S608
    for number, at, of_host, of_pid, of_began in rows:
        if of_host == host:
            dead = (of_pid, of_began) != (pid, began) and not _runs(of_pid, of_began)
        else:
            dead = datetime.fromisoformat(at) < now - _FORGOTTEN_AFTER
        if dead:
            connection.execute("UPDATE charges SET state = 'released', pico_usd = 0 WHERE id = ?", (number,))


def _this_process() -> tuple[str, int, float]:
    return socket.gethostname(), os.getpid(), psutil.Process().create_time()


def _runs(pid: int, began: float) -> bool:
    """Whether that very process still runs; its number may have been given to another one since."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - began) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def _pico(usd: Decimal) -> int:
    return int((usd * _PICO).to_integral_value(ROUND_CEILING))


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _day(at: datetime) -> str:
    return at.date().isoformat()
