"""What may be spent: a cap per run and per day (UTC), over all sessions and processes of this installation.

Before a question goes to a priced server, its worst case is reserved; afterwards the reservation becomes what was
charged. Both are rows of the table `charges` in the ledger's file, and a cap is checked and reserved in one
transaction, so that two processes can never share the same last cent.

A reservation whose process ended before it was settled (a kill, a power cut) stays: the provider may charge that
answer in full. It counts at its worst case, apart from the others, until somebody says what was charged.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from backends.base import AttemptEnded, AttemptStarted, BackendEvent, Cost, Usage, Waiting
from backends.errors import BackendError, CapReached, NotSent, not_written
from backends.settings import BudgetSettings
from backends.spend.ledger_file import ledger_file, reading, write
from backends.spend.pricing import Rates
from backends.storage.process import is_alive, started_at

if TYPE_CHECKING:
    from backends.settings import Settings

State = Literal["charged", "at most", "unknown"]
"""How sure an amount is: reported by the server; the worst case, because the server did not say; not priced at all."""

_PICO = Decimal(10) ** 12  # amounts are stored as whole 10^-12 USD, rounded up, so that SQLite adds them up exactly
_GIVEN_UP_AFTER = timedelta(days=1)
_log = logging.getLogger(__name__)
_FIELDS = ("at", "run", "approach", "model", "state", "pico_usd", "host", "pid", "began")
_INSERT = f"INSERT INTO charges ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608


class _OpenCharge(NamedTuple):
    """A reservation that was not settled yet, as its row says. The last three tell which process made it."""

    id: int
    at: str
    approach: str
    model: str
    pico_usd: int
    host: str
    pid: int
    began: float


_OPEN = f"SELECT {', '.join(_OpenCharge._fields)} FROM charges WHERE state = 'reserved'"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Spent:
    """USD of one day or run: what was charged, what is reserved for questions under way, how many are unpriced, and
    the worst case of answers whose process ended before they were counted.
    """

    usd: Decimal
    in_flight_usd: Decimal
    unknown: int
    uncounted_usd: Decimal = Decimal(0)

    @property
    def counted_usd(self) -> Decimal:
        """What a cap counts."""
        return self.usd + self.in_flight_usd + self.uncounted_usd


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A question whose process ended before its answer was counted: when it was asked (UTC), and its worst case."""

    number: int
    at: datetime
    approach: str
    model: str
    worst_usd: Decimal


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
        day, whole_run = _spent(connection, now, day=_day(now)), _spent(connection, now, run=run)
        _check("day", "per_day_usd", caps.per_day_usd, day, worst)
        _check("run", "per_run_usd", caps.per_run_usd, whole_run, worst)
        state = "unknown" if worst_usd is None else "reserved"
        row = (_stamp(now), run, approach, model, state, _pico(worst), *_this_process())
        return connection.execute(_INSERT, row).lastrowid

    return Reservation(run, approach, model, write(ledger_file(data), set_aside))


def settle(data: Path, reservation: Reservation, usd: Decimal, state: State) -> None:
    """Turn the reservation into what was charged. Never breaks an answer: a fault is said in the log, and the
    reservation stays, to count at its worst case.
    """

    def charge(connection: sqlite3.Connection) -> None:
        if reservation.number is None:
            identity = (reservation.run, reservation.approach, reservation.model)
            connection.execute(_INSERT, (_stamp(datetime.now(UTC)), *identity, state, _pico(usd), None, None, None))
        else:
            settled = (state, _pico(usd), reservation.number)
            connection.execute("UPDATE charges SET state = ?, pico_usd = ? WHERE id = ?", settled)

    try:
        write(ledger_file(data), charge)
    except BackendError as fault:
        _log.warning("a charge was not recorded: %s", fault)
    except Exception:
        _log.exception("a charge was not recorded")


def spent_today(data: Path) -> Spent:
    """What this installation has spent since midnight UTC. Raises `BackendError` if the ledger cannot be read."""
    file = ledger_file(data)
    try:
        file.stat()
    except FileNotFoundError:
        return Spent(Decimal(0), Decimal(0), 0)
    except OSError as error:  # not nothing: charges could not be kept there
        raise not_written("The ledger of answers", error, "read") from error
    now = datetime.now(UTC)
    with reading(file) as connection:
        return _spent(connection, now, day=_day(now))


