"""The ledger: one row for every answer that ended, however it ended. What was measured and charged, never a text.

`data/ledger.sqlite` is shared by every session and process of this installation. Rows are only ever added: triggers
refuse to change or delete one. Amounts are Decimals as text, times are UTC.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from backends.base import Answer, BackendError, Status
from backends.ledger_file import ledger_file, opened
from backends.ledger_file import set_aside as _set_aside
from backends.ledger_writes import write
from backends.questions import encodable
from backends.settings import Settings

Kind = Literal["real", "stand-in", "scripted"]
"""Who answered: the real thing, a stand-in in place of a paid model, or the script."""

_LARGEST = 2**63 - 1  # what SQLite can hold; no true token count is near it
_log = logging.getLogger(__name__)
_faults: dict[Path, BackendError] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer as it was recorded: tokens, seconds, US dollars (None: unknown), and when it ended (UTC)."""

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


_COLUMNS = tuple(field.name for field in fields(Entry))
_INSERT = f"INSERT INTO answers ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM answers"  # noqa: S608


def recorder(settings: Settings) -> Callable[[Answer], None]:
    """What records the answers of one call. A fault never breaks an answer: it is logged and kept for `fault`."""

    def record(answer: Answer) -> None:
        kind: Kind = "scripted" if settings.scripted else "stand-in" if answer.stand_in else "real"
        key = ledger_file(settings.data)
        try:
            append(settings.data, answer, kind)
            _faults.pop(key, None)
        except BackendError as error:
            if key not in _faults:
                _log.warning("an answer was not recorded: %s", error)
            _faults[key] = error
        except Exception:
            _log.exception("an answer was not recorded")
            _faults[key] = BackendError("Answers are not being recorded.", "The log has the details.")

    return record


def fault(data: Path) -> BackendError | None:
    """Why the last answer of this process was not recorded, or None."""
    return _faults.get(ledger_file(data))


def append(data: Path, answer: Answer, kind: Kind, at: datetime | None = None) -> None:
    """Add an answer; `at` is now if left out. Raises `BackendError` if it cannot be written."""
    usage, timings = answer.usage, answer.timings
    counts = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens)
    known = (count if count is not None and abs(count) <= _LARGEST else None for count in counts)
    row = (
        (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds"),
        *(answer.approach, encodable(answer.model), kind, answer.status),
        *known,
        usage.source,
        *(timings.queued_s, timings.retry_s, timings.retrieval_s, timings.ttft_s, timings.latency_s),
        None if answer.cost.usd is None else f"{answer.cost.usd:f}",
        encodable(answer.cost.basis),
        len(answer.attempts) - 1 if answer.attempts else None,
    )

    def add(connection: sqlite3.Connection) -> None:
        connection.execute(_INSERT, row)

    write(ledger_file(data), add)


def entries(data: Path, since: datetime | None = None) -> list[Entry]:
    """Every answer since then, oldest first; none where nothing was ever recorded. Raises `BackendError`."""
    file = ledger_file(data)
    if not file.exists():
        return []
    start = "" if since is None else since.astimezone(UTC).isoformat(timespec="milliseconds")
    with opened(file, create=False) as connection:
        return [_entry(row) for row in connection.execute(f"{_SELECT} WHERE at >= ? ORDER BY at, id", (start,))]


def complete_answers(
    data: Path, approach: str, fitting: Callable[[str], bool] = lambda model: True, limit: int = 1000
) -> list[Entry]:
    """The last `limit` real answers of an approach that came through (`ok`, or cut off at a limit), newest first.

    Of one model only: of those whose name is `fitting`, the one that answered last. Raises `BackendError`.
    """
    file = ledger_file(data)
    if not file.exists():
        return []
    where = "WHERE approach = ? AND kind = 'real' AND status IN ('ok', 'truncated')"
    with opened(file, create=False) as connection:
        newest = f"SELECT model FROM answers {where} GROUP BY model ORDER BY max(id) DESC"  # noqa: S608
        models = (model for (model,) in connection.execute(newest, (approach,)))
        model = next(filter(fitting, models), None)
        query = f"{_SELECT} {where} AND model = ? ORDER BY id DESC LIMIT ?"
        return [_entry(row) for row in connection.execute(query, (approach, model, limit))]


def set_aside(data: Path) -> Path | None:
    """Rename the ledger, so that the next answer begins a new one; where it lies now. Raises `BackendError`."""
    _faults.pop(ledger_file(data), None)
    return _set_aside(ledger_file(data))


def _entry(row: Any) -> Entry:
    found = dict(zip(_COLUMNS, row, strict=True))
    cost = None if found["cost_usd"] is None else Decimal(found["cost_usd"])
    return Entry(**(found | {"at": datetime.fromisoformat(found["at"]), "cost_usd": cost}))
