"""The ledger: one row for every question that was asked, however it ended. What was measured and charged, never a text.

It is part of the store (`backends.store`), which every session and process of this installation shares, and other
machines where it is on a PostgreSQL. Rows are only ever added: triggers refuse to change or delete one. Amounts are
Decimals as text, times are UTC. What an earlier version kept in `ledger.sqlite` is taken over once.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from backends.base import Answer, Cost, Status
from backends.errors import BackendError, disk_faults
from backends.registry import spec_of
from backends.settings import Settings
from backends.storage.files import replacing
from backends.store.database import Store, StoreDamaged, Where, only_added_lifted, store_file, store_of
from backends.text import encodable

if TYPE_CHECKING:
    from sqlalchemy import Connection

Kind = Literal["real", "stand-in", "scripted"]
"""Who answered: the real thing, a stand-in in place of a paid model, or the script."""

Purpose = Literal["answer", "test", "judge"]
"""What was asked for: an answer, the one token that tests a connection, or a verdict on another answer. All cost; only
answers tell how long answers are and how long they take.
"""

_LARGEST = 2**63 - 1  # what SQLite can hold; no true token count is near it
_log = logging.getLogger(__name__)
_faults: dict[str, BackendError] = {}


PAST_ERROR = {
    "close": "within a tenth",
    "rough": "within a factor of two",
    "poor": "further off",
    "untested": "no answer to compare with yet",
}
"""How far past answers were from what was expected of them, in one word, and what it means."""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How past answers compare with what was expected of them: `within` of `answers` came to `low` to `high` times."""

    answers: int
    within: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What a question is expected to cost. `cost.usd` is None if that is not known, and `cost.basis` says why.

    `method` says in which way it was computed: errors are compared within one method only. `past_answers`: how many
    answers the mean comes from. `track` is None while no answer had an expectation of this kind.
    """

    approach: str
    cost: Cost
    method: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    past_answers: int = 0
    track: TrackRecord | None = None

    @property
    def goes_by(self) -> str:
        """Which answer the amount is of, in two words; "" where it is not known."""
        if self.method is None:
            return ""
        return "mean time" if self.method == "seconds" else self.method.rpartition(", ")[2]

    @property
    def past_error(self) -> str:
        """How far off such amounts were so far: one of the words of `PAST_ERROR`."""
        if self.track is None:
            return "untested"
        low, high = self.track.low, self.track.high
        return "close" if low >= 0.9 and high <= 1.1 else "rough" if low >= 0.5 and high <= 2 else "poor"

    @property
    def error(self) -> str:
        """How far off it may be, in words."""
        if self.cost.usd is None:
            return f"unknown: {self.cost.basis}"
        if self.track is None:
            return "estimate; its error is not known yet"
        one = self.track
        if one.answers == 1:
            return f"estimate; the last answer was {one.low:.2g} times it"
        who = "" if one.within == one.answers else f"{one.within} of "
        low, high = f"{one.low:.2g}", f"{one.high:.2g}"
        came_to = low if low == high else f"{low} to {high}"
        return f"estimate; {who}last {one.answers}: {came_to} times it"


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer as it was recorded: tokens, seconds, US dollars (None: unknown), and when it ended (UTC).

    `expected_*` is what was expected before it was asked (`backends.spend.estimate`), `expected_by` in which way.
    `writer` is the id of the approach whose model wrote an answer from documents; None for others and in older rows.
    """

    at: datetime
    approach: str
    model: str
    kind: Kind
    status: Status
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    tokens_counted_by: str | None
    queued_s: float | None
    retry_s: float | None
    retrieval_s: float | None
    ttft_s: float | None
    latency_s: float | None
    cost_usd: Decimal | None
    cost_basis: str
    retries: int | None = None
    expected_prompt_tokens: int | None = None
    expected_completion_tokens: int | None = None
    expected_usd: Decimal | None = None
    expected_by: str | None = None
    purpose: Purpose = "answer"
    writer: str | None = None

    @property
    def ratio_to_expected(self) -> Decimal | None:
        """What it cost ÷ what was expected beforehand; None where either is unknown or nothing was expected."""
        return None if self.cost_usd is None or not self.expected_usd else self.cost_usd / self.expected_usd


_COLUMNS = tuple(field.name for field in fields(Entry))
_NUMBERS = tuple(name for name in _COLUMNS if name.endswith(("_s", "_tokens", "retries")))


def ledger_file(data: Path) -> Path:
    """Where earlier versions had the ledger of a data folder."""
    return Path(os.path.realpath(data)) / "ledger.sqlite"  # Path.resolve raises where links lead in a circle


def recorder(
    settings: Settings, expected: Mapping[str, ExpectedCost] | None = None, purpose: Purpose = "answer"
) -> Callable[[Answer], None]:
    """What records the answers of one call, with what was expected of each approach before it was asked.

    A fault never breaks an answer: it is logged and kept for `fault`.
    """

    def record(answer: Answer) -> None:
        with _noting_faults(settings):
            row = _row_of(settings, answer, (expected or {}).get(answer.approach), purpose)
            if row is not None:
                _add(settings, row)

    return record