def uncounted(data: Path) -> list[Uncounted]:
    """The answers of all days whose process ended before they were counted, oldest first. Raises `BackendError`."""
    file = ledger_file(data)
    if not file.exists():
        return []
    now = datetime.now(UTC)
    with reading(file) as connection:
        still_open = [_OpenCharge._make(row) for row in connection.execute(f"{_OPEN} ORDER BY at, id")]
    return [
        Uncounted(one.id, datetime.fromisoformat(one.at), one.approach, one.model, Decimal(one.pico_usd) / _PICO)
        for one in still_open
        if _ended(one, now)
    ]


def count_charge(data: Path, number: int, usd: Decimal) -> None:
    """Say what the provider charged for an uncounted answer. Nothing changes if it was counted in the meantime.

    Raises `BackendError` if it cannot be written.
    """

    def charge(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE charges SET state = 'charged', pico_usd = ? WHERE id = ? AND state = 'reserved'",
            (_pico(usd), number),
        )

    write(ledger_file(data), charge)


def today_in_words(data: Path, caps: BudgetSettings) -> str:
    """What was spent today, of which cap, and what is under way; unknown where the ledger cannot be read."""
    try:
        spent = spent_today(data)
    except BackendError as fault:
        return f"Spent today: unknown. {fault.cause}"
    cap = caps.per_day_usd
    parts = [f"Spent today (UTC): {rounded_up(spent.usd)}" + (f" of {rounded_up(cap)}" if cap is not None else "")]
    if spent.in_flight_usd:
        parts.append(f"{rounded_up(spent.in_flight_usd)} set aside for questions under way")
    if spent.uncounted_usd:
        parts.append(uncounted_in_words(spent.uncounted_usd))
    if spent.unknown:
        parts.append(f"{spent.unknown:,} of unknown cost")
    return " · ".join(parts)


def uncounted_in_words(usd: Decimal) -> str:
    """The worst case of the answers that nobody counted."""
    return f"{rounded_up(usd)} of answers whose process ended before they were counted"


def rounded_up(usd: Decimal) -> str:
    """An amount for a sentence: at least two decimals, as many as it needs up to six, rounded up."""
    exact = usd.quantize(Decimal("0.000001"), ROUND_CEILING).normalize()
    return f"${exact:.2f}" if exact == exact.quantize(Decimal("0.01")) else f"${exact:f}"


def _check(what: str, setting: str, cap: Decimal | None, spent: Spent, worst: Decimal) -> None:
    needed = spent.counted_usd + worst
    if cap is None or needed <= cap:
        return
    parts = [f"{rounded_up(spent.usd)} spent"]
    step = f"Raise budget.{setting}, or lower max_tokens."
    if spent.in_flight_usd:
        parts.append(f"{rounded_up(spent.in_flight_usd)} set aside for questions under way")
    if spent.uncounted_usd:
        parts.append(uncounted_in_words(spent.uncounted_usd))
        step = (
            f"Enter what those were charged on the Costs page (History), raise budget.{setting}, or lower max_tokens."
        )
    raise CapReached(
        f"The {what}'s budget of {rounded_up(cap)} does not cover this question: {', '.join(parts)}, "
        f"it could cost {rounded_up(worst)}.",
        step,
        f"budget.{setting}",
        needed,
        worst,
    )


def _spent(connection: sqlite3.Connection, now: datetime, *, day: str | None = None, run: str | None = None) -> Spent:
    where, value = ("at >= ?", day) if day is not None else ("run = ?", run)
    rows = connection.execute(
        f"SELECT state, sum(pico_usd), count(*) FROM charges WHERE {where} GROUP BY state",  # noqa: S608
        (value,),
    )
    found = {state: (Decimal(pico) / _PICO, count) for state, pico, count in rows}
    nothing = (Decimal(0), 0)
    usd = found.get("charged", nothing)[0] + found.get("at most", nothing)[0]
    reserved, ended = found.get("reserved", nothing)[0], Decimal(0)
    if reserved:
        still_open = [_OpenCharge._make(row) for row in connection.execute(f"{_OPEN} AND {where}", (value,))]
        ended = Decimal(sum(one.pico_usd for one in still_open if _ended(one, now))) / _PICO
    return Spent(usd, reserved - ended, found.get("unknown", nothing)[1], ended)


