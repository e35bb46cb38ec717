"""The ledger: one row for every answer that ended, however it ended. What was measured and charged, never a text.

`data/ledger.sqlite` is shared by every session and process of this installation. Rows are only ever added: triggers
refuse to change or delete one. Amounts are Decimals as text, times are UTC.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from backends.base import Answer, Cost, Status
from backends.errors import BackendError
from backends.registry import spec_of
from backends.settings import Settings
from backends.spend.ledger_file import LedgerDamaged, ledger_file, opened, write
from backends.spend.ledger_file import set_aside as _set_aside
from backends.text import encodable

Kind = Literal["real", "stand-in", "scripted"]
"""Who answered: the real thing, a stand-in in place of a paid model, or the script."""

Purpose = Literal["answer", "test"]
"""What was asked for: an answer, or the one token that tests a connection. Both cost; only answers tell how long
answers are and how long they take.
"""

_LARGEST = 2**63 - 1  # what SQLite can hold; no true token count is near it
_log = logging.getLogger(__name__)
_faults: dict[Path, BackendError] = {}


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
_INSERT = f"INSERT INTO answers ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM answers"  # noqa: S608


def recorder(
    settings: Settings, expected: Mapping[str, ExpectedCost] | None = None, purpose: Purpose = "answer"
) -> Callable[[Answer], None]:
    """What records the answers of one call, with what was expected of each approach before it was asked.

    A fault never breaks an answer: it is logged and kept for `fault`.
    """

    def record(answer: Answer) -> None:
        kind = kind_of(settings, answer.stand_in)
        key = ledger_file(settings.data)
        try:
            writer = settings.rag.generator if spec_of(answer.approach).monthly == "documents" else None
            before = (expected or {}).get(answer.approach)
            append(settings.data, answer, kind, expected=before, purpose=purpose, writer=writer)
            _faults.pop(key, None)
        except BackendError as error:
            if key not in _faults:
                _log.warning("an answer was not recorded: %s", error)
            _faults[key] = error
        except Exception:
            _log.exception("an answer was not recorded")
            _faults[key] = BackendError("Answers are not being recorded.", "The log has the details.")

    return record


def kind_of(settings: Settings, stand_in: bool) -> Kind:
    """Who answers."""
    return "scripted" if settings.scripted else "stand-in" if stand_in else "real"


def fault(data: Path) -> BackendError | None:
    """Why the last answer of this process was not recorded, or None."""
    return _faults.get(ledger_file(data))


def append(
    data: Path,
    answer: Answer,
    kind: Kind,
    at: datetime | None = None,
    expected: ExpectedCost | None = None,
    purpose: Purpose = "answer",
    writer: str | None = None,
) -> None:
    """Add an answer; `at` is now if left out. Raises `BackendError` if it cannot be written."""
    values = _values(answer, kind, at or datetime.now(UTC), expected) | {"purpose": purpose, "writer": writer}
    row = [values[name] for name in _COLUMNS]

    def add(connection: sqlite3.Connection) -> None:
        connection.execute(_INSERT, row)

    write(ledger_file(data), add)


def _values(answer: Answer, kind: Kind, at: datetime, expected: ExpectedCost | None) -> dict[str, object]:
    """What the row of an answer says of it and of what was expected, by column."""
    usage, timings = answer.usage, answer.timings
    usd = expected.cost.usd if expected else None
    return {
        "at": at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "approach": answer.approach,
        "model": encodable(answer.model),
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
        "cost_basis": encodable(answer.cost.basis),
        "retries": len(answer.attempts) - 1 if answer.attempts else None,
        "expected_prompt_tokens": expected.prompt_tokens if expected else None,
        "expected_completion_tokens": expected.completion_tokens if expected else None,
        "expected_usd": None if usd is None else f"{usd:f}",
        "expected_by": expected.method if expected else None,
    }


def _storable(count: int | None) -> int | None:
    """A count as the ledger takes it; None for one that no server can mean."""
    return count if count is not None and abs(count) <= _LARGEST else None


def entries(data: Path, since: datetime | None = None) -> list[Entry]:
    """Every answer since then, oldest first; none where nothing was ever recorded. Raises `BackendError`."""
    file = ledger_file(data)
    if not file.exists():
        return []
    start = "" if since is None else since.astimezone(UTC).isoformat(timespec="milliseconds")
    with opened(file, create=False) as connection:
        return [_entry(row, file) for row in connection.execute(f"{_SELECT} WHERE at >= ? ORDER BY at, id", (start,))]


def complete_answers(
    data: Path,
    approach: str,
    fitting: Callable[[str], bool] = lambda model: True,
    limit: int = 1000,
    kind: Kind = "real",
    writer: str | None = None,
) -> list[Entry]:
    """The last `limit` answers of an approach that came through (`ok`, or cut off at a limit), newest first.
    The test of a connection is none: it asks for one token.

    Of one model only: of those whose name is `fitting`, the one that was asked last. With a `writer`, only the rows
    that do not say who wrote them go by the name. Raises `BackendError`.
    """
    file = ledger_file(data)
    if not file.exists():
        return []
    condition = "approach = ? AND kind = ? AND purpose = 'answer'"
    newest = f"SELECT model, writer FROM answers WHERE {condition} GROUP BY 1, 2 ORDER BY max(id) DESC"  # noqa: S608
    query = (
        f"{_SELECT} WHERE {condition} AND model = ? AND status IN ('ok', 'truncated') "
        "AND (? IS NULL OR writer IS NULL OR writer = ?) ORDER BY id DESC LIMIT ?"
    )
    with opened(file, create=False) as connection:
        found = connection.execute(newest, (approach, kind))
        models = [model for model, by in found if (by == writer if by and writer else fitting(model))]
        for model in dict.fromkeys(models):
            if rows := connection.execute(query, (approach, kind, model, writer, writer, limit)).fetchall():
                return [_entry(row, file) for row in rows]
    return []


def set_aside(data: Path) -> Path | None:
    """Rename the ledger, so that the next answer begins a new one; where it lies now. Raises `BackendError`."""
    _faults.pop(ledger_file(data), None)
    return _set_aside(ledger_file(data))


def _entry(row: Any, file: Path) -> Entry:
    """A row as it was recorded. Raises `LedgerDamaged` for what no recorder writes."""
    found = dict(zip(_COLUMNS, row, strict=True))
    try:
        at = datetime.fromisoformat(found["at"])
        usd = {name: _usd(found[name]) for name in ("cost_usd", "expected_usd")}
        counts = (found[name] for name in _NUMBERS)
        sound = at.tzinfo is not None and all(one is None or isinstance(one, int | float) for one in counts)
    except (ValueError, TypeError, InvalidOperation):
        sound = False
    if not sound:
        raise LedgerDamaged(file)
    return Entry(**(found | {"at": at} | usd))


def _usd(text: str | None) -> Decimal | None:
    amount = None if text is None else Decimal(text)
    if amount is not None and not amount.is_finite():
        raise ValueError("no amount")
    return amount