def row_of(settings: Settings, answer: Answer, expected: ExpectedCost | None) -> dict[str, object] | None:
    """What the ledger holds of an answer, for who writes it together with something else (`add_row`); None if nobody
    was asked now. A fault never breaks an answer: see `recorder`."""
    found = None
    with _noting_faults(settings):
        found = _row_of(settings, answer, expected, "answer")
    return found


def add_row(connection: Connection, row: Mapping[str, object]) -> None:
    """Write what `row_of` gave, within a transaction of the store."""
    from backends.store.tables import spent_answers

    connection.execute(spent_answers.insert(), row)


def get_ready(settings: Settings) -> None:
    """Take over what an earlier version kept, before `add_row`. A fault is logged and kept for `fault`."""
    with _noting_faults(settings), ledger_of(settings, create=True):
        pass


@contextmanager
def _noting_faults(settings: Settings) -> Iterator[None]:
    key = _place(settings)
    try:
        yield
        _faults.pop(key, None)
    except BackendError as error:
        if key not in _faults:
            _log.warning("an answer was not recorded: %s", error)
        _faults[key] = error
    except Exception:
        _log.exception("an answer was not recorded")
        _faults[key] = BackendError("Answers are not being recorded.", "The log has the details.")


def _row_of(
    settings: Settings, answer: Answer, expected: ExpectedCost | None, purpose: Purpose
) -> dict[str, object] | None:
    if answer.status == "not_asked" or answer.recorded is not None:
        return None  # nobody was asked now
    writer = settings.rag.generator if spec_of(answer.approach).monthly == "documents" else None
    kind = kind_of(settings, answer.stand_in)
    return _values(answer, kind, datetime.now(UTC), expected) | {"purpose": purpose, "writer": writer}


def kind_of(settings: Settings, stand_in: bool) -> Kind:
    """Who answers."""
    return "scripted" if settings.scripted else "stand-in" if stand_in else "real"


def fault(where: Where) -> BackendError | None:
    """Why the last answer of this process was not recorded, or None."""
    return _faults.get(_place(where))


def _place(where: Where) -> str:
    data = where if isinstance(where, Path) else where.data
    return str(ledger_file(data))


@contextmanager
def ledger_of(where: Where, create: bool) -> Iterator[Store | None]:
    """The store that has the ledger, with what an earlier version kept; None where there is none and `create` is false.

    What cannot be read is a `LedgerDamaged`. Raises `BackendError`.
    """
    from backends.spend.old_ledger import LedgerDamaged, is_waiting, take_over

    file, store = ledger_file(where if isinstance(where, Path) else where.data), store_of(where)
    if is_waiting(file):
        take_over(file, store)
    try:
        with disk_faults("The ledger of answers", "read"):
            there = create or store.exists
        yield store if there else None
    except StoreDamaged as damaged:
        raise LedgerDamaged(store.place, damaged.next_step) from damaged


def append(
    where: Where,
    answer: Answer,
    kind: Kind,
    at: datetime | None = None,
    expected: ExpectedCost | None = None,
    purpose: Purpose = "answer",
    writer: str | None = None,
) -> None:
    """Add an answer; `at` is now if left out. Raises `BackendError` if it cannot be written."""
    _add(where, _values(answer, kind, at or datetime.now(UTC), expected) | {"purpose": purpose, "writer": writer})


def _add(where: Where, row: Mapping[str, object]) -> None:
    with ledger_of(where, create=True) as store:
        assert store is not None
        store.write(lambda connection: add_row(connection, row))


def _values(answer: Answer, kind: Kind, at: datetime, expected: ExpectedCost | None) -> dict[str, object]:
    """What the row of an answer says of it and of what was expected, by column."""
    usage, timings = answer.usage, answer.timings
    usd = expected.cost.usd if expected else None
    return {
        "at": at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "approach": answer.approach,
        "model": _storable_text(answer.model),
        "kind": kind,
        "status": answer.status,
        "prompt_tokens": _storable(usage.prompt_tokens),
        "completion_tokens": _storable(usage.completion_tokens),
        "cached_tokens": _storable(usage.cached_tokens),
        "reasoning_tokens": _storable(usage.reasoning_tokens),
        "tokens_counted_by": usage.source,
        "queued_s": timings.queued_s,
        "retry_s": timings.retry_s,
        "retrieval_s": timings.retrieval_s,
        "ttft_s": timings.ttft_s,
        "latency_s": timings.latency_s,
        "cost_usd": None if answer.cost.usd is None else f"{answer.cost.usd:f}",
        "cost_basis": _storable_text(answer.cost.basis),
        "retries": len(answer.attempts) - 1 if answer.attempts else None,
        "expected_prompt_tokens": expected.prompt_tokens if expected else None,
        "expected_completion_tokens": expected.completion_tokens if expected else None,
        "expected_usd": None if usd is None else f"{usd:f}",
        "expected_by": expected.method if expected else None,
    }