def _ended(one: _OpenCharge, now: datetime) -> bool:
    """Whether the process that reserved it is no more; one of another machine is given up after a day."""
    host, *this = _this_process()
    if one.host != host:
        return datetime.fromisoformat(one.at) < now - _GIVEN_UP_AFTER
    return [one.pid, one.began] != this and is_alive(one.pid, one.began) is False


def _this_process() -> tuple[str, int, float]:
    return socket.gethostname(), os.getpid(), started_at()


def _pico(usd: Decimal) -> int:
    return int((usd * _PICO).to_integral_value(ROUND_CEILING))


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _day(at: datetime) -> str:
    return at.date().isoformat()


TOKENS_AROUND_MESSAGE = 16
"""More than any chat format adds to a message (OpenAI's adds 3 or 4)."""


def most_prompt_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """More tokens than `messages` can have: byte-level tokenizers never make more tokens than there are bytes."""
    texts = (value for message in messages for value in message.values())
    return sum(len(text.encode(errors="replace")) for text in texts) + TOKENS_AROUND_MESSAGE * len(messages)


def worst_case(messages: Sequence[Mapping[str, str]], completion_tokens: int, prices: Rates) -> Decimal:
    """What one attempt costs in USD if nothing is cached and every token of the answer is used."""
    dearest = max(prices.input_mtok, prices.cached_mtok)
    return (most_prompt_tokens(messages) * dearest + completion_tokens * prices.output_mtok) / 1_000_000


class Meter:
    """Adds up the attempts of one question, from their events.

    `attempt_at_most` gives what one attempt can cost in USD, None if that is not known; it is only asked where needed.
    """

    def __init__(self, price: Callable[[Usage], Cost], attempt_at_most: Callable[[], Decimal | None]) -> None:
        self._price = price
        self.attempt_at_most = attempt_at_most
        self._under_way = False
        self.usd = Decimal(0)
        self.state: State = "charged"

    def count_event(self, event: BackendEvent) -> None:
        """Count an attempt that began or ended."""
        if isinstance(event, AttemptStarted):
            self._under_way = True
        elif isinstance(event, AttemptEnded):
            self._under_way = False
            cost = self._price(event.usage).usd if event.usage else None
            if cost is not None:
                self.usd += cost
            elif event.sent and event.status is None:
                self._unsure()

    def close(self) -> None:
        """The question is over; an attempt that never ended may have been charged in full."""
        if self._under_way:
            self._unsure()

    def _unsure(self) -> None:
        """The provider may charge an answer of which it did not report the tokens: the worst case counts."""
        at_most = self.attempt_at_most()
        if at_most is None:
            self.state = "unknown"
        else:
            self.usd += at_most
            self.state = "at most" if self.state == "charged" else self.state


def within_budget(
    events: Iterable[BackendEvent],
    settings: Settings,
    meter: Meter,
    attempts: int,
    *,
    run: str,
    approach: str,
    model: str,
) -> Iterator[BackendEvent]:
    """Pass on the events of a question to a priced server, if the budget allows its worst case of so many attempts.

    `run` may be empty: the question is then a run of its own. Raises `BackendError` where the budget forbids it.
    """
    caps, data = settings.budget, settings.data
    worst = None
    if caps.per_day_usd is not None or caps.per_run_usd is not None:
        yield Waiting("checking the budget", for_a_slot=True)
        worst = meter.attempt_at_most()
        worst = None if worst is None else worst * attempts
    reserved = reserve(data, caps, run or uuid.uuid4().hex, approach, model, worst)
    try:
        for event in events:
            meter.count_event(event)
            yield event
    finally:
        meter.close()
        settle(data, reserved, meter.usd, meter.state)
