"""What may be spent: a cap per run and per day (UTC), over all sessions and processes of this installation.

Before a question goes to a priced server, its worst case is reserved; afterwards the reservation becomes what was
charged. Both are rows of the table `charges` in the store, and a cap is checked and reserved in one transaction, so
that two processes, on whichever machines, can never share the same last cent.

A reservation whose process ended before it was settled (a kill, a power cut) stays: the provider may charge that
answer in full. It counts at its worst case, apart from the others, until somebody says what was charged.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from backends.base import AttemptEnded, AttemptStarted, BackendEvent, Cost, Usage, Waiting
from backends.errors import BackendError, CapReached, NotSent
from backends.settings import BudgetSettings
from backends.spend.ledger import ledger_of
from backends.spend.pricing import Rates
from backends.storage.process import is_alive, started_at
from backends.store.database import Where

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from backends.settings import Settings

State = Literal["charged", "at most", "unknown"]
"""How sure an amount is: reported by the server; the worst case, because the server did not say; not priced at all."""

_PICO = Decimal(10) ** 12  # amounts are stored as whole 10^-12 USD, rounded up, so that SQLite adds them up exactly
_GIVEN_UP_AFTER = timedelta(days=1)
_log = logging.getLogger(__name__)
_PROCESS = ("host", "pid", "began")


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


def _open_charges(connection: Connection, *where: Any) -> list[_OpenCharge]:
    """The reservations that were not settled yet, oldest first."""
    from sqlalchemy import select

    from backends.store.tables import charges

    query = select(*(charges.c[name] for name in _OpenCharge._fields)).where(charges.c.state == "reserved", *where)
    return [_OpenCharge._make(row) for row in connection.execute(query.order_by(charges.c.at, charges.c.id))]


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
    where: Where, caps: BudgetSettings, run: str, approach: str, model: str, worst_usd: Decimal | None
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

    with ledger_of(where, create=True) as store:
        assert store is not None

        def set_aside(connection: Connection) -> int:
            from backends.store.tables import charges

            store.alone(connection, charges.name)
            day, whole_run = _spent(connection, now, day=_day(now)), _spent(connection, now, run=run)
            _check("day", "per_day_usd", caps.per_day_usd, day, worst)
            _check("run", "per_run_usd", caps.per_run_usd, whole_run, worst)
            state = "unknown" if worst_usd is None else "reserved"
            row = {"at": _stamp(now), "run": run, "approach": approach, "model": model, "state": state}
            process = dict(zip(_PROCESS, _this_process(), strict=True))
            made = connection.execute(charges.insert(), {**row, "pico_usd": _pico(worst), **process})
            (number,) = made.inserted_primary_key or (0,)
            return int(number)

        return Reservation(run, approach, model, store.write(set_aside))


def settle(where: Where, reservation: Reservation, usd: Decimal, state: State) -> None:
    """Turn the reservation into what was charged. Never breaks an answer: a fault is said in the log, and the
    reservation stays, to count at its worst case.
    """

    def charge(connection: Connection) -> None:
        from backends.store.tables import charges

        settled: dict[str, object] = {"state": state, "pico_usd": _pico(usd)}
        if reservation.number is None:
            row = {"run": reservation.run, "approach": reservation.approach, "model": reservation.model}
            process = dict.fromkeys(_PROCESS)
            connection.execute(charges.insert(), {"at": _stamp(datetime.now(UTC)), **row, **settled, **process})
        else:
            connection.execute(charges.update().where(charges.c.id == reservation.number), settled)

    try:
        with ledger_of(where, create=True) as store:
            assert store is not None
            store.write(charge)
    except BackendError as fault:
        _log.warning("a charge was not recorded: %s", fault)
    except Exception:
        _log.exception("a charge was not recorded")


def spent_today(where: Where) -> Spent:
    """What this installation has spent since midnight UTC. Raises `BackendError` if the ledger cannot be read."""
    now = datetime.now(UTC)
    with ledger_of(where, create=False) as store:
        if store is None:
            return Spent(Decimal(0), Decimal(0), 0)
        with store.reading() as connection:
            return _spent(connection, now, day=_day(now))


def charged_for(where: Where, run: str) -> Decimal:
    """USD that count towards a run's cap so far. Raises `BackendError` if the ledger cannot be read."""
    with ledger_of(where, create=False) as store:
        if store is None:
            return Decimal(0)
        with store.reading() as connection:
            return _spent(connection, datetime.now(UTC), run=run).counted_usd