def _storable_text(text: str) -> str:
    """A text as every store takes it: PostgreSQL refuses U+0000, and no UTF-8 carries a lone surrogate."""
    return encodable(text).replace("\x00", "\ufffd")


def _storable(count: int | None) -> int | None:
    """A count as the ledger takes it; None for one that no server can mean."""
    return count if count is not None and abs(count) <= _LARGEST else None


def entries(where: Where, since: datetime | None = None) -> list[Entry]:
    """Every answer since then, oldest first; none where nothing was ever recorded. Raises `BackendError`."""
    with ledger_of(where, create=False) as store:
        if store is None:
            return []
        start = "" if since is None else since.astimezone(UTC).isoformat(timespec="milliseconds")
        query, table = _select()
        with store.reading() as connection:
            rows = connection.execute(query.where(table.c.at >= start).order_by(table.c.at, table.c.id)).all()
        return [_entry(row, store) for row in rows]


def complete_answers(
    where: Where,
    approach: str,
    fitting: Callable[[str], bool] = lambda model: True,
    limit: int = 1000,
    kind: Kind = "real",
) -> list[Entry]:
    """The last `limit` answers of an approach that came through (`ok`, or cut off at a limit), newest first.
    The test of a connection is none: it asks for one token.

    Of one model only: of those whose name is `fitting`, the one that was asked last. Raises `BackendError`.
    """
    from sqlalchemy import func, select

    with ledger_of(where, create=False) as store:
        if store is None:
            return []
        query, table = _select()
        own = (table.c.approach == approach, table.c.kind == kind, table.c.purpose == "answer")
        newest = select(table.c.model).where(*own).group_by(table.c.model).order_by(func.max(table.c.id).desc())
        came = query.where(*own, table.c.status.in_(("ok", "truncated"))).order_by(table.c.id.desc()).limit(limit)
        with store.reading() as connection:
            for model in [model for model in connection.scalars(newest) if fitting(model)]:
                if rows := connection.execute(came.where(table.c.model == model)).all():
                    return [_entry(row, store) for row in rows]
    return []


def _select() -> tuple[Any, Any]:
    """A query for the fields of an entry, in their order, and the table."""
    from sqlalchemy import select

    from backends.store.tables import spent_answers

    return select(*(spent_answers.c[name] for name in _COLUMNS)), spent_answers


def set_aside(where: Where) -> Path | None:
    """Put what cannot be read aside, so that the next answer begins a new ledger; where it lies now, None if there was
    nothing. Raises `BackendError`.

    An old ledger and a store that cannot be opened are renamed; of a store whose rows of answers make no sense, these
    are written into a file and taken out.
    """
    from backends.spend import old_ledger

    _faults.pop(_place(where), None)
    data = where if isinstance(where, Path) else where.data
    if (aside := old_ledger.set_aside(ledger_file(data))) is not None:
        return aside
    store, stamp = store_of(where), f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    if not store.exists:
        return None
    try:
        return _written_out(store, ledger_file(data).with_name(f"ledger.damaged-{stamp}.jsonl"))
    except StoreDamaged:
        target = store_file(data).with_name(f"evaluations.damaged-{stamp}.sqlite")
        return target if store.set_aside(target) else None


def _written_out(store: Store, target: Path) -> Path:
    """Write the rows of answers and charges into a file, a line of JSON each, and take them out of the store."""
    from backends.store.tables import charges, spent_answers

    with disk_faults("The ledger of answers"), replacing(target) as part, store.writing() as connection:
        with part.open("w", encoding="utf-8") as lines:
            for table in (spent_answers, charges):
                for row in connection.execute(table.select().order_by(table.c.id)).mappings():
                    lines.write(json.dumps({"table": table.name, **row}, default=str) + "\n")
        with only_added_lifted(connection):
            for table in (spent_answers, charges):
                connection.execute(table.delete())
    return target


def _entry(row: Any, store: Store) -> Entry:
    """A row as it was recorded. Raises `LedgerDamaged` for what no recorder writes."""
    from backends.spend.old_ledger import LedgerDamaged

    found = dict(zip(_COLUMNS, row, strict=True))
    try:
        at = datetime.fromisoformat(found["at"])
        usd = {name: _usd(found[name]) for name in ("cost_usd", "expected_usd")}
        counts = (found[name] for name in _NUMBERS)
        sound = at.tzinfo is not None and all(one is None or isinstance(one, int | float) for one in counts)
    except (ValueError, TypeError, InvalidOperation):
        sound = False
    if not sound:
        raise LedgerDamaged(store.place)
    return Entry(**(found | {"at": at} | usd))


def _usd(text: str | None) -> Decimal | None:
    amount = None if text is None else Decimal(text)
    if amount is not None and not amount.is_finite():
        raise ValueError("no amount")
    return amount