def uncounted(where: Where) -> list[Uncounted]:
    """The answers of all days whose process ended before they were counted, oldest first. Raises `BackendError`."""
    now = datetime.now(UTC)
    with ledger_of(where, create=False) as store:
        if store is None:
            return []
        with store.reading() as connection:
            still_open = _open_charges(connection)
    return [
        Uncounted(one.id, datetime.fromisoformat(one.at), one.approach, one.model, Decimal(one.pico_usd) / _PICO)
        for one in still_open
        if _ended(one, now)
    ]


def count_charge(where: Where, number: int, usd: Decimal) -> None:
    """Say what the provider charged for an uncounted answer. Nothing changes if it was counted in the meantime.

    Raises `BackendError` if it cannot be written.
    """

    def charge(connection: Connection) -> None:
        from backends.store.tables import charges

        reserved = charges.update().where(charges.c.id == number, charges.c.state == "reserved")
        connection.execute(reserved, {"state": "charged", "pico_usd": _pico(usd)})

    with ledger_of(where, create=True) as store:
        assert store is not None
        store.write(charge)


def today_in_words(where: Where, caps: BudgetSettings) -> str:
    """What was spent today, of which cap, and what is under way; unknown where the ledger cannot be read."""
    try:
        spent = spent_today(where)
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
    step = f'Raise budget.{setting}, or lower "Answer length" (max_tokens).'
    if spent.in_flight_usd:
        parts.append(f"{rounded_up(spent.in_flight_usd)} set aside for questions under way")
    if spent.uncounted_usd:
        parts.append(uncounted_in_words(spent.uncounted_usd))
        step = (
            f"Enter what those were charged on the Costs page (History), raise budget.{setting}, or lower "
            '"Answer length" (max_tokens).'
        )
    raise CapReached(
        f"The {what}'s budget of {rounded_up(cap)} does not cover this question: {', '.join(parts)}, "
        f"it could cost {rounded_up(worst)}.",
        step,
        f"budget.{setting}",
        needed,
        worst,
    )


def _spent(connection: Connection, now: datetime, *, day: str | None = None, run: str | None = None) -> Spent:
    from sqlalchemy import func, select

    from backends.store.tables import charges

    where = charges.c.at >= day if day is not None else charges.c.run == run
    query = select(charges.c.state, func.sum(charges.c.pico_usd), func.count()).where(where).group_by(charges.c.state)
    found = {state: (Decimal(pico) / _PICO, count) for state, pico, count in connection.execute(query)}
    nothing = (Decimal(0), 0)
    usd = found.get("charged", nothing)[0] + found.get("at most", nothing)[0]
    reserved, ended = found.get("reserved", nothing)[0], Decimal(0)
    if reserved:
        ended = Decimal(sum(one.pico_usd for one in _open_charges(connection, where) if _ended(one, now))) / _PICO
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
    caps = settings.budget
    worst = None
    if caps.per_day_usd is not None or caps.per_run_usd is not None:
        yield Waiting("checking the budget", for_a_slot=True)
        worst = meter.attempt_at_most()
        worst = None if worst is None else worst * attempts
    reserved = reserve(settings, caps, run or uuid.uuid4().hex, approach, model, worst)
    try:
        for event in events:
            meter.count_event(event)
            yield event
    finally:
        meter.close()
        settle(settings, reserved, meter.usd, meter.state)
